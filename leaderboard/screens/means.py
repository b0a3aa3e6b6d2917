"""Means over the seeds of a solution on the page Compare, which the board shows, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from harness.board.entries import Entry
from harness.board.run import seeds_of
from harness.errors import DataError
from harness.metrics.compare import ScoredRun
from leaderboard import words
from leaderboard.screens.reading import Contents, read_record

MEANS = "means"
"""Part of an address that asks for means: ``true``."""


def asks_for_means(entries: Iterable[Entry]) -> str | None:
    """Return the value of :data:`MEANS` in a link that compares entries of the board; ``None`` for single runs."""
    return "true" if any((entry.seeds or 1) > 1 for entry in entries) else None


def choose_means(contents: Contents, run_ids: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Offer to compare means over seeds, if any of the runs has other seeds.

    Args:
        contents: contents of the store.
        run_ids: ids of the runs to compare.

    Returns:
        For each run the ids of the runs whose mean is compared; its own id alone if the reader wants no means.
    """
    of_runs = {run_id: seeds_of(contents.runs, run_id) for run_id in run_ids}
    several = any(len(seeds) > 1 for seeds in of_runs.values())
    if several and st.toggle("Means over seeds", key=MEANS, bind="query-params", help=words.MEANS):
        return of_runs
    return {run_id: (run_id,) for run_id in of_runs}


def read_scored(contents: Contents, run_ids: Iterable[str]) -> list[ScoredRun]:
    """Return runs with their statistics.

    Raises:
        DataError: a run is missing from the store.
        StoreError: the store can't be read now.
    """
    scored = []
    for run_id in run_ids:
        stored = read_record(contents, run_id)
        if stored is None:
            raise DataError("a run is missing from the store", where=run_id, do="Take it out of the list")
        scored.append(stored[0].scored())
    return scored
