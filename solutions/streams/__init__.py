"""Streams: encoders and a head that score every official row. One class per kind of stream, with one interface."""
