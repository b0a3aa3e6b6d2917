"""Rankings: runs whose scores may be compared, because one metric scored them on the same labels.

A data set is known by its name, which its folder or ``DATASET.toml`` gives it; its labels are known by what they hold
(:meth:`harness.datasets.dataset.Dataset.fingerprint`). A board has one name and one ranking per version of the labels.
Terminal, page, export and bundle all ask this module which runs share ranks, places, ties and a best run.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import UnknownNameError
from harness.metrics.compare import videos_with_other_labels
from harness.metrics.metric import metric_for
from harness.store.store import TableRows, rows_of
from harness.system.counts import counted
from harness.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

Statistics = Mapping[str, Sequence[float]]
"""Statistics of a run by video."""

_OF_LABELS = ("data_fingerprint", "videos", "metric_version")
_READ = ("run_id", "task", "split", "data_name", "created", "value", "frames", "labelled_frames", *_OF_LABELS)
"""Columns of a run that this module reads."""
_DIGITS, _NAMED, _LONGEST = 8, 3, 40
_HASH = re.compile(r"[0-9a-f]{8,}")


@dataclass(frozen=True)
class Ranking:
    """Runs of one task, split and data set that were scored on the same labels by the same metric.

    Attributes:
        labels: short name of the labels: the first digits of their fingerprint, or of its hash if it is none.
        fingerprint: hash of names, frame counts and labels of the videos; empty if nobody knows it.
        videos: number of videos.
        frames: frames of these videos, labelled or not.
        labelled_frames: frames that count; ``None`` in a store of an earlier version.
        metric_version: version of the metric.
        run_ids: the runs, newest first.
        level: ``frame`` or ``video``, that of the task.
    """

    labels: str
    fingerprint: str
    videos: int
    frames: int
    labelled_frames: int | None
    metric_version: int
    run_ids: tuple[str, ...]
    level: str = "frame"

    @property
    def size(self) -> str:
        """``2 videos, 4,000 labelled frames``; of a task of level ``video`` the videos alone."""
        if self.level == "video":
            return counted(self.videos, "video")
        number, kind = (self.frames, "") if self.labelled_frames is None else (self.labelled_frames, "labelled ")
        return f"{counted(self.videos, 'video')}, {counted(number, f'{kind}frame')}"

    @property
    def title(self) -> str:
        """``labels 1a2b3c4d (2 videos, 4,000 labelled frames)``."""
        return f"labels {self.labels} ({self.size})"


@dataclass(frozen=True)
class OtherLabels:
    """Another ranking of the same board.

    Attributes:
        difference: how its labels differ from those that are shown; empty if that cannot be told.
    """

    ranking: Ranking
    difference: str

    @property
    def text(self) -> str:
        """``1 run on labels 1a2b3c4d (2 videos, 4,000 labelled frames): other labels in 1 of 2 videos, vy``."""
        runs = counted(len(self.ranking.run_ids), "run")
        return ": ".join(part for part in (f"{runs} on {self.ranking.title}", self.difference) if part)


def rankings(runs: TableRows, task: str, split: str, data_name: str) -> list[Ranking]:
    """Return the rankings of one board, that of the newest run first; an empty list if all runs lack a score.

    Args:
        runs: rows of :meth:`harness.store.store.Store.run_rows`.
        task: short name of the task.
        split: name of the split.
        data_name: name of the data set.
    """
    scored = [row for row in of_board(runs, task, split, data_name) if row["value"] is not None]
    scored.sort(key=lambda row: row["created"], reverse=True)
    counts: dict[tuple[Any, ...], int] = {}  # labelled frames that a run on the labels knows
    for row in scored:
        if row["labelled_frames"] is not None:
            counts.setdefault(_labels_of(row), row["labelled_frames"])
    same: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in scored:
        # labels of another number differ, even where a record claims the same hash
        known, identity = row["labelled_frames"], _labels_of(row)
        same.setdefault((*identity, counts.get(identity) if known is None else known), []).append(row)
    rankings_of_board = [_ranking(rows) for rows in same.values()]
    return [_told_apart(ranking, rankings_of_board) for ranking in rankings_of_board]


def rankings_in(runs: pd.DataFrame, task: str, split: str, data_name: str) -> list[Ranking]:
    """Return :func:`rankings` of a data frame.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        task: short name of the task.
        split: name of the split.
        data_name: name of the data set.
    """
    return rankings(rows_of(runs, _READ), task, split, data_name)


def rankings_with(run_ids: Collection[str], rankings_of_board: Sequence[Ranking]) -> list[Ranking]:
    """Return the rankings that hold any of these runs, in the same order.

    Args:
        run_ids: ids of some runs of a board.
        rankings_of_board: all rankings of the board.
    """
    ids = set(run_ids)
    return [ranking for ranking in rankings_of_board if not ids.isdisjoint(ranking.run_ids)]


def named(rankings_of_board: Sequence[Ranking], labels: str) -> Ranking | None:
    """Return the ranking on the labels of a name; an empty name stands for the first ranking.

    Returns:
        The ranking; ``None`` for a board without rankings.

    Raises:
        UnknownNameError: the board has only rankings on labels of other names.
    """
    if not labels or not rankings_of_board:
        return rankings_of_board[0] if rankings_of_board else None
    by_name = {ranking.labels: ranking for ranking in rankings_of_board}
    if labels not in by_name:
        raise UnknownNameError("version of the labels", labels, by_name)
    return by_name[labels]


def of_board(runs: TableRows, task: str, split: str, data_name: str) -> TableRows:
    """Return the runs of one task, split and data set, on any labels."""
    board = (task, split, data_name)
    return [row for row in runs if (row["task"], row["split"], row["data_name"]) == board]


def listed_with(runs: TableRows, ranking: Ranking, rankings_of_board: Sequence[Ranking]) -> TableRows:
    """Return the runs of a board that are listed with one ranking.

    A run without a score is listed with every ranking, or, if its labels are known, with the ranking on these labels.

    Args:
        runs: runs of one board.
        ranking: the ranking.
        rankings_of_board: all rankings of the board.
    """
    inside = set(ranking.run_ids)
    elsewhere = {other.fingerprint for other in rankings_of_board} - {ranking.fingerprint}
    return [
        row
        for row in runs
        if row["run_id"] in inside or (row["value"] is None and row["data_fingerprint"] not in elsewhere)
    ]


def same_labels(runs: TableRows, run_id: str) -> list[bool]:
    """Return True per run that may be compared with a run: same task, split, labels and metric, on any data set.

    Args:
        runs: rows of :meth:`harness.store.store.Store.run_rows`.
        run_id: id of the run.
    """
    this = next((row for row in runs if row["run_id"] == run_id), None)
    if this is None:
        return [False] * len(runs)
    if not this["data_fingerprint"]:  # a run on unknown labels can be compared with itself alone
        return [row["run_id"] == run_id for row in runs]
    # the version of the metric is empty for a run without a score
    columns = ("task", "split", *_OF_LABELS)
    expected, number = [this[column] for column in columns], this["labelled_frames"]
    return [
        [row[column] for column in columns] == expected
        and (number is None or row["labelled_frames"] is None or row["labelled_frames"] == number)
        for row in runs
    ]


def comparable(runs: pd.DataFrame, run_id: str) -> npt.NDArray[np.bool_]:
    """Return :func:`same_labels` of a data frame, as a mask ``(n_runs,)``.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        run_id: id of the run.
    """
    return np.array(same_labels(rows_of(runs, _READ), run_id), bool)


def under_other_names(runs: TableRows, ranking: Ranking, data_name: str) -> dict[str, int]:
    """Return the number of scored runs on the same labels under other names of the data set, which may be renamed.

    Args:
        runs: rows of :meth:`harness.store.store.Store.run_rows`.
        ranking: ranking of the board of ``data_name``.
        data_name: name of the data set that is left out.
    """
    same = zip(runs, same_labels(runs, ranking.run_ids[0]), strict=True)
    names = Counter(str(row["data_name"]) for row, fits in same if fits and row["value"] is not None)
    del names[data_name]
    return dict(names.most_common())


def beside_published(rankings_of_board: Sequence[Ranking]) -> Ranking | None:
    """Return the ranking that published results may join; ``None`` if it is unknown.

    Published results are on the official labels. A single version of the labels under the official name counts as
    official. Among several versions, only those with the most videos can be official; if more than one remains,
    published results stand apart.

    Args:
        rankings_of_board: all rankings of a board whose data set has the official name.
    """
    most = max((ranking.videos for ranking in rankings_of_board), default=0)
    whole = [ranking for ranking in rankings_of_board if ranking.videos == most]
    if len({ranking.fingerprint for ranking in whole}) != 1:
        return None
    return max(whole, key=lambda ranking: ranking.metric_version)


def why_apart(rankings_of_board: Sequence[Ranking], data_name: str) -> str:
    """Return the sentence with the reason why published results stand apart from runs on data of the official name.

    Args:
        rankings_of_board: all rankings of the board.
        data_name: name of the data set.
    """
    return (
        f"Published results stand apart: {data_name} has {len(rankings_of_board)} versions of its labels in this "
        "store, and it is not known which of them, if any, the published results are on."
    )


def other_labels(
    ranking: Ranking, rankings_of_board: Sequence[Ranking], task: str, read_statistics: Callable[[str], Statistics]
) -> tuple[OtherLabels, ...]:
    """Return the other rankings of a board, each with the difference of its labels from those of ``ranking``.

    Args:
        ranking: the ranking.
        rankings_of_board: all rankings of the board.
        task: short name of the task.
        read_statistics: function that returns the statistics of a run, such as
            :meth:`harness.store.store.Store.statistics`; it is called for one run per ranking, if there are several.
    """
    rest = [other for other in rankings_of_board if other is not ranking]
    here = read_statistics(ranking.run_ids[0]) if rest else {}
    return tuple(
        OtherLabels(other, _difference(ranking, other, task, here, read_statistics(other.run_ids[0]))) for other in rest
    )


def labels_name(data: Mapping[str, Any]) -> str:
    """Return the short name of the labels that a run was scored on.

    Args:
        data: ``data`` of a run's record.
    """
    fingerprint = str(data.get("fingerprint") or "")
    return _name(fingerprint) if fingerprint else "unknown"


def _labels_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the identity of a run's labels; unknown labels are unique to their run."""
    fingerprint, *others = (row[column] for column in _OF_LABELS)
    return (fingerprint or f"run {row['run_id']}", *others)


