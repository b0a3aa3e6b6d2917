"""Data, servers and processes that several tests share."""
