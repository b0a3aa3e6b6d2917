"""Submissions as archives: read without being extracted, packed the same each time, recognised again."""
