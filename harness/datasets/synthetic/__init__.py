"""A procedural data set in Aff-Wild2's layout: people drawn from action units, with voices and labels to match.

It proves that everything fits together; a score on it says nothing about real faces.
"""

from harness.datasets.synthetic.layout import DEFAULT_VIDEOS, NOTE, VERSION, write_affwild2

__all__ = ["DEFAULT_VIDEOS", "NOTE", "VERSION", "write_affwild2"]
