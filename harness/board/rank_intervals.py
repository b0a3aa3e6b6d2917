"""Rank interval of each run of a ranking, and its tie with the best run.

Both come from the runs' bootstrap replicates, for which the same videos are drawn for every run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from harness.board.entries import Entries, Entry
from harness.metrics.compare import p_value
from harness.metrics.interval import LEVEL
from harness.store.store import Replicates

_TIED_FROM = 0.05
_RANKED_AT_ONCE = 500_000  # numbers: few enough for a processor's cache
_RANKED = 2_000_000  # numbers: all replicates of 200 runs; for 1,000 runs, 2,000 replicates agree to about one rank


def with_rank_intervals(entries: Entries, replicates: Replicates) -> list[Entry]:
    """Return entries with rank interval, p-value against the best run, and the standing in words.

    Args:
        entries: runs of one ranking, or means over seeds; those with a score take a rank.
        replicates: bootstrap replicates by ``key``; only entries with replicates get an interval.
    """
    scored = [entry for entry in entries if entry.score is not None]
    first = max(scored, key=lambda entry: entry.score or 0.0, default=None)
    known = [entry for entry in scored if entry.key in replicates]
    ranks: dict[str, tuple[int, int]] = {}
    of_pairs: dict[str, float] = {}
    if known:
        lows, highs = rank_intervals(np.stack([replicates[entry.key] for entry in known]))
        ends = zip(lows.tolist(), highs.tolist(), strict=True)
        ranks = {entry.key: of_entry for entry, of_entry in zip(known, ends, strict=True)}
        if first is not None and first.key in replicates:
            best, units = replicates[first.key], _units(first)
            for entry in known:
                if entry is not first:
                    of_pairs[entry.key] = p_value(np.subtract(best, replicates[entry.key], dtype=np.float64), units)
    judged = []
    for entry in entries:
        low, high = ranks.get(entry.key) or (None, None)
        p = of_pairs.get(entry.key)
        standing = "best" if entry is first else entry.standing if p is None else _in_words(p)
        tied = p is not None and p >= _TIED_FROM
        judged.append(replace(entry, rank_low=low, rank_high=high, p_value=p, tied=tied, standing=standing))
    return judged


def _units(entry: Entry) -> int:
    """Return the number of videos, or persons, that the bootstrap of a run resamples."""
    return int((entry.videos if entry.persons is None else entry.persons) or 0)


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


def leading(entries: Entries) -> list[Entry]:
    """Return the runs with a score, the best first; the result may be empty.

    Args:
        entries: entries of a board.
    """
    scored = [entry for entry in entries if entry.is_run and entry.score is not None]
    return sorted(scored, key=lambda entry: entry.standing != "best")


def leader(entries: Entries) -> str:
    """Return a sentence or two on the best run, and on the runs that can't be separated from it; or an empty text.

    Args:
        entries: entries of a board.
    """
    runs = leading(entries)
    if not runs:
        return ""
    first, others = runs[0], sum(entry.p_value is not None for entry in runs)
    interval = "" if first.low is None else f" [{first.low:.3f}, {first.high:.3f}]"
    sentence = f"Best run: {first.label}, {first.score:.3f}{interval}."
    tied = sum(entry.p_value is not None and entry.tied is True for entry in runs)
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
