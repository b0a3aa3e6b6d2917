"""Cross-validation over all labelled videos: each is predicted by a solution that was trained without it.

Its score is a third kind beside scores on val and on test, and must not be compared with them: no run is recorded.
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
from harness.system.counts import counted
from harness.system.device import resolve_device

LABELLED = ("train", "val")


@dataclass(frozen=True)
class CrossValidated:
    """The scores of a solution on videos that it was not trained on.

    Attributes:
        card: scores of all videos' frames, pooled, with intervals over videos or persons.
        fold: number of the fold of each video.
        tuned_on: labels that constants were chosen on; ``nothing`` for a solution without such constants.
        notes: facts that a reader must know.
    """

    card: ScoreCard
    fold: dict[str, int]
    tuned_on: str
    notes: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return plain data."""
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
    """Train on all folds but one and predict the remaining fold, for each fold in turn; score all frames together.

    Videos of train and val are distributed alike; all videos of one recording, or person, go into one fold. Constants
    that a solution chooses on labels (a window, a threshold, an epoch) are cross-fitted over the videos of the fold
    that is left out, as they are over val: the choice for a video uses other videos of its fold only.

    Args:
        entry: the solution.
        data: the data set.
        settings: settings that the solution is made with.
        folds: number of folds; at most one per recording, or person.
        seed: seed of each training.
        fresh: train heads again that an earlier call trained.
        done: called after each fold with the number of finished folds and of all folds.

    Raises:
        UsageError: the number of folds is below two.
        DataError: there are too few labelled videos, or two of one name.
        SolutionError: the solution broke its contract.
    """
    videos = _labelled(data)
    if folds < 2:
        raise UsageError("cross-validation needs two folds at least", found=folds)
    fold = assign_folds([video.group for video in videos], [video.n_rows for video in videos], folds)
    n_folds = int(fold.max()) + 1
    if n_folds < 2:
        raise DataError("too few recordings to leave one out", where=data.root, found=counted(len(videos), "video"))
    parts = [
        replace(data, splits={"train": _members(videos, fold != k), "val": _members(videos, fold == k)}, template=None)
        for k in range(n_folds)
    ]
    settings = replace(settings, reuse_heads=not fresh)
    by_fold: dict[int, Predictions] = {}
    for k, predictions in _predicted(
        entry, replace(data, splits={"val": videos, "train": videos}), parts, settings, seed
    ):
        by_fold[k] = predictions
        done(len(by_fold), n_folds)
    decisions = {name: video.decisions for k in range(n_folds) for name, video in by_fold[k]}
    notes = dict.fromkeys(note for k in range(n_folds) for note in by_fold[k].notes)
    chosen = by_fold[n_folds - 1].choices.get("tuned_on") != "nothing"
    tuned_on = "the fold left out, cross-fitted by video" if chosen else "nothing"
    labels = {video.name: np.asarray(video.labels) for video in videos}
    statistics = video_statistics(data.task, metric_for(data.task), labels, decisions)
    card = score_card(data.task, tuple(labels), statistics, persons_of(videos))
    return CrossValidated(card, dict(zip(labels, fold.tolist(), strict=True)), tuned_on, tuple(notes))


def _members(videos: Sequence[Video], chosen: npt.NDArray[np.bool_]) -> list[Video]:
    return [video for video, is_member in zip(videos, chosen, strict=True) if is_member]


def _predicted(
    entry: SolutionEntry, whole: Dataset, parts: Sequence[Dataset], settings: Settings, seed: int
) -> Iterator[tuple[int, Predictions]]:
    """Yield each fold's number and predictions; folds run one after the other, or each in a worker of a cluster."""
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
    if failed:  # raised after the other folds are done, whose heads are kept
        raise failed[0][1]


@dataclass(frozen=True)
class _Folds:
    """The trainings and predictions of all folds. A call, in a worker's process, returns the function for one fold."""

    entry: SolutionEntry
    parts: Sequence[Dataset]
    settings: Settings
    seed: int

    def __call__(self) -> Callable[[int], Predictions]:
        return self.predict

    def predict(self, fold: int) -> Predictions:
        """Train on all folds but one, and predict that one."""
        part = self.parts[fold]
        solution = self.entry.create(replace(self.settings, device=resolve_device(self.settings.device)))
        solution.fit(part, seed=self.seed)
        predictions = solution.predict(part, "val")
        predictions.check({video.name: video.n_rows for video in part.videos("val")})
        return predictions


def _labelled(data: Dataset) -> list[Video]:
    videos = [video for split in LABELLED for video in data.splits.get(split, ()) if video.labels is not None]
    names = [video.name for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("a video is in both training and validation", where=data.root, found=", ".join(twice[:5]))
    return videos
