"""Runs that others made: read with care, held to what a run must be, and merged with those that are here."""
