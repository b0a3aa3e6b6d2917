"""Beginnings of encoders' names that change what an encoder gives."""

STAT = "stat:"
"""Mean, standard deviation, minimum and maximum of the rows of the encoder whose name follows."""
