"""Official files: formats, templates, writing, checking, repair and scoring."""
