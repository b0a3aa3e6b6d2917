"""Rank interval of each run of a ranking, and its tie with the best run.

Both come from the runs' bootstrap replicates, for which the same videos are drawn for every run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.board.entries import RUN, objects
from harness.metrics.compare import p_value
from harness.metrics.interval import LEVEL
from harness.store.store import Replicates

_TIED_FROM = 0.05
_RANKED_AT_ONCE = 500_000  # numbers: few enough for a processor's cache
_RANKED = 2_000_000  # numbers: all replicates of 200 runs; for 1,000 runs, 2,000 replicates agree to about one rank


def with_rank_intervals(entries: pd.DataFrame, replicates: Replicates) -> pd.DataFrame:
    """Return entries with rank interval, p-value against the best run, and the standing in words.

    Args:
        entries: runs of one ranking, or means over seeds; those with a score take a rank.
        replicates: bootstrap replicates by ``key``; only entries with replicates get an interval.
    """
    entries = entries.reset_index(drop=True).assign(rank_low=np.nan, rank_high=np.nan, p_value=np.nan)
    scored = entries[entries["score"].notna()]
    first = scored["score"].astype(float).idxmax() if len(scored) else None
    known = scored.index[scored["key"].isin(list(replicates))]
    if len(known):
        table = np.stack([replicates[key] for key in scored.loc[known, "key"]])
        entries.loc[known, ["rank_low", "rank_high"]] = np.column_stack(rank_intervals(table)).astype(float)
        is_first = np.asarray(known == first)
        if is_first.any():
            best, units = table[is_first][0], _units(scored.iloc[0])
            differences = (np.subtract(best, row, dtype=np.float64) for row in table[~is_first])
            entries.loc[known[~is_first], "p_value"] = [p_value(difference, units) for difference in differences]
    standing = [
        "best" if index == first else text if pd.isna(p) else _in_words(p)
        for index, text, p in zip(entries.index, entries["standing"], entries["p_value"], strict=True)
    ]
    return entries.assign(standing=objects(standing, entries.index), tied=entries["p_value"] >= _TIED_FROM)


def _units(entry: pd.Series[Any]) -> int:
    """Return the number of videos, or persons, that the bootstrap of a run resamples."""
    persons = entry.get("persons")
    return int(entry["videos"] if persons is None or pd.isna(persons) else persons)


def _in_words(p: float) -> str:
    return f"{'tied' if p >= _TIED_FROM else 'below'}, {f'p = {p:.3f}' if p >= 0.001 else 'p < 0.001'}"


def rank_intervals(replicates: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the ranks that runs take in 95 % of the replicates; the best rank is 1, and equal scores share a rank.

    For more than 200 runs only the first replicates are ranked, to save time.

    Args:
        replicates: scores ``(n_runs, replicates)``.

    Returns:
        Best and worst of these ranks, ``(n_runs,)`` each.
    """
    n = len(replicates)
    ranked = min(replicates.shape[1], max(1, _RANKED // n))
    ranks = np.empty((ranked, n), np.int32)
    step = max(1, _RANKED_AT_ONCE // n)
    for start in range(0, ranked, step):
        part = np.ascontiguousarray(-replicates[:, start : min(start + step, ranked)].T)
        order = np.argsort(part, axis=1)
        ordered = np.take_along_axis(part, order, axis=1)
        first = np.zeros(order.shape, np.int32)
        first[:, 1:] = np.where(ordered[:, 1:] == ordered[:, :-1], 0, np.arange(1, n, dtype=np.int32))
        np.put_along_axis(ranks[start : start + step], order, np.maximum.accumulate(first, axis=1) + 1, axis=1)
    low, high = np.quantile(ranks, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="inverted_cdf")
    return low.astype(np.int32), high.astype(np.int32)


def leading(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a score, the best first; the result may be empty.

    Args:
        entries: entries of a board.
    """
    scored = entries[(entries["kind"] == RUN) & entries["score"].notna()]
    return scored.sort_values("standing", key=lambda standing: standing != "best", kind="stable")


def leader(entries: pd.DataFrame) -> str:
    """Return a sentence or two on the best run, and on the runs that can't be separated from it; or an empty text.

    Args:
        entries: entries of a board.
    """
    runs = leading(entries)
    if runs.empty:
        return ""
    first, judged = runs.iloc[0], runs["p_value"].notna()
    interval = "" if pd.isna(first["low"]) else f" [{first['low']:.3f}, {first['high']:.3f}]"
    sentence = f"Best run: {first['label']}, {first['score']:.3f}{interval}."
    others, tied = int(judged.sum()), int((judged & runs["tied"].eq(True)).sum())
    if not others:
        return sentence
    if tied:
        who = (
            f"Of the {others} others, {tied}"
            if tied < others
            else "The other run"
            if tied == 1
            else f"All {tied} others"
        )
        is_, it = ("is", "it") if tied == 1 else ("are", "them")
        return f"{sentence} {who} {is_} tied with it: these videos can't tell {it} from the best (paired, p ≥ 0.05)."
    return (
        f"{sentence} It is better than {'the other run' if others == 1 else f'each of the {others} others'} (p < 0.05)."
    )
