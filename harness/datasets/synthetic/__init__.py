"""Procedural data sets: people drawn from action units in Aff-Wild2's layout, scenes of violence in DVD's.

They prove that everything fits together; a score on them says nothing about real faces or real violence.
"""

from harness.datasets.synthetic.dvd import write_dvd
from harness.datasets.synthetic.layout import DEFAULT_VIDEOS, NOTE, VERSION, write_affwild2

__all__ = ["DEFAULT_VIDEOS", "NOTE", "VERSION", "write_affwild2", "write_dvd"]
