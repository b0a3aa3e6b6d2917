"""Curves of a run: its score against a constant of its post-processing. Data of the run, beside ``run.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from harness.records.document import Document, Number

SWEEP_FILE = "sweep.json"


@dataclass(frozen=True)
class SweepPoint:
    """The official score on validation at one value of one constant, the others as chosen on all of validation.

    Attributes:
        axis: ``half_width`` in frames, ``filter_threshold``, ``threshold`` of the second of two classes, or ``weight``
            of the first stream.
        low, high: 95 % interval by video; ``None`` where there are fewer than two.
    """

    axis: str
    value: Number
    metric: str
    score: Number
    low: Number | None = None
    high: Number | None = None


class Curves(msgspec.Struct):
    """Content of ``sweep.json``."""

    points: list[SweepPoint]
    format: int = 1


CURVES: Document[Curves] = Document(Curves, "curves that can't be read", "Make it again with: abaw sweep, or remove it")


def write_sweep(folder: Path, points: Sequence[SweepPoint]) -> None:
    """Write a run's curves, atomically; those that were there are replaced."""
    CURVES.write(folder / SWEEP_FILE, {"format": 1, "points": [asdict(point) for point in points]})


def read_sweep(folder: Path) -> list[SweepPoint]:
    """Return the curves of a run; an empty list where none were made.

    Raises:
        DataError: the file can't be read.
    """
    curves = CURVES.find(folder / SWEEP_FILE)
    return curves.points if curves else []
