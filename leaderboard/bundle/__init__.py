"""Boards as one self-contained HTML file, to send to somebody or to put on a project page."""
