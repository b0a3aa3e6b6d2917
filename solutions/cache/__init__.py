"""Cache of features and derived images on disk, and the functions that fill it."""
