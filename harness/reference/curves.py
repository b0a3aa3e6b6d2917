"""Printed points of scores against one constant: of abaw8's figures 2 to 5, and of abaw10's notebook."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from harness.reference.papers import PaperRow


@dataclass(frozen=True)
class PrintedPoint:
    """A score at one value of one constant.

    Attributes:
        figure: number of the paper's figure that shows the same dependence; 0 where the paper has no such figure.
        row: the row of the paper's table that the curve passes through.
        evidence: ``text`` or ``table`` of the paper, or the authors' public ``notebook``.
        held: what the other constants were.
        axis: as in :class:`harness.records.curves.SweepPoint`.
        source: where it stands.
    """

    figure: int
    row: PaperRow
    evidence: str
    held: str
    axis: str
    value: float
    metric: str
    score: float
    source: str


@functools.cache
def printed_points() -> tuple[PrintedPoint, ...]:
    """Every point, by figure."""
    text = (resources.files("harness") / "reference" / "paper_curves.csv").read_text(encoding="utf-8")
    return tuple(
        PrintedPoint(
            figure=int(line["figure"] or 0),
            row=PaperRow(line["paper"], line["table"], line["row_id"]),
            value=float(line["value"]),
            score=float(line["score"]),
            **{key: line[key] for key in ("evidence", "held", "axis", "metric", "source")},
        )
        for line in csv.DictReader(text.splitlines())
    )
