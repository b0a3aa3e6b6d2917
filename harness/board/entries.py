"""From runs and published results to the entries of one board: a task, a split, a data set, its labels; best first."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.board.rankings import Ranking, beside_published, listed_with, named, of_board, rankings
from harness.datasets.identity import PUBLISHED_ON, is_synthetic
from harness.records.run import splits_in
from harness.system.counts import with_seed
from harness.tasks import TASKS, Task

if TYPE_CHECKING:
    import pandas as pd

    from harness.store.store import TableRows

RUN = "run"
MARKS = {RUN: "● run", "paper": "◆ paper", "baseline": "■ baseline", "leaderboard": "▲ leaderboard"}


@dataclass(kw_only=True, slots=True)
class Entry:
    """One row of a board: a run, the mean over the seeds of a set-up, or a published result.

    Attributes:
        key: unique key; of an entry for several seeds the id of the lowest seed.
        kind: :data:`RUN`, ``paper``, ``baseline`` or ``leaderboard``.
        name: name of the solution, or team and system.
        label: unique name.
        rank: place among all entries of the board, from 1; ``None`` without a score.
        score: by the official metric; ``None`` for a run that can't be ranked.
        low, high: ends of the 95 % interval.
        tuned: score of the same run, tuned on the videos that it is reported on.
        optimism: how much ``tuned`` adds.
        rank_low, rank_high: rank interval among the runs.
        standing: beside the best run, in words; or the reason why a run can't be ranked.
        p_value: of the comparison with the best run.
        tied: True for a run that can't be separated from the best one.
        seed: seed of a single run.
        seeds: number of runs in this entry.
        sd: standard deviation over the seeds.
        classes: scores of the classes, dimensions or action units, in the task's order.
        constant: score of the best constant prediction.
        constant_name: name of this constant.
        trained_on: splits that the heads were trained on.
        encoder, head, postprocess: parts of the solution.
        team: team of a published result.
        edition: edition of a published result.
        official_rank: rank on a competition's leaderboard.
        evidence: how well a published result is supported.
        source: source of a published result.
        frames_per_second: speed of the run.
        created: time of the run, UTC.
        run_id: id of the run; of an entry for several seeds that of the lowest seed.
        members: ids of all runs of the entry.
        notes: notes of the run.
        videos: number of videos.
        persons: number of persons that the bootstrap resamples; ``None`` where it resamples videos.
        data_fingerprint: hash of the labels.
        metric_version: version of the metric.
        test_file: state on the way to a submission, in the words of :class:`harness.board.on_test.OnTest`; filled on
            request.
        tags: the user's tags.
        stride: step between encoded frames; ``None`` where all were encoded.
        same_files: names of the runs that wrote the same bytes, and are part of this entry.
        setup: hash of all that the runs of an entry share.
    """

    key: str
    kind: str
    name: str
    label: str = ""
    rank: int | None = None
    score: float | None = None
    low: float | None = None
    high: float | None = None
    tuned: float | None = None
    optimism: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    standing: str | None = None
    p_value: float | None = None
    tied: bool | None = None
    seed: int | None = None
    seeds: int | None = None
    sd: float | None = None
    classes: list[float] | None = None
    constant: float | None = None
    constant_name: str | None = None
    trained_on: str | None = None
    encoder: str | None = None
    head: str | None = None
    postprocess: str | None = None
    team: str | None = None
    edition: int | None = None
    official_rank: int | None = None
    evidence: str | None = None
    source: str | None = None
    frames_per_second: float | None = None
    created: datetime.datetime | None = None
    run_id: str | None = None
    members: tuple[str, ...] | None = None
    notes: str | None = None
    videos: int | None = None
    persons: int | None = None
    data_fingerprint: str | None = None
    metric_version: int | None = None
    test_file: str | None = None
    tags: str | None = None
    stride: int | None = None
    same_files: str | None = None
    setup: str | None = None

    @property
    def is_run(self) -> bool:
        """True for a run, or the mean of several."""
        return self.kind == RUN


Entries = Sequence[Entry]
COLUMNS = tuple(field.name for field in fields(Entry) if field.name != "setup")
"""Columns of :func:`frame_of`."""
_OF_A_RUN = (
    "seed", "constant", "constant_name", "trained_on", "encoder", "head", "postprocess", "frames_per_second",
    "created", "run_id", "videos", "persons", "data_fingerprint", "metric_version", "stride", "setup",
)  # fmt: skip
_OF_A_RESULT = ("kind", "team", "edition", "evidence", "source")
_NUMBERS = (
    "rank", "score", "low", "high", "tuned", "optimism", "rank_low", "rank_high", "p_value", "seed", "seeds", "sd",
    "constant", "edition", "official_rank", "frames_per_second", "videos", "persons", "metric_version", "stride",
)  # fmt: skip

JUDGES_RUNS = ("encoder", "head", "postprocess")
JUDGES_PUBLISHED = ("team", "evidence")


def frame_of(entries: Entries) -> pd.DataFrame:
    """Return entries as a data frame with the columns :data:`COLUMNS`; numbers are floats, NaN where they are empty."""
    import pandas as pd

    content = {name: [getattr(entry, name) for entry in entries] for name in COLUMNS}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in content.items()})
    frame["created"] = pd.to_datetime(frame["created"])
    return frame.astype(dict.fromkeys(_NUMBERS, float))


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


def tasks_with_entries(runs: TableRows, published: TableRows) -> list[str]:
    """Return names of the tasks that have entries, in the competition's order."""
    present = {row["task"] for rows in (runs, published) for row in rows}
    return [name for name in TASKS if name in present]


