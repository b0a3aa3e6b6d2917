"""Prefixes of encoders' names that change the encoder's output."""

STAT = "stat:"
"""Prefix for mean, standard deviation, minimum and maximum of the rows of the encoder whose name follows."""
