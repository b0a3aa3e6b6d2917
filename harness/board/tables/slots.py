"""The slot ledger as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from harness.board.slots import SlotCount
from harness.tables.table import Column, Table

_COLUMNS = (
    Column("number", "No.", "whole"),
    Column("task", "Task"),
    Column("edition", "Edition", "whole"),
    Column("slot", "Slot"),
    Column("time", "Sent (UTC)"),
    Column("name", "Solution"),
    Column("seed", "Seed", "whole"),
    Column("val", "Val", "number"),
    Column("interval", "95 % interval", "interval"),
    Column("test", "Test", "number"),
    Column("shift", "Test − val", "signed"),
    Column("beside", "Beside the interval"),
    Column("earlier", "Noted before"),
    Column("note", "Note"),
    Column("problems", "Sent despite"),
    Column("run_id", "Run", data_only=True),
    Column("val_run_id", "Run on validation", data_only=True),
    Column("file", "File", data_only=True),
    Column("sha256", "SHA-256", data_only=True),
)
_ALWAYS = ("number", "task", "edition", "slot", "time", "name", "val", "interval", "test", "shift")
_LEFT = (
    Column("task", "Task"),
    Column("edition", "Edition", "whole"),
    Column("sent", "Sent", "whole"),
    Column("left", "Left", "whole"),
    Column("best", "Best that came back", "number"),
)
_VAL_NOTE = "Val: the same solution, recipe and seed on validation, cross-fitted; Test: the score that came back."


def sent_table(entries: pd.DataFrame) -> Table:
    """Submissions, newest first; of :func:`harness.board.slots.sent_entries`.

    The best test score is set in bold where all are of one task and edition: others are no competition.
    """
    rows: list[dict[str, Any]] = [{str(key): value for key, value in row.items()} for row in entries.to_dict("records")]
    alone = len({(row["task"], row["edition"]) for row in rows}) == 1
    for row in rows:
        row["interval"] = (row["low"], row["high"])
    columns = [
        Column("test", "Test", "number", best=True) if column.key == "test" and alone else column
        for column in _COLUMNS
        if column.key in _ALWAYS or any(_said(row[column.key]) for row in rows)
    ]
    return Table("Submissions", tuple(columns), tuple(rows), notes=(_VAL_NOTE,) if rows else ())


def _said(value: object) -> bool:
    return value is not None and value != "" and value == value  # NaN is not equal to itself


def left_table(counts: Sequence[SlotCount]) -> Table:
    """Slots used and left, by task and edition."""
    return Table("Submission slots", _LEFT, tuple({**asdict(count), "left": count.left} for count in counts))
