"""Console commands about solutions; entry points of group ``abaw.commands``."""
