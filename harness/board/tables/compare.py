"""The Compare page's tables: scores side by side, the videos that matter, the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.board.differences import Beyond, Setting, mover_rows, score_rows
from harness.metrics.compare import Comparison
from harness.tables.table import Column, Table

_A_MINUS_B = Column("difference", "A - B", "signed")


def scores_table(comparison: Comparison) -> Table:
    """A row a score of both runs, with the paired difference."""
    rows = score_rows(comparison)
    intervals = zip(rows["low"], rows["high"], strict=True)
    p = comparison.p_value
    notes = [
        f"{comparison.verdict}.",
        f"{comparison.unit.capitalize()}s drawn {comparison.replicates:,} times, the same ones for both; "
        f"{comparison.sizes}, "
        f"{comparison.n_frames:,} {comparison.task.labels_noun}."
        + ("" if p is None else f" Official score: p = {p:.4f}."),
    ]
    return Table(
        title=f"A: {comparison.a}; B: {comparison.b}; {comparison.task.name}, {comparison.split}",
        columns=(
            Column("score", "score"),
            Column("a", "A", "number"),
            Column("b", "B", "number"),
            _A_MINUS_B,
            Column("interval", f"95 % by {comparison.unit}", "interval"),
        ),
        rows=tuple(
            {**row, "interval": None if pd.isna(ends[0]) else ends}
            for row, ends in zip(_records(rows), intervals, strict=True)
        ),
        notes=tuple(notes),
    )


def videos_table(comparison: Comparison) -> Table:
    """A row a video, what moves the difference most first."""
    return Table(
        title=f"Videos, A: {comparison.a}; B: {comparison.b}",
        columns=(
            Column("video", "video"),
            Column("frames", "frames", "whole"),
            Column("a", "A alone", "number"),
            Column("b", "B alone", "number"),
            Column("moves", "moves A - B by", "signed", digits=4),
        ),
        rows=tuple(_records(mover_rows(comparison))),
    )


def settings_table(a: str, b: str, settings: Sequence[Setting]) -> Table:
    """A row a setting that differs.

    Args:
        a, b: ids of the runs.
    """
    columns = (Column("kind", "of"), Column("name", "setting"), Column("a", "A"), Column("b", "B"))
    rows = ({"kind": s.kind, "name": s.name, "a": s.a, "b": s.b} for s in settings)
    return Table(f"What differs, A: {a}; B: {b}", columns, tuple(rows))


def beyond_table(a: str, b: str, found: Beyond) -> Table:
    """Scores of a run beside a published number's: no interval.

    Args:
        a, b: what both are called.
    """
    columns = (Column("score", "score"), Column("a", "A", "number"), Column("b", "B", "number"), _A_MINUS_B)
    notes = ("A published number comes without its predictions, so there is no interval.",)
    objection = (found.objection,) if found.objection else ()
    return Table(f"A: {a}; B: {b}", columns, tuple(_records(found.rows)), notes=(*objection, *notes))


def _records(rows: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
