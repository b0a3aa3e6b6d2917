"""Rows of official files as columns."""
