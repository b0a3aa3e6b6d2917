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
    """Return the rankings of one board, that of the newest run first; none where no run has a score.

    Args:
        runs: of :meth:`harness.store.store.Store.runs`.
        task: short name.
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
        return [_ranking(scored)]  # as a rule; grouping takes longer
    # whatever a record claims, labels of which there are more are other ones
    identities.append(counts.fillna(counts.groupby(identities, dropna=False).transform("first")))
    found = [_ranking(same) for _, same in scored.groupby(identities, sort=False, dropna=False)]
    return [_told_apart(ranking, found) for ranking in found]


def rankings_with(runs: pd.DataFrame, found: Sequence[Ranking]) -> list[Ranking]:
    """Return the rankings that any of these runs is in, in the same order.

    Args:
        runs: some of a board's.
        found: all rankings of the board.
    """
    wanted = set(runs["run_id"])
    return [ranking for ranking in found if not wanted.isdisjoint(ranking.run_ids)]


def named(found: Sequence[Ranking], labels: str) -> Ranking | None:
    """Return the ranking on the labels of that name; the first where no name is given, ``None`` if there is none.

    Raises:
        UnknownNameError: there are others, but none of that name.
    """
    if not labels or not found:
        return found[0] if found else None
    by_name = {ranking.labels: ranking for ranking in found}
    if labels not in by_name:
        raise UnknownNameError("version of the labels", labels, by_name)
    return by_name[labels]


def of_board(runs: pd.DataFrame, task: str, split: str, data_name: str) -> pd.Series[bool]:
    """Return which runs are of one task, split and data set, on whatever labels."""
    import pandas as pd

    wanted = zip(_OF_A_BOARD, (task, split, data_name), strict=True)
    keep = pd.Series(True, index=runs.index)
    for column, value in wanted:
        keep &= runs[column] == value
    return keep


def listed_with(runs: pd.DataFrame, ranking: Ranking, found: Sequence[Ranking]) -> pd.Series[bool]:
    """Return which runs of a board are listed in one ranking.

    A run without a score takes no rank, so it is listed with every ranking; with one alone if it saw those labels.

    Args:
        runs: of one board.
        ranking: one of ``found``.
        found: all rankings of the board.
    """
    inside = runs["run_id"].isin(ranking.run_ids)
    known = {other.fingerprint for other in found} - {ranking.fingerprint}
    return inside | (runs["value"].isna() & ~runs["data_fingerprint"].isin(known))


def same_labels(runs: pd.DataFrame, run_id: str) -> pd.Series[bool]:
    """Return which runs may be compared with one run: same task, split, labels and metric, whatever the data's name.

    Args:
        runs: of :meth:`harness.store.store.Store.runs`.
    """
    import pandas as pd

    own = runs[runs["run_id"] == run_id]
    if own.empty:
        return pd.Series(False, index=runs.index)
    this, same = own.iloc[0], pd.Series(True, index=runs.index)
    for column in ("task", "split", *_OF_LABELS):
        # a run without a score has no version of a metric
        same &= (runs[column] == this[column]) | (runs[column].isna() & pd.isna(this[column]))
    counts = runs["labelled_frames"]
    same &= (counts == this["labelled_frames"]) | counts.isna() | pd.isna(this["labelled_frames"])
    # labels that nobody knows are those of this run alone
    return same if this["data_fingerprint"] else runs["run_id"] == run_id


def under_other_names(runs: pd.DataFrame, ranking: Ranking, data_name: str) -> dict[str, int]:
    """Return how many scored runs on the same labels are under other names of the data set, as after it was moved.

    Args:
        runs: of :meth:`harness.store.store.Store.runs`.
        ranking: of the board of ``data_name``.
    """
    same = runs[same_labels(runs, ranking.run_ids[0]) & runs["value"].notna()]
    names = same.loc[same["data_name"] != data_name, "data_name"].value_counts()
    return {str(name): int(number) for name, number in names.items()}


def beside_published(found: Sequence[Ranking]) -> Ranking | None:
    """Return the ranking that published results may join; ``None`` if nobody can tell which one that is.

    Published results are on the official labels. A data set that bears the official name is taken to have them as
    long as there is one version of its labels. Of several versions, those with fewer videos than another are certainly
    not official; if more than one remains, published results join none.

    Args:
        found: all rankings of a board whose data set bears the official name.
    """
    most = max((ranking.videos for ranking in found), default=0)
    whole = [ranking for ranking in found if ranking.videos == most]
    if len({ranking.fingerprint for ranking in whole}) != 1:
        return None
    return max(whole, key=lambda ranking: ranking.metric_version)


def why_apart(found: Sequence[Ranking], data_name: str) -> str:
    """Return the sentence that says why published results stand apart from runs on data of the official name.

    Args:
        found: all rankings of the board.
    """
    return (
        f"Published results stand apart: {data_name} has {len(found)} versions of its labels in this store, and it is "
        "not known which of them, if any, the published results are on."
    )


def other_labels(
    ranking: Ranking, found: Sequence[Ranking], task: str, read_statistics: Callable[[str], Statistics]
) -> tuple[OtherLabels, ...]:
    """Return the other rankings of a board, each with how its labels differ from those of ``ranking``.

    Args:
        ranking: one of ``found``.
        task: short name.
        read_statistics: gives the statistics of a run, such as :meth:`harness.store.store.Store.statistics`; asked for
            one run per ranking, and only where there are several.
    """
    rest = [other for other in found if other is not ranking]
    here = read_statistics(ranking.run_ids[0]) if rest else {}
    return tuple(
        OtherLabels(other, _difference(ranking, other, task, here, read_statistics(other.run_ids[0]))) for other in rest
    )


def labels_name(data: Mapping[str, Any]) -> str:
    """Return the short name of the labels that a run was scored on.

    Args:
        data: of a run's record.
    """
    fingerprint = str(data.get("fingerprint") or "")
    return _name(fingerprint) if fingerprint else "unknown"


def _labels_of(runs: pd.DataFrame) -> pd.Series[str]:
    """Return the identity of each run's labels: where nobody knows it, the run shares it with no other."""
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
    """Return a short name; of digits alone, whatever somebody else's record holds in a fingerprint's place."""
    return (identity if _HASH.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest())[:_DIGITS]


def _told_apart(ranking: Ranking, found: Sequence[Ranking]) -> Ranking:
    """Return the ranking under a name that no other one has."""
    alike = [other for other in found if other.labels == ranking.labels]
    if len(alike) == 1:
        return ranking
    name = f"{ranking.labels}-metric{ranking.metric_version}"
    if len({other.metric_version for other in alike}) < len(alike):
        name = f"{ranking.labels}-{found.index(ranking) + 1}"
    return Ranking(**{**vars(ranking), "labels": name})


def _difference(here: Ranking, there: Ranking, task: str, of_here: Statistics, of_there: Statistics) -> str:
    """Return how the labels ``there`` differ from those ``here``; empty if that cannot be told."""
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
