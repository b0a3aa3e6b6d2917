"""Streams: encoders and a head that score every frame. One class per kind of stream, with one interface."""
