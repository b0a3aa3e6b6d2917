"""Runs of one setup as one entry: the mean over the seeds, how far apart they lie, an interval of the mean by video."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.board.entries import COLUMNS, View, objects, run_entries
from harness.metrics.interval import percentile_interval
from harness.store.store import Draws


def has_seeds(runs: pd.DataFrame, view: View) -> bool:
    """Whether any setup has several runs in this view."""
    if runs.empty or not runs["setup"].dropna().duplicated().any():
        return False
    own = run_entries(runs, view)
    return bool(own.loc[own["score"].notna() & own["setup"].notna(), "setup"].duplicated().any())


def by_setup(own: pd.DataFrame, draws: Draws) -> tuple[pd.DataFrame, Draws]:
    """Entries with runs of one setup taken together, and the draws of what they became.

    Mean, spread and interval are those of :func:`harness.board.seeds.summarise`: replicates are averaged over the
    seeds, for which the same videos were drawn. Runs without a score stay by themselves. Where a setup has a seed
    twice, the older runs are an entry of their own.

    Args:
        own: of :func:`harness.board.entries.run_entries`, newest first.
    """
    if own.empty:
        return own, draws
    copy = own.groupby(["setup", "metric_version", "seed"], dropna=False).cumcount()
    parts = zip(own["setup"], own["metric_version"], copy, strict=True)
    setup = objects((f"{setup} {version} {number}" for setup, version, number in parts), own.index)
    group = setup.where(own["score"].notna() & own["setup"].notna(), own["key"])
    size = group.map(group.value_counts())
    several = own[size > 1].assign(group=group[size > 1]).sort_values(["seed", "run_id"])
    if several.empty:
        return own, draws
    means, gone = _means(several), set(several["key"])
    of_means = {
        key: np.mean([draws[run_id] for run_id in members], axis=0, dtype=np.float64)
        for key, members in zip(means["key"], means["members"], strict=True)
        if all(run_id in draws for run_id in members)
    }
    intervals = {key: percentile_interval(drawn) for key, drawn in of_means.items()}
    ends = [intervals.get(key, (np.nan, np.nan)) for key in means["key"]]
    means[["low", "high"]] = np.array(ends, np.float64).reshape(-1, 2)
    kept = {key: drawn for key, drawn in draws.items() if key not in gone}
    rows = own[size == 1].to_dict("records") + means.to_dict("records")
    return pd.DataFrame(rows, columns=own.columns), {**kept, **of_means}


def _means(several: pd.DataFrame) -> pd.DataFrame:
    """An entry a group: what its runs share from the one of the lowest seed, numbers their means."""
    groups = several.groupby("group", sort=False)
    means = several.drop_duplicates("group").set_index("group")
    all_tuned = groups["tuned"].count() == groups.size()
    means = means.assign(
        score=groups["score"].mean(),
        sd=groups["score"].std(ddof=1),
        tuned=groups["tuned"].mean().where(all_tuned),
        seed=np.nan,
        seeds=groups.size(),
        members=groups["run_id"].agg(tuple),
        created=groups["created"].max(),
        frames_per_second=groups["frames_per_second"].mean(),
        notes=groups["notes"].agg(_all_notes),
    )
    means["optimism"] = means["tuned"] - means["score"]
    return means.reset_index(drop=True).reindex(columns=[*COLUMNS, "setup"])


def _all_notes(notes: pd.Series[str]) -> str | None:
    return " · ".join(dict.fromkeys(notes.dropna())) or None
