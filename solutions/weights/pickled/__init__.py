"""A reader of pickled weights that executes nothing."""
