"""Parsers of official files: rows become columns of arrays."""
