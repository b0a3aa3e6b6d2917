"""Curves of a run: its score against a constant of its post-processing. Data of the run, beside ``run.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import DataError, problem
from harness.system.atomic import write_text
from harness.system.regular import read_text

SWEEP_FILE = "sweep.json"
FORMAT = 1


@dataclass(frozen=True)
class SweepPoint:
    """The official score on validation at one value of one constant, the others as chosen on all of validation.

    Attributes:
        axis: ``half_width`` in frames, ``filter_threshold``, ``threshold`` of the second of two classes, or ``weight``
            of the first stream.
        low, high: 95 % interval by video; ``None`` where there are fewer than two.
    """

    axis: str
    value: float
    metric: str
    score: float
    low: float | None = None
    high: float | None = None


def write_sweep(folder: Path, points: Sequence[SweepPoint]) -> None:
    """Write a run's curves, atomically; those that were there are replaced."""
    content = {"format": FORMAT, "points": [asdict(point) for point in points]}
    write_text(folder / SWEEP_FILE, json.dumps(content, indent=2) + "\n")


def read_sweep(folder: Path) -> list[SweepPoint]:
    """A run's curves; empty where none were made.

    Raises:
        DataError: the file can't be read.
    """
    path = folder / SWEEP_FILE
    try:
        content = json.loads(read_text(path))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return [SweepPoint(**point) for point in content["points"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        do = "Make it again with: abaw sweep, or remove it"
        raise DataError(problem("curves that can't be read", where=path, found=error, do=do)) from None