def splits_with_entries(runs: TableRows, published: TableRows, task: Task) -> list[str]:
    """Return the splits of a task that have entries, val first.

    The private test set of BAH's editions 10 and 11 has published results alone.
    """
    present = {row["split"] for row in (*_published_of(published, task), *runs) if row["task"] == task.name}
    return [split for split in ("val", "test", "test_private", "train") if split in present]


def data_with_entries(runs: TableRows, published: TableRows, task: Task, split: str) -> list[str]:
    """Return names of the data sets of a task and split, the newest run's first.

    The data set of the published results comes last, unless it has runs.
    """
    of_split = [row for row in runs if (row["task"], row["split"]) == (task.name, split)]
    of_split.sort(key=lambda row: row["created"], reverse=True)
    names = list(dict.fromkeys(str(row["data_name"]) for row in of_split))
    home = PUBLISHED_ON[task.name]
    if home not in names and any(row["split"] == split for row in _published_of(published, task)):
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


def versions(runs: TableRows, view: View) -> Versions:
    """Return the versions of the labels that a view's data set has in the store.

    Raises:
        UnknownNameError: the view names labels that are unknown for its data set.
    """
    rankings_of_view = tuple(rankings(runs, view.task.name, view.split, view.data_name))
    return Versions(rankings_of_view, named(rankings_of_view, view.labels))


def runs_of(runs: TableRows, view: View) -> TableRows:
    """Return the runs that a view lists."""
    runs_of_data = of_board(runs, view.task.name, view.split, view.data_name)
    of_view = versions(runs_of_data, view)
    if of_view.shown is None or len(of_view.rankings) == 1:
        return runs_of_data
    return listed_with(runs_of_data, of_view.shown, of_view.rankings)


def run_entries(runs: TableRows, view: View) -> list[Entry]:
    """Return one entry per run. ``standing`` is the reason for an empty score of a run that can't be ranked."""
    return [_run_entry(row, view) for row in runs_of(runs, view)]


def _run_entry(row: Mapping[str, Any], view: View) -> Entry:
    why_unranked = _why_unranked(row, view)
    score, tuned, low, high = (
        None if why_unranked else row[column] for column in ("value", "tuned_on_all", "low", "high")
    )
    return Entry(
        key=row["run_id"],
        kind=RUN,
        name=row["name"],
        score=score,
        low=low,
        high=high,
        tuned=tuned,
        optimism=None if tuned is None or score is None else tuned - score,
        standing=why_unranked,
        seeds=1,
        members=(row["run_id"],),
        notes=_texts(row["notes"]),
        tags=_texts(row["tags"]),
        **{name: row[name] for name in _OF_A_RUN},
    )


def ranked(runs: TableRows, view: View) -> TableRows:
    """Return the runs of a view that can be ranked: those that :func:`run_entries` gives a score."""
    return [row for row in runs_of(runs, view) if _why_unranked(row, view) is None]


