"""From runs and published results to the entries of one board: a task, a split, a data set, its labels; best first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.board.rankings import Ranking, beside_published, listed_with, named, of_board, rankings
from harness.datasets.identity import PUBLISHED_ON, is_synthetic
from harness.records.run import splits_in
from harness.tasks import TASKS, Task

if TYPE_CHECKING:
    import pandas as pd

RUN = "run"
MARKS = {RUN: "● run", "paper": "◆ paper", "baseline": "■ baseline", "leaderboard": "▲ leaderboard"}

COLUMNS = (
    "key", "kind", "name", "label", "score", "low", "high", "tuned", "optimism", "rank_low", "rank_high", "standing",
    "p_value", "tied", "seed", "seeds", "sd", "classes", "constant", "constant_name", "trained_on", "encoder", "head",
    "postprocess", "team", "edition", "official_rank", "evidence", "source", "frames_per_second", "created", "run_id",
    "members", "notes", "videos", "persons", "data_fingerprint", "metric_version", "test_file",
    "tags", "stride", "same_files",
)  # fmt: skip
"""Columns of an entry.

``run_id`` and ``key`` of an entry for several seeds are those of the lowest seed; ``members`` holds the ids of all
seeds. ``rank_low`` to ``rank_high`` is the rank interval among the runs. ``p_value`` compares with the best run.
``classes`` holds scores in the task's order. ``official_rank`` is the rank on a competition's leaderboard. ``persons``
is the number of persons that the bootstrap resamples, empty where it resamples videos. ``test_file`` is the state on
the way to a submission, in the words of :class:`harness.board.on_test.OnTest`; it is filled on request. ``tags`` are
the user's. ``stride`` is the step between encoded frames, empty where all were encoded. ``same_files`` names the runs
that wrote the same bytes, and are part of this row.
"""

JUDGES_RUNS = ("encoder", "head", "postprocess")
JUDGES_PUBLISHED = ("team", "evidence")


@dataclass(frozen=True)
class View:
    """The subject of a board. Scores of two views are never compared.

    Attributes:
        task: the task.
        split: name of the split.
        data_name: name of the data set.
        labels: short name of the version of the labels, see :class:`harness.board.rankings.Ranking`; empty for that of
            the newest run.
    """

    task: Task
    split: str
    data_name: str
    labels: str = ""

    @property
    def published_on(self) -> str:
        """The data set of this task's published results."""
        return PUBLISHED_ON[self.task.name]

    @property
    def verified(self) -> bool:
        """True if runs of this view are on the data set of the published results.

        Aff-Wild2 and DVD are recognised by their videos, under any name of the folder.
        """
        return self.data_name == self.published_on

    @property
    def drawn(self) -> bool:
        """True for synthetic images, by the name that ``abaw data synth`` gives its data set."""
        return is_synthetic(self.data_name)


@dataclass(frozen=True)
class Filters:
    """Conditions on the entries that are shown.

    Attributes:
        accepted: accepted values by column; an empty list accepts all values. Conditions on ``encoder``, ``head`` and
            ``postprocess`` apply to runs, those on ``team`` and ``evidence`` to published results, others to both.
        search: words that must all occur.
        since: ISO date of the earliest runs; empty for any.
        until: ISO date of the latest runs, inclusive; empty for any.
    """

    accepted: Mapping[str, Sequence[str]]
    search: str = ""
    since: str = ""
    until: str = ""


