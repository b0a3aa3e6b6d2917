"""The slot ledger as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from harness.board.slots import SlotCount
from harness.records.run import splits_in
from harness.tables.table import Column, Row, Table, records

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    Column("number", "No.", "whole"),
    Column("task", "Task"),
    Column("edition", "Edition", "whole"),
    Column("slot", "Slot", spare=2),
    Column("time", "Sent (UTC)", spare=3),
    Column("name", "Solution", spare=4),
    Column("seed", "Seed", "whole", spare=8),
    Column("trained_on", "Trained on", spare=4),
    Column("val", "Val", "number", spare=5),
    Column("interval", "95 % interval", "interval", spare=6),
    Column("test", "Test", "number", digits=4),
    Column("shift", "Test − val", "signed", spare=7),
    Column("beside", "Beside the interval", spare=9),
    Column("earlier", "Noted before", spare=10),
    Column("note", "Note", spare=1),
    Column("problems", "Sent despite", spare=11),
    Column("file", "File"),
    Column("run_id", "Run", data_only=True, spare=12),
    Column("val_run_id", "Run on validation", data_only=True),
    Column("sha256", "SHA-256", data_only=True, spare=13),
)
_ALWAYS = ("number", "task", "edition", "slot", "time", "test")
_LEFT = (
    Column("task", "Task"),
    Column("edition", "Edition", "whole"),
    Column("sent", "Sent", "whole"),
    Column("left", "Left", "whole"),
    Column("slots", "Slots", "whole"),
    Column("best", "Best that came back", "number"),
)
_VAL_NOTE = "Val: the same solution, recipe and seed on validation, cross-fitted; Test: the score that came back."
_ALONE_NOTE = "Of heads trained on train+val, Val is the score of the same solution with heads trained on train alone."


def sent_table(entries: pd.DataFrame | Sequence[Row]) -> Table:
    """Return submissions, newest first; of :func:`harness.board.slots.sent_entries`, or of ``sent_rows``.

    The best test score is set in bold where all are of one task and edition: others are no competition.
    """
    content = entries if isinstance(entries, Sequence) else records(entries)
    rows = [{**row, "interval": (row["low"], row["high"])} for row in content]
    seen_val = any("val" in splits_in(str(row["trained_on"])) for row in rows)
    shows_val = any(_filled(row["val"]) for row in rows)
    notes = (_VAL_NOTE, *([_ALONE_NOTE] if seen_val else [])) if shows_val else ()
    alone = len({(row["task"], row["edition"]) for row in rows}) == 1
    columns = [
        replace(column, best=True) if column.key == "test" and alone else column
        for column in _COLUMNS
        if column.key in _ALWAYS
        or (seen_val if column.key == "trained_on" else any(map(_filled, (row[column.key] for row in rows))))
    ]
    return Table(
        "Submissions",
        tuple(columns),
        tuple(rows),
        notes=notes,
    )


def _filled(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_filled, value))
    return value is not None and value != "" and value == value  # NaN is not equal to itself


def left_table(counts: Sequence[SlotCount]) -> Table:
    """Slots used and left, by task and edition."""
    return Table("Submission slots", _LEFT, tuple({**asdict(count), "left": count.left} for count in counts))
