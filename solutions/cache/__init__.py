"""Feature files on disk, and the functions that fill them."""
