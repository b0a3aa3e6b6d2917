"""One table model, and the forms that it is written in: CSV, Markdown, LaTeX, HTML."""
