"""Official files: templates, write, validate, score."""
