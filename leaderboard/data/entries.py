"""From runs and published results to the entries of one board: one task, one split, one data set, best first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from harness.datasets.identity import PUBLISHED_ON
from harness.tasks import TASKS, Task

RUN = "run"
MARKS = {RUN: "● run", "paper": "◆ paper", "baseline": "■ baseline", "leaderboard": "▲ leaderboard"}

COLUMNS = (
    "key", "kind", "name", "label", "score", "low", "high", "tuned", "optimism", "constant", "constant_name",
    "against_best", "encoder", "head", "postprocess", "seed", "edition", "evidence", "source", "frames_per_second",
    "created", "run_id", "data_fingerprint", "metric_version",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What a board is about. Scores of two views never meet."""

    task: Task
    split: str
    data_name: str

    @property
    def published_on(self) -> str:
        """The data set of this task's published results."""
        return PUBLISHED_ON[self.task.name]

    @property
    def verified(self) -> bool:
        """Whether runs of this view are on the very data of the published results.

        Both Aff-Wild2 and DVD are known by their videos, whatever their folder is called.
        """
        return self.data_name == self.published_on

    @property
    def drawn(self) -> bool:
        """Whether a program drew the pictures: ``abaw data synth`` calls its data so."""
        return self.data_name.startswith("abaw-synth")


def tasks_with_entries(runs: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Names of the tasks that have something to show, in the competition's order."""
    present = set(published["task"]) | (set(runs["task"]) if len(runs) else set())
    return [name for name in TASKS if name in present]


def splits_with_entries(runs: pd.DataFrame, published: pd.DataFrame, task: Task) -> list[str]:
    """Splits of a task that have something to show: val first."""
    present = set(_published_of(published, task)["split"])
    if len(runs):
        present |= set(runs.loc[runs["task"] == task.name, "split"])
    return [split for split in ("val", "test", "train") if split in present]


def data_with_entries(runs: pd.DataFrame, published: pd.DataFrame, task: Task, split: str) -> list[str]:
    """Data sets of a task and split, the newest run's first; the published results' own last, unless it has runs."""
    names: list[str] = []
    if len(runs):
        own = runs[(runs["task"] == task.name) & (runs["split"] == split)].sort_values("created", ascending=False)
        names = [str(name) for name in own["data_name"].unique()]
    home = PUBLISHED_ON[task.name]
    if home not in names and (_published_of(published, task)["split"] == split).any():
        names.append(home)
    return names


def board_entries(runs: pd.DataFrame, published: pd.DataFrame, view: View) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Entries of the board, and published results for reference only.

    Returns:
        Two frames with :data:`COLUMNS` and ``rank``, each ranked by itself. Published results are in the first only
        where runs are on the verified data of the published results, or where there is no run to be compared with.
    """
    own = _run_entries(runs, view)
    others = _published_entries(published, view)
    if view.verified or (own.empty and view.data_name == view.published_on):
        together = own.to_dict("records") + others.to_dict("records")
        return _ranked(pd.DataFrame(together, columns=list(COLUMNS))), _ranked(others.iloc[:0])
    return _ranked(own), _ranked(others)


def filtered(entries: pd.DataFrame, chosen: dict[str, list[str]], search: str) -> pd.DataFrame:
    """Entries that pass.

    Args:
        chosen: accepted values by column; an empty list accepts all. ``encoder``, ``head`` and ``postprocess`` judge
            runs, ``evidence`` judges published results, ``kind`` judges both.
        search: words that must all occur.
    """
    keep = pd.Series(True, index=entries.index)
    is_run = entries["kind"] == RUN
    for column, values in chosen.items():
        if values:
            judged = is_run if column in ("encoder", "head", "postprocess") else ~is_run
            if column == "kind":
                judged = pd.Series(True, index=entries.index)
            keep &= ~judged | entries[column].isin(values)
    for word in search.lower().split():
        keep &= _text_of(entries).str.contains(word, regex=False)
    return entries[keep]


def _text_of(entries: pd.DataFrame) -> pd.Series[str]:
    parts = entries[["name", "encoder", "head", "postprocess", "run_id", "source", "evidence", "kind"]]
    rows = parts.astype("string").fillna("").itertuples(index=False)
    return pd.Series([" ".join(row).lower() for row in rows], index=entries.index, dtype=str)


def _published_of(published: pd.DataFrame, task: Task) -> pd.DataFrame:
    metric = task.metric
    return published[
        (published["task"] == task.name) & (published["metric"] == metric) & (published["target"] == "all")
    ]


def _run_entries(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    if runs.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    own = runs[
        (runs["task"] == view.task.name) & (runs["split"] == view.split) & (runs["data_name"] == view.data_name)
    ].rename(columns={"value": "score", "tuned_on_all": "tuned"})
    # a run that isn't whole is listed, but has no score to be ranked by
    own[["score", "low", "high", "tuned"]] = own[["score", "low", "high", "tuned"]].where(own["status"] == "complete")
    own = own.assign(kind=RUN, key=own["run_id"], optimism=own["tuned"] - own["score"])
    own["against_best"] = _against_best(own)
    own["label"] = _labels(own)
    return own.reindex(columns=list(COLUMNS))


def _published_entries(published: pd.DataFrame, view: View) -> pd.DataFrame:
    found = _published_of(published, view.task)
    found = found[found["split"] == view.split].rename(columns={"value": "score"})
    system = found["system"].fillna("")
    name = found["team"].where(system == "", found["team"] + ": " + system)
    key = [
        f"{k} {e} {n} {s:.4f}" for k, e, n, s in zip(found["kind"], found["edition"], name, found["score"], strict=True)
    ]
    label = _distinct([f"{n} (ABAW-{e})" for n, e in zip(name, found["edition"], strict=True)], key)
    return found.assign(name=name, key=key, label=label).reindex(columns=list(COLUMNS))


def _against_best(own: pd.DataFrame) -> pd.Series:
    if not own["score"].notna().any():
        return pd.Series("not scored", index=own.index, dtype=object)
    best = own[own["score"] == own["score"].max()].iloc[0]
    words = pd.Series("below", index=own.index, dtype=object)
    words[own["high"] >= best["low"]] = "overlaps"
    words[own["high"].isna() | pd.isna(best["low"])] = None
    words[own["score"] == best["score"]] = "best run"
    words[own["score"].isna()] = "not scored"
    return words


def _labels(own: pd.DataFrame) -> list[str]:
    seeds = ["" if pd.isna(seed) else f", seed {int(seed)}" for seed in own["seed"]]
    return _distinct([f"{name}{seed}" for name, seed in zip(own["name"], seeds, strict=True)], list(own["run_id"]))


def _distinct(labels: list[str], keys: list[str]) -> list[str]:
    """Labels, with as much of the key as tells two equal ones apart."""
    count = Counter(labels)
    told = [f"{label} · {key[-8:]}" if count[label] > 1 else label for label, key in zip(labels, keys, strict=True)]
    count = Counter(told)
    return [f"{t} · {key}" if count[t] > 1 else t for t, key in zip(told, keys, strict=True)]


def _ranked(entries: pd.DataFrame) -> pd.DataFrame:
    rank = entries["score"].astype(float).rank(method="min", ascending=False)
    return entries.assign(rank=rank).sort_values(["rank", "label"], na_position="last").reset_index(drop=True)
