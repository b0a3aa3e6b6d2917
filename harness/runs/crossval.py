"""Cross-validation over all labelled videos: each is predicted by a solution that was trained without it.

What comes out is neither a validation nor a test score, and never stands beside one: no run is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video, persons_of
from harness.engine import engine_of
from harness.engine.engine import WorkerShare
from harness.errors import DataError, UsageError
from harness.metrics.folds import assign_folds
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.plugins.interface import Predictions, Preparing, SolutionEntry
from harness.settings import Settings
from harness.system.device import resolve_device

LABELLED = ("train", "val")


@dataclass(frozen=True)
class CrossValidated:
    """What a solution scores on videos that it has not seen.

    Attributes:
        card: of all videos' frames, pooled; intervals by video, or by person.
        fold: of each video.
        tuned_on: how what is chosen on labels was chosen; ``nothing`` if nothing was.
        notes: what a reader must know.
    """

    card: ScoreCard
    fold: dict[str, int]
    tuned_on: str
    notes: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Plain data."""
        card = self.card
        by_video = card.per_video()
        return {
            "split": "cross-validation over " + " and ".join(LABELLED),
            "folds": max(self.fold.values()) + 1,
            "scores": [asdict(score) for score in card.scores],
            "constant": {"prediction": card.constant[0], "value": card.constant[1]},
            "frames": card.n_frames,
            "tuned_on": self.tuned_on,
            "notes": list(self.notes),
            "videos": {
                name: {
                    "fold": self.fold[name],
                    **{f"{metric} {target}": float(values[k]) for (metric, target), values in by_video.items()},
                }
                for k, name in enumerate(card.videos)
            },
        }


def cross_validate(
    entry: SolutionEntry,
    data: Dataset,
    settings: Settings,
    *,
    folds: int = 5,
    seed: int = 0,
    fresh: bool = False,
    done: Callable[[int, int], None] = lambda fold, of: None,
) -> CrossValidated:
    """Train on all folds but one, predict the one left out, until every labelled video is predicted; pool the frames.

    Training and validation videos are dealt alike, those of one recording, or person, into one fold. What a solution
    chooses on labels (a window, a threshold, an epoch) is cross-fitted over the videos of the fold that is left out, as
    it is over validation: never on the video itself, and never on those that were trained on.

    Args:
        folds: how many, at most one a recording, or person.
        fresh: train again what an earlier call trained.
        done: called after each fold.

    Raises:
        UsageError: fewer than two folds.
        DataError: too few labelled videos, or two of one name.
        SolutionError: the solution broke its contract.
    """
    videos = _labelled(data)
    if folds < 2:
        raise UsageError("cross-validation needs two folds at least", found=folds)
    fold = assign_folds([video.group for video in videos], [video.n_rows for video in videos], folds)
    n_folds = int(fold.max()) + 1
    if n_folds < 2:
        raise DataError("too few recordings to leave one out", where=data.root, found=f"{len(videos)} videos")
    parts = [
        replace(data, splits={"train": _members(videos, fold != k), "val": _members(videos, fold == k)}, template=None)
        for k in range(n_folds)
    ]
    settings = replace(settings, reuse_heads=not fresh)
    found: dict[int, Predictions] = {}
    for k, predictions in _predicted(
        entry, replace(data, splits={"val": videos, "train": videos}), parts, settings, seed
    ):
        found[k] = predictions
        done(len(found), n_folds)
    decisions = {name: video.decisions for k in range(n_folds) for name, video in found[k]}
    notes = dict.fromkeys(note for k in range(n_folds) for note in found[k].notes)
    chosen = found[n_folds - 1].choices.get("tuned_on") != "nothing"
    tuned_on = "the fold left out, cross-fitted by video" if chosen else "nothing"
    labels = {video.name: np.asarray(video.labels) for video in videos}
    statistics = video_statistics(data.task, metric_for(data.task), labels, decisions)
    card = score_card(data.task, tuple(labels), statistics, persons_of(videos))
    return CrossValidated(card, dict(zip(labels, fold.tolist(), strict=True)), tuned_on, tuple(notes))


def _members(videos: Sequence[Video], chosen: npt.NDArray[np.bool_]) -> list[Video]:
    return [video for video, own in zip(videos, chosen, strict=True) if own]


def _predicted(
    entry: SolutionEntry, whole: Dataset, parts: Sequence[Dataset], settings: Settings, seed: int
) -> Iterator[tuple[int, Predictions]]:
    """Each fold's number and the predictions of the videos left out, one after the other, or each by a worker."""
    folds = _Folds(entry, parts, settings, seed)
    if settings.engine == "local":
        yield from ((k, folds.predict(k)) for k in range(len(parts)))
        return
    engine, share = engine_of(settings, settings.cache), WorkerShare(entry.cores, gpu=True)
    solution = entry.create(settings)
    if isinstance(solution, Preparing):
        solution.prepare(whole, "val")
    failed: list[tuple[int, Exception]] = []
    folds = replace(folds, settings=engine.inside(settings, share))
    for done in engine.map(folds, range(len(parts)), share=share):
        if done.value is not None:
            yield done.item, done.value
        elif done.error is not None:
            failed.append((done.item, done.error))
    if failed:  # the others are done all the same: what they trained is kept
        raise failed[0][1]


@dataclass(frozen=True)
class _Folds:
    """What is trained and predicted, fold by fold; called where it is to work, it makes a worker."""

    entry: SolutionEntry
    parts: Sequence[Dataset]
    settings: Settings
    seed: int

    def __call__(self) -> Callable[[int], Predictions]:
        return self.predict

    def predict(self, fold: int) -> Predictions:
        """Train without a fold, and predict it."""
        part = self.parts[fold]
        solution = self.entry.create(replace(self.settings, device=resolve_device(self.settings.device)))
        solution.fit(part, seed=self.seed)
        found = solution.predict(part, "val")
        found.check({video.name: video.n_rows for video in part.videos("val")})
        return found


def _labelled(data: Dataset) -> list[Video]:
    videos = [video for split in LABELLED for video in data.splits.get(split, ()) if video.labels is not None]
    names = [video.name for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("a video is in both training and validation", where=data.root, found=", ".join(twice[:5]))
    return videos
