"""The board as a table to take along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.board.entries import RUN, View, objects, unit_of
from harness.metrics.titles import score_title
from harness.tables.table import Column, Table

NAME_TITLES = {True: "Solution, or team and system", False: "Solution"}
"""What stands above the names, with published results among them or without."""


def board_table(entries: pd.DataFrame, view: View, notes: Sequence[str] = ()) -> Table:
    """Entries in their order, in the columns that they have something to say in.

    Args:
        entries: of a :class:`harness.board.board.Board`, filtered or not.
        notes: of the same board, on what is left out; without any, the board's data set has one version of its labels.
    """
    published = bool((entries["kind"] != RUN).any())
    cells = _cells(entries, view)
    if not published:
        cells = cells.drop(columns="kind")
    if not entries["sd"].notna().any():
        cells = cells.drop(columns="seeds")
    told = {str(key) for key, filled in cells.notna().any().items() if filled} | {"rank", "score"}
    shown = _columns(view, published=published, unit=unit_of(entries))
    columns = tuple(column for column in shown if column.key in told)
    named = f", labels {view.labels}" if notes and view.labels else ""
    return Table(
        title=f"{view.task.name} {view.split}: {view.task.title}, {view.data_name}{named}",
        columns=columns,
        rows=tuple(_rows(cells[[column.key for column in columns]])),
        tied=frozenset(k for k, tied in enumerate(entries["tied"].eq(True)) if tied),
        notes=(*notes, *_notes(entries, published=published)),
    )


def _rows(cells: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in cells.to_dict("records")]


def _columns(view: View, *, published: bool, unit: str) -> tuple[Column, ...]:
    return (
        Column("rank", "Rank", "whole"),
        Column("name", NAME_TITLES[published]),
        Column("kind", "Kind"),
        Column("edition", "Edition", "whole"),
        Column("seed", "Seed", "whole"),
        Column("seeds", "Seeds", "whole"),
        Column("score", score_title(view.task.metric), "number", best=True),
        Column("interval", f"95 % by {unit}", "interval"),
        Column("sd", "SD over seeds", "number"),
        Column("tuned", "Tuned on val", "number"),
        Column("optimism", "Optimism", "signed"),
        Column("standing", "Beside the best run"),
        Column("places", "Places, 95 %"),
        Column("constant", "Constant", "number"),
        Column("trained_on", "Trained on"),
        Column("evidence", "Evidence"),
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
        Column("notes", "Notes", data_only=True),
        Column("run_id", "Run", data_only=True),
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
        places=places_texts(entries),
        created=pd.to_datetime(entries["created"]).dt.strftime("%Y-%m-%d %H:%M:%S"),
        seeds=entries["seeds"].where(entries["kind"] == RUN),
        **classes,
    )


def places_texts(entries: pd.DataFrame) -> pd.Series[Any]:
    """``2 to 5``, ``3`` where there is but one, ``None`` where they are not known."""
    ends = zip(entries["place_low"], entries["place_high"], strict=True)
    texts = (
        None if pd.isna(low) else f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}" for low, high in ends
    )
    return objects(texts, entries.index)


def _notes(entries: pd.DataFrame, *, published: bool) -> tuple[str, ...]:
    """What a reader of the table alone must know."""
    notes = []
    if entries["low"].notna().any():
        drawn = "whole videos" if unit_of(entries) == "video" else "persons, all videos of a person at once"
        notes.append(f"95 %: bootstrap over {drawn}, 10,000 draws; of several seeds, of their mean.")
    if entries["tuned"].notna().any():
        notes.append(
            "The score of a run is cross-fitted: what was chosen on labels was chosen on other videos. Tuned on val: "
            "chosen and reported on the same videos, as papers do; optimism: how much that adds."
        )
    if entries["tied"].eq(True).any() and published:
        notes.append("The mark is of runs, against the best run; published results can't be compared in pairs.")
    return tuple(notes)
