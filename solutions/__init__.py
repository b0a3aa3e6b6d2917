"""How to predict: encoders, heads, post-processing, and one recipe file per task."""