def _why_unranked(row: Mapping[str, Any], view: View) -> str | None:
    """Return the reason why a run can't be ranked; ``None`` for one that can."""
    if row["status"] != "complete":
        return "not whole"
    if view.split in splits_in(str(row["trained_on"])):
        return f"trained on {view.split}"
    return "not scored" if row["value"] is None else None


def unit_of(persons: Iterable[int | None]) -> Literal["person", "video"]:
    """Return the bootstrap's unit of entries, or of runs.

    Args:
        persons: number of persons of each; ``None`` where videos are resampled.
    """
    return "person" if any(number is not None for number in persons) else "video"


def _texts(text: str | None) -> str | None:
    return None if text is None else " · ".join(map(str, json.loads(text))) or None


def published_entries(published: TableRows, view: View) -> list[Entry]:
    """Return the published results of the view's task and split, on any data."""
    entries = []
    for row in _published_of(published, view.task):
        if row["split"] == view.split:
            name = f"{row['team']}: {row['system']}" if row["system"] else row["team"]
            key = f"{row['kind']} {row['edition']} {name} {row['value']:.4f}"
            parts = {column: row[column] for column in _OF_A_RESULT}
            entries.append(Entry(key=key, name=name, score=row["value"], official_rank=row["rank"], **parts))
    labels_of_entries = distinct(
        [f"{entry.name} (ABAW-{entry.edition})" for entry in entries], [e.key for e in entries]
    )
    return [replace(entry, label=label) for entry, label in zip(entries, labels_of_entries, strict=True)]


def _published_of(published: TableRows, task: Task) -> TableRows:
    of_task = (task.name, task.metric, "all")
    return [row for row in published if (row["task"], row["metric"], row["target"]) == of_task]


def together(run_rows: Entries, others: Entries) -> tuple[Entry, ...]:
    """Rank entries of runs and published results together, best first; ``rank`` is empty without a score."""
    entries = [*run_rows, *others]
    scores = sorted((entry.score for entry in entries if entry.score is not None), reverse=True)
    places: dict[float, int] = {}
    for place, score in enumerate(scores, start=1):
        places.setdefault(score, place)
    placed = [replace(entry, rank=None if entry.score is None else places[entry.score]) for entry in entries]
    placed.sort(key=lambda entry: (entry.rank is None, entry.rank or 0, entry.label))
    return tuple(placed)


def filtered(entries: Entries, filters: Filters) -> list[Entry]:
    """Return the entries that fulfil all conditions, in the same order."""
    accepted = {column: frozenset(values) for column, values in filters.accepted.items() if values}
    words = filters.search.lower().split()

    def passes(entry: Entry) -> bool:
        spared = JUDGES_PUBLISHED if entry.is_run else JUDGES_RUNS
        if any(column not in spared and getattr(entry, column) not in values for column, values in accepted.items()):
            return False
        if entry.is_run and entry.created is not None:
            day = entry.created.date().isoformat()
            if day < filters.since or (filters.until and day > filters.until):
                return False
        text = _text_of(entry) if words else ""
        return all(word in text for word in words)

    return [entry for entry in entries if passes(entry)]


def _text_of(entry: Entry) -> str:
    parts = (
        entry.name, entry.encoder, entry.head, entry.postprocess, entry.source, entry.evidence, entry.kind, entry.notes,
        entry.tags, *(entry.members or ()),
    )  # fmt: skip
    return " ".join(part or "" for part in parts).lower()


def labels(entries: Entries) -> list[str]:
    """Return a unique label per run: its name, with seed or number of seeds, and part of its id if necessary."""
    titles = [with_seed(entry.name, entry.seed, entry.seeds or 1) for entry in entries]
    return distinct(titles, [entry.key for entry in entries])


def distinct(names: list[str], keys: list[str]) -> list[str]:
    """Return unique names: equal ones get the end of their key, or the whole key."""
    count = Counter(names)
    distinct_names = [
        f"{name} · {key[-8:]}" if count[name] > 1 else name for name, key in zip(names, keys, strict=True)
    ]
    count = Counter(distinct_names)
    return [f"{t} · {key}" if count[t] > 1 else t for t, key in zip(distinct_names, keys, strict=True)]
