"""The JSON documents of a run folder."""
