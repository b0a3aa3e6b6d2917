"""Optical flow, as images and as statistics."""