def _ranking(same: TableRows) -> Ranking:
    """Return the ranking of these runs, newest first."""
    first = same[0]
    fingerprint = str(first["data_fingerprint"])
    return Ranking(
        labels=_name(fingerprint or f"run {first['run_id']}"),
        fingerprint=fingerprint,
        videos=int(first["videos"]),
        frames=int(first["frames"]),
        labelled_frames=next((row["labelled_frames"] for row in same if row["labelled_frames"] is not None), None),
        metric_version=int(first["metric_version"]),
        run_ids=tuple(row["run_id"] for row in same),
        level=TASKS[first["task"]].level if first["task"] in TASKS else "frame",
    )


def _name(identity: str) -> str:
    """Return a short name of hexadecimal digits, even for a foreign record with any text as its fingerprint."""
    return (identity if _HASH.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest())[:_DIGITS]


def _told_apart(ranking: Ranking, rankings_of_board: Sequence[Ranking]) -> Ranking:
    """Return the ranking under a unique name."""
    alike = [other for other in rankings_of_board if other.labels == ranking.labels]
    if len(alike) == 1:
        return ranking
    name = f"{ranking.labels}-metric{ranking.metric_version}"
    if len({other.metric_version for other in alike}) < len(alike):
        name = f"{ranking.labels}-{rankings_of_board.index(ranking) + 1}"
    return Ranking(**{**vars(ranking), "labels": name})


