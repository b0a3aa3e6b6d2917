"""The boards as one HTML file that needs nothing else: to send to somebody, or to put on a project page."""
