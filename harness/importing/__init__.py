"""Import of runs that others made: each is read with care, checked, and merged with the runs that are here."""
