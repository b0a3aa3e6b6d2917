"""Named, complete descriptions of solutions, one file per task; its entries are rows of the papers' tables."""
