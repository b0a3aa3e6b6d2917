"""Data on disk: which videos there are, how many frames they have, their labels, crops and sound."""
