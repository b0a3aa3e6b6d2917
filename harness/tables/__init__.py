"""Table model and its forms: text, Markdown, LaTeX, CSV, HTML and JSON."""
