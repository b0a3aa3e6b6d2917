"""The competition: tasks, data on disk, official files, scores, the results store, the runner. Knows no model."""

__version__ = "0.1.0"
