"""Boards, runs and papers as tables."""
