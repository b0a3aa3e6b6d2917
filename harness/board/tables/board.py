"""The board as a table: the terminal, the page, the bundle and ``abaw export`` all show this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.board.board import Board
from harness.board.entries import Entries, Entry, View, unit_of
from harness.board.rank_intervals import leader
from harness.metrics.titles import score_title
from harness.records.run import TRAIN, splits_in
from harness.store.run_names import short_id
from harness.system.counts import counted
from harness.tables.table import Column, Table
from harness.tasks import Task

NAME_TITLES = {True: "Solution, or team and system", False: "Solution"}
"""Title of the column of names, by the presence of published results."""


def board_table(entries: Entries, view: View, notes: Sequence[str] = ()) -> Table:
    """Return the table of entries in their order, with the columns that any of them fills.

    Args:
        entries: all or some entries of a :class:`harness.board.board.Board`.
        view: subject of the board.
        notes: the board's notes on parts that are left out; they are empty if its labels have a single version.
    """
    published = any(not entry.is_run for entry in entries)
    rows = [_cells(entry, view.task) for entry in entries]
    filled = {key for row in rows for key, value in row.items() if value is not None} | {"rank", "score"}
    if not published:
        filled.discard("kind")
    if "sd" not in filled:
        filled.discard("seeds")
    shown = _columns(view, published=published, unit=unit_of(entry.persons for entry in entries))
    columns = tuple(column for column in shown if column.key in filled)
    named = f", labels {view.labels}" if notes and view.labels else ""
    return Table(
        title=f"{view.task.name} {view.split}: {view.task.title}, {view.data_name}{named}",
        columns=columns,
        rows=tuple({column.key: row[column.key] for column in columns} for row in rows),
        tied=frozenset(k for k, entry in enumerate(entries) if entry.tied),
        notes=(*notes, *_notes(entries, published=published)),
    )


def tables_of(board: Board, *, named: bool = False) -> list[Table]:
    """Return a board's table with its notes, and another table for published results that stand apart.

    Args:
        board: board of a store.
        named: add columns with the runs' short ids and dates, before all dispensable columns.
    """
    view, labels = board.view, board.ranking.labels if board.ranking else ""
    elsewhere = [
        f"{counted(number, 'run')} on the same labels {labels}: under the data set {name}."
        for name, number in board.elsewhere.items()
    ]
    tables = []
    if board.entries:
        table = board_table(board.entries, view, board.notes)
        table = with_names(table, board.entries) if named else table
        size = f" ({board.ranking.size})" if board.ranking else ""
        best = [sentence] if (sentence := leader(board.entries)) else []
        tables.append(replace(table, title=table.title + size, notes=(*best, *elsewhere, *table.notes)))
    if view.verified and board.reference:
        table = board_table(board.reference, view)
        tables.append(replace(table, title=f"{table.title}, published results", notes=(board.apart, *table.notes)))
    return tables


def with_names(table: Table, entries: Entries) -> Table:
    """Return a board's table with two columns behind the name: the short id of each run, and its date.

    Args:
        table: of :func:`board_table`.
        entries: that it was made of.
    """
    rows = tuple(
        {**row, "short_id": _short_ids(entry), "day": entry.created and f"{entry.created:%Y-%m-%d}"}
        for row, entry in zip(table.rows, entries, strict=True)
    )
    if not any(row["short_id"] for row in rows):
        return table
    names = (Column("short_id", "Run"), Column("day", "Made"))
    at = next(k for k, column in enumerate(table.columns) if column.key == "name") + 1
    changes: dict[str, dict[str, Any]] = {"run_id": {"title": "Run, whole id"}, "rank_interval": {"spare": 2}}
    ordered = tuple(replace(column, **changes.get(column.key, {})) for column in table.columns)
    return replace(table, columns=(*ordered[:at], *names, *ordered[at:]), rows=rows)


def _short_ids(entry: Entry) -> str | None:
    """Return the short id of an entry's run, and how many more runs it stands for."""
    if entry.run_id is None:
        return None
    more = len(entry.members or ()) - 1
    return short_id(entry.run_id) + (f" +{more}" if more > 0 else "")


