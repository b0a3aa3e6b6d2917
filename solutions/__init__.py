"""Solutions: encoders, heads, post-processing, and one file of recipes per task."""
