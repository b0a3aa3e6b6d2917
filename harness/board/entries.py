"""From runs and published results to the entries of one board: a task, a split, a data set, its labels; best first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.board.rankings import Ranking, beside_published, listed_with, named, of_board, rankings
from harness.datasets.identity import PUBLISHED_ON, SYNTHETIC
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
"""What is known of an entry.

Of an entry that stands for several seeds, ``run_id`` and ``key`` are those of the lowest seed, ``members`` all of them;
``rank_low`` to ``rank_high`` is its rank interval among the runs, ``p_value`` is against the best of
them, ``classes`` the scores in the task's order, ``official_rank`` that of a competition's leaderboard, ``persons`` the
number of persons that intervals draw, empty where they draw videos; ``test_file`` how far a run is on the way to a
submission, in the words of :class:`harness.board.on_test.OnTest`, empty where the board was not asked for it;
``tags`` are the user's; ``stride`` is the number of frames of which one was encoded, empty where all were;
``same_files`` names the runs that wrote the very same bytes and have no row of their own.
"""

JUDGES_RUNS = ("encoder", "head", "postprocess")
JUDGES_PUBLISHED = ("team", "evidence")


@dataclass(frozen=True)
class View:
    """Subject of a board. Scores of two views never meet.

    Attributes:
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
        """Whether runs of this view are on the very data of the published results.

        Both Aff-Wild2 and DVD are known by their videos, whatever their folder is called.
        """
        return self.data_name == self.published_on

    @property
    def drawn(self) -> bool:
        """Whether a program drew the pictures: ``abaw data synth`` calls its data so."""
        return self.data_name.startswith(SYNTHETIC)


@dataclass(frozen=True)
class Filters:
    """What entries must be like to be shown.

    Attributes:
        accepted: values by column; none accepts all. ``encoder``, ``head`` and ``postprocess`` judge runs, ``team`` and
            ``evidence`` published results, ``kind`` both.
        search: words that must all occur.
        since, until: ISO dates between which a run was made, both included; empty for any time.
    """

    accepted: Mapping[str, Sequence[str]]
    search: str = ""
    since: str = ""
    until: str = ""


