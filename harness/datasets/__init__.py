"""Data on disk: the videos of each data set with their official frame counts, labels, crops and audio."""
