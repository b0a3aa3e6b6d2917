"""Formats of ambivalence/hesitancy, without header: frames from 0 in edition 8, whole videos in 10 and 11.

These are two tasks, AH and AHV: their metrics differ.

Source of the latter: the organisers' repository ``sbelharbi/ah3rd-challenge-abaw11``. Their validator compares the
first character of names only; ours compares names.
"""

from __future__ import annotations

from harness.files.format import CLIP_FILE, FRAME_FROM_ZERO, Column, Format

_LABEL = Column("label", 0, 1, whole=True)

AH_FRAMES = Format("AH-frames", "AH", (8,), "", (_LABEL,), row=FRAME_FROM_ZERO)
AH_LABELS = Format("AH-labels", "AHV", (10, 11), "", (_LABEL,), row=CLIP_FILE)
AH_TRIALS = Format(
    "AH-trials",
    "AHV",
    (10, 11),
    "",
    (Column("p0", 0, 1), Column("p1", 0, 1), _LABEL),
    row=CLIP_FILE,
    sums_to_one=True,
)
