"""Printed points of scores against one constant, from abaw8's figures 2 to 5 and abaw10's notebook."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from harness.reference.papers import PaperRow


@dataclass(frozen=True)
class PrintedPoint:
    """Score at one value of one constant, as printed.

    Attributes:
        figure: number of the paper's figure of this dependence; 0 if the paper has no such figure.
        row: the row of the paper's table that the curve passes through.
        evidence: ``text`` or ``table`` of the paper, or the authors' public ``notebook``.
        held: values of the other constants, in words.
        axis: name of the constant, see :class:`harness.records.curves.SweepPoint`.
        value: value of the constant.
        metric: metric of the score.
        score: the score.
        source: place of the number in the source.
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
    """Return all points, in the order of the figures."""
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
