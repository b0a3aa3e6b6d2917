"""Source of the documentation site: hand-written pages, and the code that generates the others."""