def _difference(here: Ranking, there: Ranking, task: str, of_here: Statistics, of_there: Statistics) -> str:
    """Return the difference of the labels ``there`` from those ``here`` in words; empty if it is unknown."""
    if here.fingerprint and here.fingerprint == there.fingerprint and here.metric_version != there.metric_version:
        return f"the same labels, scored by version {there.metric_version} of the metric"
    if not of_here or not of_there or task not in TASKS or here.metric_version != there.metric_version:
        return ""
    missing, more = sorted(set(of_here) - set(of_there)), sorted(set(of_there) - set(of_here))
    shared = sorted(set(of_here) & set(of_there))
    try:
        differing = videos_with_other_labels(metric_for(TASKS[task]), of_here, of_there, shared) if shared else []
    except ValueError:  # statistics of another metric
        return ""
    parts = [
        f"{counted(len(missing), 'video')} fewer, {_some(missing)}" if missing else "",
        f"{counted(len(more), 'video')} more, {_some(more)}" if more else "",
        f"other labels in {len(differing)} of {counted(len(shared), 'video')}, {_some(differing)}" if differing else "",
    ]
    if TASKS[task].level == "video" and not any(parts):
        return "the same labels of every video, but other persons"
    return "; ".join(part for part in parts if part) or (
        "the same number of each label in every video, but in other frames"
        if TASKS[task].kind != "values"
        else "the same mean and spread of the labels in every video, but in other frames"
    )


def _some(videos: Sequence[str]) -> str:
    names = (" ".join(name.split()) for name in videos[:_NAMED])
    short = (name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names)
    return ", ".join(short) + (", …" if len(videos) > _NAMED else "")
