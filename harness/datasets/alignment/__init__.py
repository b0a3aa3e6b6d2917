"""Frames, audio and features of each video held against each other."""
