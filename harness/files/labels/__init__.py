"""Label files of every task."""
