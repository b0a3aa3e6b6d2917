"""Temporal models: networks that see a clip of consecutive frames and score each of them."""
