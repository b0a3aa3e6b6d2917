"""Procedural data sets in the layouts of Aff-Wild2, DVD, Hume-Vidmimic2 and BAH.

People are drawn from action units, scenes of violence from joints; people who speak have a voice and words, too. They
prove that everything fits together; a score on them says nothing about real faces or real violence.
"""

from harness.datasets.synthetic.bah import write_bah
from harness.datasets.synthetic.dvd import write_dvd
from harness.datasets.synthetic.layout import DEFAULT_VIDEOS, NOTE, VERSION, write_affwild2
from harness.datasets.synthetic.vidmimic import write_vidmimic

__all__ = ["DEFAULT_VIDEOS", "NOTE", "VERSION", "write_affwild2", "write_bah", "write_dvd", "write_vidmimic"]