def tasks_with_entries(runs: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Names of the tasks that have something to show, in the competition's order."""
    present = set(published["task"]) | (set(runs["task"]) if len(runs) else set())
    return [name for name in TASKS if name in present]


def splits_with_entries(runs: pd.DataFrame, published: pd.DataFrame, task: Task) -> list[str]:
    """Splits of a task that have something to show: val first.

    The private test set of BAH's editions 10 and 11 has published results alone.
    """
    present = set(_published_of(published, task)["split"])
    if len(runs):
        present |= set(runs.loc[runs["task"] == task.name, "split"])
    return [split for split in ("val", "test", "test_private", "train") if split in present]


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


@dataclass(frozen=True)
class Versions:
    """Rankings of a view's task, split and data set: one per version of the labels.

    Attributes:
        found: all of them, that of the newest run first; empty where no run has a score.
        shown: the view's; ``None`` where no run has a score.
    """

    found: tuple[Ranking, ...]
    shown: Ranking | None

    @property
    def published_join(self) -> bool:
        """Whether published results on the data set of this name may join the view's ranking."""
        return self.shown is None or self.shown is beside_published(self.found)


def versions(runs: pd.DataFrame, view: View) -> Versions:
    """Return the versions of the labels that a view's data set has in the store.

    Raises:
        UnknownNameError: the view names labels that none of its runs was scored on.
    """
    found = tuple(rankings(runs, view.task.name, view.split, view.data_name))
    return Versions(found, named(found, view.labels))


def runs_of(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the runs that a view lists."""
    if runs.empty:
        return runs
    own = runs[of_board(runs, view.task.name, view.split, view.data_name)]
    of_view = versions(own, view)
    if of_view.shown is None or len(of_view.found) == 1:
        return own
    return own[listed_with(own, of_view.shown, of_view.found)]


def run_entries(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """An entry a run; those that can't be ranked have no score, and ``standing`` says why."""
    import pandas as pd

    if runs.empty:
        return pd.DataFrame(columns=[*COLUMNS, "setup"])
    own = runs_of(runs, view).rename(columns={"value": "score", "tuned_on_all": "tuned"})
    known = {text: view.split in splits_in(str(text)) for text in own["trained_on"].unique()}
    seen = own["trained_on"].map(known).astype(bool)
    standing = pd.Series(None, index=own.index, dtype=object)
    standing[own["score"].isna()] = "not scored"
    standing[seen] = f"trained on {view.split}"
    standing[own["status"] != "complete"] = "not whole"
    numbers = own[["score", "low", "high", "tuned"]].astype(float).where(standing.isna())
    own[["score", "low", "high", "tuned"]] = numbers
    own = own.assign(
        kind=RUN,
        key=own["run_id"],
        standing=standing,
        optimism=own["tuned"] - own["score"],
        members=objects(((run_id,) for run_id in own["run_id"]), own.index),
        seeds=1,
        notes=own["notes"].map({text: _notes(text) for text in own["notes"].unique()}),
        tags=own["tags"].map({text: _notes(text) for text in own["tags"].unique()}),
    )
    return own.reindex(columns=[*COLUMNS, "setup"])


def unit_of(entries: pd.DataFrame) -> str:
    """Return what the intervals of entries, or runs, draw: ``person`` or ``video``."""
    known = "persons" in entries and bool(entries["persons"].notna().any())
    return "person" if known else "video"


def objects(values: Iterable[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column of whatever: texts and gaps, pairs, lists."""
    import pandas as pd

    return pd.Series(list(values), index, dtype=object)


def _notes(text: object) -> str | None:
    return " · ".join(map(str, json.loads(text))) or None if isinstance(text, str) else None


def published_entries(published: pd.DataFrame, view: View) -> pd.DataFrame:
    """Published results of the view's task and split, on whatever data."""
    found = _published_of(published, view.task)
    found = found[found["split"] == view.split].rename(columns={"value": "score", "rank": "official_rank"})
    system = found["system"].fillna("")
    name = found["team"].where(system == "", found["team"] + ": " + system)
    key = [
        f"{k} {e} {n} {s:.4f}" for k, e, n, s in zip(found["kind"], found["edition"], name, found["score"], strict=True)
    ]
    label = distinct([f"{n} (ABAW-{e})" for n, e in zip(name, found["edition"], strict=True)], key)
    return found.assign(name=name, key=key, label=label).reindex(columns=list(COLUMNS))


def _published_of(published: pd.DataFrame, task: Task) -> pd.DataFrame:
    metric = task.metric
    return published[
        (published["task"] == task.name) & (published["metric"] == metric) & (published["target"] == "all")
    ]


def together(own: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Entries of both, ranked together, best first; ``rank`` is empty without a score."""
    import pandas as pd

    # not pandas' concat: what it makes of columns that are empty in one of them differs between versions
    entries = pd.DataFrame(own.to_dict("records") + others.to_dict("records"), columns=list(COLUMNS))
    score = entries["score"].astype(float)
    entries = entries.assign(score=score, rank=score.rank(method="min", ascending=False))
    return entries.sort_values(["rank", "label"], na_position="last").reset_index(drop=True)


def filtered(entries: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Entries that pass, in the same order."""
    import pandas as pd

    keep = pd.Series(True, index=entries.index)
    is_run = entries["kind"] == RUN
    spared = {**dict.fromkeys(JUDGES_RUNS, ~is_run), **dict.fromkeys(JUDGES_PUBLISHED, is_run)}
    for column, values in filters.accepted.items():
        if values:
            keep &= spared.get(column, False) | entries[column].isin(list(values))
    made = pd.to_datetime(entries["created"])
    if filters.since:
        keep &= ~is_run | (made >= pd.Timestamp(filters.since))
    if filters.until:
        keep &= ~is_run | (made < pd.Timestamp(filters.until) + pd.Timedelta(days=1))
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
    members = (" ".join(found) if isinstance(found, tuple) else "" for found in entries["members"])
    text = [" ".join((*row, ids)).lower() for row, ids in zip(rows, members, strict=True)]
    return pd.Series(text, index=entries.index, dtype=str)


def labels(own: pd.DataFrame) -> list[str]:
    """Names of runs that tell any two apart."""
    import pandas as pd

    told = [
        f"{name}, {seeds} seeds" if seeds > 1 else name if pd.isna(seed) else f"{name}, seed {int(seed)}"
        for name, seed, seeds in zip(own["name"], own["seed"], own["seeds"], strict=True)
    ]
    return distinct(told, list(own["run_id"]))


def distinct(names: list[str], keys: list[str]) -> list[str]:
    """Names, with as much of the key as tells two equal ones apart."""
    count = Counter(names)
    told = [f"{name} · {key[-8:]}" if count[name] > 1 else name for name, key in zip(names, keys, strict=True)]
    count = Counter(told)
    return [f"{t} · {key}" if count[t] > 1 else t for t, key in zip(told, keys, strict=True)]
