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
    """The official score on val at one value of one constant; the other constants are those chosen on all of val.

    Attributes:
        axis: ``half_width`` in frames, ``filter_threshold``, ``threshold`` of the second of two classes, or ``weight``
            of the first stream.
        value: value of the constant.
        metric: name of the official metric.
        score: the score.
        low: lower end of the 95 % interval over videos; ``None`` for fewer than two videos.
        high: upper end of the interval; ``None`` where ``low`` is ``None``.
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


CURVES: Document[Curves] = Document(Curves, "the curves can't be read", "Make it again with: abaw sweep, or remove it")


def write_sweep(folder: Path, points: Sequence[SweepPoint]) -> None:
    """Write a run's curves atomically, in place of earlier ones."""
    CURVES.write(folder / SWEEP_FILE, {"format": 1, "points": [asdict(point) for point in points]})


def read_sweep(folder: Path) -> list[SweepPoint]:
    """Return the curves of a run; an empty list for a run without curves.

    Raises:
        DataError: the file can't be read.
    """
    curves = CURVES.find(folder / SWEEP_FILE)
    return curves.points if curves else []
