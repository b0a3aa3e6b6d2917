"""One table model and its renderings."""
