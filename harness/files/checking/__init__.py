"""Checks of official files: one table, or a whole submission."""
