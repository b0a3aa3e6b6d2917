"""Cross-validation over all labelled videos: each is predicted by a solution that was trained without it.

What comes out is neither a validation nor a test score, and never stands beside one: no run is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.device import resolve_device
from harness.errors import DataError, UsageError, problem
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.selection import assign_folds
from harness.settings import Settings
from harness.solution import SolutionEntry

LABELLED = ("train", "val")


@dataclass(frozen=True)
class CrossValidated:
    """What a solution scores on videos that it has not seen.

    Attributes:
        card: of all videos' frames, pooled; intervals by video.
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

    Training and validation videos are dealt alike, those of one recording into one fold. What a solution chooses on
    labels (a window, a threshold, an epoch) is cross-fitted over the videos of the fold that is left out, as it is over
    validation: never on the video itself, and never on those that were trained on.

    Args:
        folds: how many, at most one a recording.
        fresh: train again what an earlier call trained.
        done: called after each fold.

    Raises:
        UsageError: fewer than two folds.
        DataError: too few labelled videos, or two of one name.
        SolutionError: the solution broke its contract.
    """
    videos = _labelled(data)
    if folds < 2:
        raise UsageError(problem("cross-validation needs two folds at least", found=folds))
    fold = assign_folds([video.base for video in videos], [video.n_frames for video in videos], folds)
    n_folds = int(fold.max()) + 1
    if n_folds < 2:
        raise DataError(problem("too few recordings to leave one out", where=data.root, found=f"{len(videos)} videos"))
    settings = replace(settings, device=resolve_device(settings.device), reuse_heads=not fresh)
    decisions: dict[str, npt.NDArray[Any]] = {}
    notes: dict[str, None] = {}
    tuned_on = ""
    for left_out in range(n_folds):
        splits = {
            "train": [video for video, own in zip(videos, fold, strict=True) if own != left_out],
            "val": [video for video, own in zip(videos, fold, strict=True) if own == left_out],
        }
        part = replace(data, splits=splits, template=None)
        solution = entry.create(settings)
        solution.fit(part, seed=seed)
        found = solution.predict(part, "val")
        found.check({video.name: video.n_frames for video in splits["val"]})
        decisions |= {name: video.decisions for name, video in found}
        notes |= dict.fromkeys(found.notes)
        chosen = found.choices.get("tuned_on") != "nothing"
        tuned_on = "the fold left out, cross-fitted by video" if chosen else "nothing"
        done(left_out + 1, n_folds)
    labels = {video.name: np.asarray(video.labels) for video in videos}
    statistics = video_statistics(data.task, metric_for(data.task), labels, decisions)
    card = score_card(data.task, tuple(labels), statistics)
    return CrossValidated(card, dict(zip(labels, fold.tolist(), strict=True)), tuned_on, tuple(notes))


def _labelled(data: Dataset) -> list[Video]:
    videos = [video for split in LABELLED for video in data.splits.get(split, ()) if video.labels is not None]
    names = [video.name for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            problem("a video is in both training and validation", where=data.root, found=", ".join(twice[:5]))
        )
    return videos
