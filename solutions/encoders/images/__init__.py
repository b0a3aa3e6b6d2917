"""Encoders of face crops."""
