"""Official metrics from per-video sufficient statistics, with intervals by video."""
