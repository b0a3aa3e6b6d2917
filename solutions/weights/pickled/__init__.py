"""Reader of pickled weights that never executes them."""
