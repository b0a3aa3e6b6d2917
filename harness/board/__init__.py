"""Boards: which runs may be ranked together."""
