"""Temporal models: networks that take a clip of consecutive frames and score each frame."""
