"""Comparison of each video's frames, audio and features."""
