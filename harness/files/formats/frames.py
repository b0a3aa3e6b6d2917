"""Formats of one table with a row per frame: EXPR, VA, AU from the 5th edition on, compound expressions, MTL.

Headers have more names than a row has values (EXPR: 9 names, 2 fields; MTL: 5 names, 16 fields), so pandas
misreads them in silence. First rows and counts of the organisers' templates: printed in the public
notebooks of the HSEmotion team (EmotiEffLib, ABAW 3 to 8).
"""

from __future__ import annotations

from harness import tasks
from harness.files.format import Column, Format
from harness.tasks import Task

SINCE_5 = tuple(range(5, 12))


def columns_of(task: Task) -> tuple[Column, ...]:
    """Return the columns for the official values of a frame."""
    if task.kind == "classes":
        return (Column("class", 0, task.n_outputs - 1, whole=True),)
    if task.kind == "binaries":
        return tuple(Column(name, 0, 1, whole=True) for name in task.targets)
    return tuple(Column(name, task.low, task.high) for name in task.targets)


EXPR = Format("EXPR", "EXPR", SINCE_5, tasks.EXPR.submission_header, columns_of(tasks.EXPR))
VA = Format("VA", "VA", SINCE_5, tasks.VA.submission_header, columns_of(tasks.VA))
AU = Format("AU", "AU", SINCE_5, tasks.AU.submission_header, columns_of(tasks.AU))
CE = Format("CE", "CE", (6, 7, 8), tasks.CE.submission_header, columns_of(tasks.CE))
MTL = Format(
    "MTL",
    "MTL",
    (3, 4, 7, 11),
    "image,valence,arousal,expression,aus",
    (*columns_of(tasks.VA), Column("expression", 0, 7, whole=True), *columns_of(tasks.AU)),
    sparse=True,
)
