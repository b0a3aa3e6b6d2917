"""From scores to decisions: gaps filled, smoothed, decided."""
