"""The board as a table: the terminal, the page, the bundle and ``abaw export`` all show this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from harness.board.board import Board
from harness.board.entries import RUN, View, objects, unit_of
from harness.board.rank_intervals import leader
from harness.metrics.titles import score_title
from harness.records.run import TRAIN, splits_in
from harness.store.run_names import short_id
from harness.system.counts import counted
from harness.tables.table import Column, Table, records

NAME_TITLES = {True: "Solution, or team and system", False: "Solution"}
"""Title of the column of names, by the presence of published results."""


def board_table(entries: pd.DataFrame, view: View, notes: Sequence[str] = ()) -> Table:
    """Return the table of entries in their order, with the columns that any of them fills.

    Args:
        entries: all or some entries of a :class:`harness.board.board.Board`.
        view: subject of the board.
        notes: the board's notes on parts that are left out; they are empty if its labels have a single version.
    """
    published = bool((entries["kind"] != RUN).any())
    cells = _cells(entries, view)
    if not published:
        cells = cells.drop(columns="kind")
    if not entries["sd"].notna().any():
        cells = cells.drop(columns="seeds")
    filled = {str(key) for key, has_values in cells.notna().any().items() if has_values} | {"rank", "score"}
    shown = _columns(view, published=published, unit=unit_of(entries))
    columns = tuple(column for column in shown if column.key in filled)
    named = f", labels {view.labels}" if notes and view.labels else ""
    return Table(
        title=f"{view.task.name} {view.split}: {view.task.title}, {view.data_name}{named}",
        columns=columns,
        rows=records(cells[[column.key for column in columns]]),
        tied=frozenset(k for k, tied in enumerate(entries["tied"].eq(True)) if tied),
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
    if len(board.entries):
        table = board_table(board.entries, view, board.notes)
        table = with_names(table, board.entries) if named else table
        size = f" ({board.ranking.size})" if board.ranking else ""
        best = [sentence] if (sentence := leader(board.entries)) else []
        tables.append(replace(table, title=table.title + size, notes=(*best, *elsewhere, *table.notes)))
    if view.verified and len(board.reference):
        table = board_table(board.reference, view)
        tables.append(replace(table, title=f"{table.title}, published results", notes=(board.apart, *table.notes)))
    return tables


def with_names(table: Table, entries: pd.DataFrame) -> Table:
    """Return a board's table with two columns behind the name: the short id of each run, and its date.

    Args:
        table: of :func:`board_table`.
        entries: that it was made of.
    """
    of_rows = zip(table.rows, entries["run_id"], entries["members"], entries["created"], strict=True)
    rows = tuple(
        {**row, "short_id": _short_ids(first, members), "day": _day(at)} for row, first, members, at in of_rows
    )
    if not any(row["short_id"] for row in rows):
        return table
    names = (Column("short_id", "Run"), Column("day", "Made"))
    at = next(k for k, column in enumerate(table.columns) if column.key == "name") + 1
    changes: dict[str, dict[str, Any]] = {"run_id": {"title": "Run, whole id"}, "rank_interval": {"spare": 2}}
    ordered = tuple(replace(column, **changes.get(column.key, {})) for column in table.columns)
    return replace(table, columns=(*ordered[:at], *names, *ordered[at:]), rows=rows)


def _short_ids(run_id: object, members: object) -> str | None:
    """Return the short id of an entry's run, and how many more runs it stands for."""
    if not isinstance(run_id, str):
        return None
    more = len(members) - 1 if isinstance(members, tuple) else 0
    return short_id(run_id) + (f" +{more}" if more else "")


def _day(created: object) -> str | None:
    return None if pd.isna(created) else f"{pd.Timestamp(created):%Y-%m-%d}"  # type: ignore[call-overload,arg-type]


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


def _cells(entries: pd.DataFrame, view: View) -> pd.DataFrame:
    """Entries with what a table has in other words: pairs, texts, a column a class."""
    index, ends = entries.index, zip(entries["low"], entries["high"], strict=True)
    classes = {
        target: objects((values[k] if isinstance(values, list) else None for values in entries["classes"]), index)
        for k, target in enumerate(view.task.targets)
    }
    return entries.assign(
        interval=objects((None if pd.isna(low) else (low, high) for low, high in ends), index),
        rank_interval=objects(map(_rank_interval, entries["rank_low"], entries["rank_high"]), index),
        spread=objects(map(_spread, entries["seed"], entries["seeds"], entries["sd"]), index),
        created=pd.to_datetime(entries["created"]).dt.strftime("%Y-%m-%d %H:%M:%S"),
        seeds=entries["seeds"].where(entries["kind"] == RUN),
        stride=objects((None if pd.isna(stride) else int(stride) for stride in entries["stride"]), index),
        **classes,
    )


def _rank_interval(low: float | None, high: float | None) -> str | None:
    """Return ``2 to 5``, or ``3`` for equal ends, or ``None`` for unknown ends."""
    return None if pd.isna(low) else f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


def _spread(seed: float | None, seeds: float, sd: float | None) -> str | None:
    """Return ``5 seeds ± 0.012``, ``seed 3`` of a single run, ``None`` for an unknown seed."""
    if pd.notna(sd):
        return f"{seeds:.0f} seeds ± {sd:.3f}"
    return None if pd.isna(seed) else f"seed {seed:.0f}"


def _notes(entries: pd.DataFrame, *, published: bool) -> tuple[str, ...]:
    """Return the notes that explain the table to a reader who sees it alone."""
    notes = []
    if entries["low"].notna().any():
        drawn = "whole videos" if unit_of(entries) == "video" else "persons, all videos of a person at once"
        notes.append(f"95 %: bootstrap over {drawn}, 10,000 replicates; of several seeds, of their mean.")
    if entries["tuned"].notna().any():
        notes.append(
            "The score of a run is cross-fitted: what was chosen on labels was chosen on other videos. Tuned on val: "
            "chosen and reported on the same videos, as papers do; optimism: how much that adds."
        )
    runs = entries[entries["kind"] == RUN]
    if any({TRAIN, "val"} <= splits_in(str(text)) for text in runs["trained_on"].unique()):
        notes.append(
            "Heads trained on train+val have no validation score: that of the same solution, with heads trained on "
            "train alone, stands among the runs on val."
        )
    if entries["same_files"].notna().any():
        notes.append("Same bytes: these runs wrote the very same files as the run of the row.")
    if entries["stride"].notna().any():
        notes.append("Stride: one frame of so many was encoded, the scores of the others are filled in between.")
    if entries["tied"].eq(True).any() and published:
        notes.append("The mark is of runs, against the best run; published results can't be compared in pairs.")
    return tuple(notes)
