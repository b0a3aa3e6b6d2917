"""Readers of the label files of every task."""
