"""Rankings: runs whose scores may be compared, because one metric scored them on the same labels.

A data set is known by its name, which its folder or ``DATASET.toml`` gives it; its labels are known by what they hold
(:meth:`harness.datasets.dataset.Dataset.fingerprint`). A board has one name and one ranking per version of the labels.
Terminal, page, export and bundle all ask this module which runs share ranks, places, ties and a best run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownNameError
from harness.metrics.compare import videos_with_other_labels
from harness.metrics.metric import metric_for
from harness.system.counts import counted
from harness.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

Statistics = Mapping[str, Sequence[float]]
"""Statistics of a run by video."""

_OF_A_BOARD = ("task", "split", "data_name")
_OF_LABELS = ("data_fingerprint", "videos", "metric_version")
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


def rankings(runs: pd.DataFrame, task: str, split: str, data_name: str) -> list[Ranking]:
    """Return the rankings of one board, that of the newest run first; an empty list if all runs lack a score.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        task: short name of the task.
        split: name of the split.
        data_name: name of the data set.
    """
    if runs.empty:
        return []
    scored = runs[of_board(runs, task, split, data_name) & runs["value"].notna()]
    if scored.empty:
        return []
    if not scored["created"].is_monotonic_decreasing:
        scored = scored.sort_values("created", ascending=False, kind="stable")
    identities = [_labels_of(scored), *(scored[column] for column in _OF_LABELS[1:])]
    counts = scored["labelled_frames"]
    if all(len(identity.unique()) == 1 for identity in identities) and counts.nunique() < 2:
        return [_ranking(scored)]  # the usual case; grouping takes longer
    # labels of another number differ, even where a record claims the same hash
    identities.append(counts.fillna(counts.groupby(identities, dropna=False).transform("first")))
    rankings_of_board = [_ranking(same) for _, same in scored.groupby(identities, sort=False, dropna=False)]
    return [_told_apart(ranking, rankings_of_board) for ranking in rankings_of_board]


def rankings_with(runs: pd.DataFrame, rankings_of_board: Sequence[Ranking]) -> list[Ranking]:
    """Return the rankings that hold any of these runs, in the same order.

    Args:
        runs: some runs of a board.
        rankings_of_board: all rankings of the board.
    """
    ids = set(runs["run_id"])
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


def of_board(runs: pd.DataFrame, task: str, split: str, data_name: str) -> pd.Series[bool]:
    """Return True per run of one task, split and data set, on any labels."""
    import pandas as pd

    conditions = zip(_OF_A_BOARD, (task, split, data_name), strict=True)
    keep = pd.Series(True, index=runs.index)
    for column, value in conditions:
        keep &= runs[column] == value
    return keep


def listed_with(runs: pd.DataFrame, ranking: Ranking, rankings_of_board: Sequence[Ranking]) -> pd.Series[bool]:
    """Return True per run of a board that is listed with one ranking.

    A run without a score is listed with every ranking, or, if its labels are known, with the ranking on these labels.

    Args:
        runs: runs of one board.
        ranking: the ranking.
        rankings_of_board: all rankings of the board.
    """
    inside = runs["run_id"].isin(ranking.run_ids)
    known = {other.fingerprint for other in rankings_of_board} - {ranking.fingerprint}
    return inside | (runs["value"].isna() & ~runs["data_fingerprint"].isin(known))


def same_labels(runs: pd.DataFrame, run_id: str) -> pd.Series[bool]:
    """Return True per run that may be compared with a run: same task, split, labels and metric, on any data set.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        run_id: id of the run.
    """
    import pandas as pd

    matches = runs[runs["run_id"] == run_id]
    if matches.empty:
        return pd.Series(False, index=runs.index)
    this, same = matches.iloc[0], pd.Series(True, index=runs.index)
    for column in ("task", "split", *_OF_LABELS):
        # the version of the metric is empty for a run without a score
        same &= (runs[column] == this[column]) | (runs[column].isna() & pd.isna(this[column]))
    counts = runs["labelled_frames"]
    same &= (counts == this["labelled_frames"]) | counts.isna() | pd.isna(this["labelled_frames"])
    # a run on unknown labels can be compared with itself alone
    return same if this["data_fingerprint"] else runs["run_id"] == run_id


def under_other_names(runs: pd.DataFrame, ranking: Ranking, data_name: str) -> dict[str, int]:
    """Return the number of scored runs on the same labels under other names of the data set, which may be renamed.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        ranking: ranking of the board of ``data_name``.
        data_name: name of the data set that is left out.
    """
    same = runs[same_labels(runs, ranking.run_ids[0]) & runs["value"].notna()]
    names = same.loc[same["data_name"] != data_name, "data_name"].value_counts()
    return {str(name): int(number) for name, number in names.items()}


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


def _labels_of(runs: pd.DataFrame) -> pd.Series[str]:
    """Return the identity of each run's labels; unknown labels are unique to their run."""
    known = runs["data_fingerprint"] != ""
    return runs["data_fingerprint"] if known.all() else runs["data_fingerprint"].where(known, "run " + runs["run_id"])


def _ranking(same: pd.DataFrame) -> Ranking:
    """Return the ranking of these runs, newest first."""
    first, labelled = same.iloc[0], same["labelled_frames"].dropna()
    fingerprint = str(first["data_fingerprint"])
    return Ranking(
        labels=_name(fingerprint or f"run {first['run_id']}"),
        fingerprint=fingerprint,
        videos=int(first["videos"]),
        frames=int(first["frames"]),
        labelled_frames=int(labelled.iloc[0]) if len(labelled) else None,
        metric_version=int(first["metric_version"]),
        run_ids=tuple(same["run_id"]),
        level=TASKS[str(first["task"])].level if first["task"] in TASKS else "frame",
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