def tasks_with_entries(runs: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Return names of the tasks that have entries, in the competition's order."""
    present = set(published["task"]) | (set(runs["task"]) if len(runs) else set())
    return [name for name in TASKS if name in present]


def splits_with_entries(runs: pd.DataFrame, published: pd.DataFrame, task: Task) -> list[str]:
    """Return the splits of a task that have entries, val first.

    The private test set of BAH's editions 10 and 11 has published results alone.
    """
    present = set(_published_of(published, task)["split"])
    if len(runs):
        present |= set(runs.loc[runs["task"] == task.name, "split"])
    return [split for split in ("val", "test", "test_private", "train") if split in present]


def data_with_entries(runs: pd.DataFrame, published: pd.DataFrame, task: Task, split: str) -> list[str]:
    """Return names of the data sets of a task and split, the newest run's first.

    The data set of the published results comes last, unless it has runs.
    """
    names: list[str] = []
    if len(runs):
        runs_of_split = runs[(runs["task"] == task.name) & (runs["split"] == split)].sort_values(
            "created", ascending=False
        )
        names = [str(name) for name in runs_of_split["data_name"].unique()]
    home = PUBLISHED_ON[task.name]
    if home not in names and (_published_of(published, task)["split"] == split).any():
        names.append(home)
    return names


@dataclass(frozen=True)
class Versions:
    """Rankings of a view's task, split and data set: one per version of the labels.

    Attributes:
        rankings: all rankings, that of the newest run first; empty if all runs lack a score.
        shown: the view's ranking; ``None`` if all runs lack a score.
    """

    rankings: tuple[Ranking, ...]
    shown: Ranking | None

    @property
    def published_join(self) -> bool:
        """True if published results on the data set of this name may join the view's ranking."""
        return self.shown is None or self.shown is beside_published(self.rankings)


def versions(runs: pd.DataFrame, view: View) -> Versions:
    """Return the versions of the labels that a view's data set has in the store.

    Raises:
        UnknownNameError: the view names labels that are unknown for its data set.
    """
    rankings_of_view = tuple(rankings(runs, view.task.name, view.split, view.data_name))
    return Versions(rankings_of_view, named(rankings_of_view, view.labels))


def runs_of(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the runs that a view lists."""
    if runs.empty:
        return runs
    runs_of_data = runs[of_board(runs, view.task.name, view.split, view.data_name)]
    of_view = versions(runs_of_data, view)
    if of_view.shown is None or len(of_view.rankings) == 1:
        return runs_of_data
    return runs_of_data[listed_with(runs_of_data, of_view.shown, of_view.rankings)]


def run_entries(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return one entry per run. ``standing`` is the reason for an empty score of a run that can't be ranked."""
    import pandas as pd

    if runs.empty:
        return pd.DataFrame(columns=[*COLUMNS, "setup"])
    entries = runs_of(runs, view).rename(columns={"value": "score", "tuned_on_all": "tuned"})
    standing = pd.Series(None, index=entries.index, dtype=object)
    standing[entries["score"].isna()] = "not scored"
    standing[_saw_split(entries, view)] = f"trained on {view.split}"
    standing[entries["status"] != "complete"] = "not whole"
    numbers = entries[["score", "low", "high", "tuned"]].astype(float).where(standing.isna())
    entries[["score", "low", "high", "tuned"]] = numbers
    entries = entries.assign(
        kind=RUN,
        key=entries["run_id"],
        standing=standing,
        optimism=entries["tuned"] - entries["score"],
        members=objects(((run_id,) for run_id in entries["run_id"]), entries.index),
        seeds=1,
        notes=entries["notes"].map({text: _notes(text) for text in entries["notes"].unique()}),
        tags=entries["tags"].map({text: _notes(text) for text in entries["tags"].unique()}),
    )
    return entries.reindex(columns=[*COLUMNS, "setup"])


def ranked(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the runs of a view that can be ranked: those that :func:`run_entries` gives a score."""
    listed = runs_of(runs, view)
    if listed.empty:
        return listed
    return listed[listed["value"].notna() & listed["status"].eq("complete") & ~_saw_split(listed, view)]


def _saw_split(listed: pd.DataFrame, view: View) -> pd.Series[bool]:
    """Return which runs were trained on the very split that they answer."""
    known = {text: view.split in splits_in(str(text)) for text in listed["trained_on"].unique()}
    return listed["trained_on"].map(known).astype(bool)


def unit_of(entries: pd.DataFrame) -> str:
    """Return the bootstrap's unit of entries, or runs: ``person`` or ``video``."""
    known = "persons" in entries and bool(entries["persons"].notna().any())
    return "person" if known else "video"


def objects(values: Iterable[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """Return a column of any objects, such as texts and gaps, pairs, or lists."""
    import pandas as pd

    return pd.Series(list(values), index, dtype=object)


def _notes(text: object) -> str | None:
    return " · ".join(map(str, json.loads(text))) or None if isinstance(text, str) else None


def published_entries(published: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the published results of the view's task and split, on any data."""
    results = _published_of(published, view.task)
    results = results[results["split"] == view.split].rename(columns={"value": "score", "rank": "official_rank"})
    system = results["system"].fillna("")
    name = results["team"].where(system == "", results["team"] + ": " + system)
    key = [
        f"{k} {e} {n} {s:.4f}"
        for k, e, n, s in zip(results["kind"], results["edition"], name, results["score"], strict=True)
    ]
    label = distinct([f"{n} (ABAW-{e})" for n, e in zip(name, results["edition"], strict=True)], key)
    return results.assign(name=name, key=key, label=label).reindex(columns=list(COLUMNS))


def _published_of(published: pd.DataFrame, task: Task) -> pd.DataFrame:
    metric = task.metric
    return published[
        (published["task"] == task.name) & (published["metric"] == metric) & (published["target"] == "all")
    ]


def together(run_rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Rank entries of runs and published results together, best first; ``rank`` is empty without a score."""
    import pandas as pd

    # pandas' concat treats columns that are empty in one of them differently in each version
    entries = pd.DataFrame(run_rows.to_dict("records") + others.to_dict("records"), columns=list(COLUMNS))
    score = entries["score"].astype(float)
    entries = entries.assign(score=score, rank=score.rank(method="min", ascending=False))
    return entries.sort_values(["rank", "label"], na_position="last").reset_index(drop=True)


def filtered(entries: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Return the entries that fulfil all conditions, in the same order."""
    import pandas as pd

    keep = pd.Series(True, index=entries.index)
    is_run = entries["kind"] == RUN
    spared = {**dict.fromkeys(JUDGES_RUNS, ~is_run), **dict.fromkeys(JUDGES_PUBLISHED, is_run)}
    for column, values in filters.accepted.items():
        if values:
            keep &= spared.get(column, False) | entries[column].isin(list(values))
    created = pd.to_datetime(entries["created"])
    if filters.since:
        keep &= ~is_run | (created >= pd.Timestamp(filters.since))
    if filters.until:
        keep &= ~is_run | (created < pd.Timestamp(filters.until) + pd.Timedelta(days=1))
    words = filters.search.lower().split()
    if words:
        text = _text_of(entries)
        for word in words:
            keep &= text.str.contains(word, regex=False)
    return entries[keep]


def _text_of(entries: pd.DataFrame) -> pd.Series[str]:
    import pandas as pd

    parts = entries[["name", "encoder", "head", "postprocess", "source", "evidence", "kind", "notes", "tags"]]
    rows = parts.astype("string").fillna("").itertuples(index=False)
    members = (" ".join(ids) if isinstance(ids, tuple) else "" for ids in entries["members"])
    text = [" ".join((*row, ids)).lower() for row, ids in zip(rows, members, strict=True)]
    return pd.Series(text, index=entries.index, dtype=str)


def labels(run_rows: pd.DataFrame) -> list[str]:
    """Return a unique label per run: its name, with seed or number of seeds, and part of its id if necessary."""
    import pandas as pd

    titles = [
        f"{name}, {seeds} seeds" if seeds > 1 else name if pd.isna(seed) else f"{name}, seed {int(seed)}"
        for name, seed, seeds in zip(run_rows["name"], run_rows["seed"], run_rows["seeds"], strict=True)
    ]
    return distinct(titles, list(run_rows["run_id"]))


def distinct(names: list[str], keys: list[str]) -> list[str]:
    """Return unique names: equal ones get the end of their key, or the whole key."""
    count = Counter(names)
    distinct_names = [
        f"{name} · {key[-8:]}" if count[name] > 1 else name for name, key in zip(names, keys, strict=True)
    ]
    count = Counter(distinct_names)
    return [f"{t} · {key}" if count[t] > 1 else t for t, key in zip(distinct_names, keys, strict=True)]
