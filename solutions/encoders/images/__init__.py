"""Encoders of images, mostly of face crops."""
