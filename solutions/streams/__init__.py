"""Streams: encoders and a head that score every frame."""
