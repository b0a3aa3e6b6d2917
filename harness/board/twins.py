"""Runs whose files are the same to the last byte: one row of a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from harness.board.entries import objects

ReadContents = Callable[[Sequence[str]], Mapping[str, str]]
"""Gives a hash of all files of runs by id, such as :meth:`harness.store.store.Store.contents`."""


def joined_twins(entries: pd.DataFrame, read_contents: ReadContents) -> pd.DataFrame:
    """Return entries with runs of the same bytes as one: the first that was made, the others in ``same_files``.

    Means over seeds stay as they are. ``members`` of a row name all its runs, so that a search for any of them, and the
    way of any of them to a submission, lead to the row.

    Args:
        entries: entries of runs.
        read_contents: asked for those runs alone whose scores another one has, too.
    """
    single = entries[entries["seeds"].eq(1) & entries["standing"].ne("not whole")] if len(entries) else entries
    # the same bytes have the same scores: as a rule hardly any run is left whose files must be looked at
    alike = single[single.duplicated(["score", "low", "high", "tuned", "standing"], keep=False)]
    if alike.empty:
        return entries
    # a run that was trained on what it answers stays apart from one that was not
    content = alike["run_id"].map(dict(read_contents([str(run_id) for run_id in alike["run_id"]]))).dropna()
    alike = alike.loc[content.index].assign(content=content).sort_values(["created", "run_id"])
    same_row = ["content", "standing"]
    alike = alike[alike.duplicated(same_row, keep=False)]
    if alike.empty:
        return entries
    first = alike.drop_duplicates(same_row)
    dropped = alike.index.difference(first.index)
    names, members = dict.fromkeys(entries.index), dict(entries["members"])
    for _, same in alike.groupby(same_row, sort=False, dropna=False):
        rest = same.iloc[1:]
        names[same.index[0]] = ", ".join(map(_name, rest["name"], rest["seed"]))
        members[same.index[0]] = tuple(run_id for ids in same["members"] for run_id in ids)
    listed = entries.assign(
        same_files=objects(names.values(), entries.index), members=objects(members.values(), entries.index)
    )
    return listed.drop(index=dropped)


def _name(solution: str, seed: float | None) -> str:
    """Return ``expr/landmarks-mlp@0``, a name that every command takes."""
    return solution if pd.isna(seed) else f"{solution}@{int(seed)}"
