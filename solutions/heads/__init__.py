"""The small trained networks on top of features."""
