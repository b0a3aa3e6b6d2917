"""Post-processing, from scores to decisions: fill gaps, adjust, blend, smooth, filter, decide."""