def _columns(view: View, *, published: bool, unit: str) -> tuple[Column, ...]:
    return (
        Column("rank", "Rank", "whole"),
        Column("name", NAME_TITLES[published]),
        Column("kind", "Kind", spare=2),
        Column("edition", "Edition", "whole", spare=8),
        Column("stride", "Stride", "whole"),
        Column("spread", "Seeds", spare=1),
        Column("score", score_title(view.task.metric), "number", best=True),
        Column("interval", f"95 % by {unit}", "interval"),
        Column("tuned", "Tuned on val", "number", spare=3),
        Column("optimism", "Optimism", "signed", spare=6),
        Column("standing", "Beside the best run", spare=5),
        Column("rank_interval", "Rank, 95 %"),
        Column("test_file", "Test file", spare=1),
        Column("same_files", "Same bytes", spare=4),
        Column("constant", "Constant", "number", spare=4),
        Column("trained_on", "Trained on", spare=7),
        Column("evidence", "Evidence", spare=9),
        Column("seed", "Seed", "whole", data_only=True),
        Column("seeds", "Number of seeds", "whole", data_only=True),
        Column("sd", "SD over seeds", "number", data_only=True),
        *(Column(target, target, "number", data_only=True) for target in view.task.targets),
        Column("constant_name", "Which constant", data_only=True),
        Column("p_value", "p against the best run", "number", digits=4, data_only=True),
        Column("encoder", "Encoder", data_only=True),
        Column("head", "Head", data_only=True),
        Column("postprocess", "Post-processing", data_only=True),
        Column("team", "Team", data_only=True),
        Column("official_rank", "Official rank", "whole", data_only=True),
        Column("source", "Source", data_only=True),
        Column("frames_per_second", "Frames/s", "number", digits=1, data_only=True),
        Column("created", "Made (UTC)", data_only=True),
        Column("tags", "Tags", data_only=True, spare=4),
        Column("notes", "Notes", data_only=True),
        Column("run_id", "Run", data_only=True, spare=3),
        Column("data_fingerprint", "Labels, hash", data_only=True),
    )


_AS_THEY_ARE = (
    "rank", "name", "kind", "edition", "stride", "score", "tuned", "optimism", "standing", "test_file", "same_files",
    "constant", "trained_on", "evidence", "seed", "sd", "constant_name", "p_value", "encoder", "head", "postprocess",
    "team", "official_rank", "source", "frames_per_second", "tags", "notes", "run_id", "data_fingerprint",
)  # fmt: skip


def _cells(entry: Entry, task: Task) -> dict[str, Any]:
    """Return what a table shows of an entry, some of it in other words: pairs, texts, one column per class."""
    classes: Sequence[float | None] = entry.classes or [None] * len(task.targets)
    return {
        **{key: getattr(entry, key) for key in _AS_THEY_ARE},
        "interval": None if entry.low is None else (entry.low, entry.high),
        "rank_interval": _rank_interval(entry),
        "spread": _spread(entry),
        "created": entry.created and f"{entry.created:%Y-%m-%d %H:%M:%S}",
        "seeds": entry.seeds if entry.is_run else None,
        **dict(zip(task.targets, classes, strict=True)),
    }


def _rank_interval(entry: Entry) -> str | None:
    """Return ``2 to 5``, or ``3`` for equal ends, or ``None`` for unknown ends."""
    low, high = entry.rank_low, entry.rank_high
    return None if low is None else f"{low}" if low == high else f"{low} to {high}"


def _spread(entry: Entry) -> str | None:
    """Return ``5 seeds ± 0.012``, ``seed 3`` of a single run, ``None`` for an unknown seed."""
    if entry.sd is not None:
        return f"{entry.seeds} seeds ± {entry.sd:.3f}"
    return None if entry.seed is None else f"seed {entry.seed}"


def _notes(entries: Entries, *, published: bool) -> tuple[str, ...]:
    """Return the notes that explain the table to a reader who sees it alone."""
    notes = []
    if any(entry.low is not None for entry in entries):
        drawn = (
            "whole videos"
            if unit_of(entry.persons for entry in entries) == "video"
            else "persons, all videos of a person at once"
        )
        notes.append(f"95 %: bootstrap over {drawn}, 10,000 replicates; of several seeds, of their mean.")
    if any(entry.tuned is not None for entry in entries):
        notes.append(
            "The score of a run is cross-fitted: what was chosen on labels was chosen on other videos. Tuned on val: "
            "chosen and reported on the same videos, as papers do; optimism: how much that adds."
        )
    trained_on = {entry.trained_on or "" for entry in entries if entry.is_run}
    if any({TRAIN, "val"} <= splits_in(text) for text in trained_on):
        notes.append(
            "Heads trained on train+val have no validation score: that of the same solution, with heads trained on "
            "train alone, stands among the runs on val."
        )
    if any(entry.same_files for entry in entries):
        notes.append("Same bytes: these runs wrote the very same files as the run of the row.")
    if any(entry.stride is not None for entry in entries):
        notes.append("Stride: one frame of so many was encoded, the scores of the others are filled in between.")
    if any(entry.tied for entry in entries) and published:
        notes.append("The mark is of runs, against the best run; published results can't be compared in pairs.")
    return tuple(notes)
