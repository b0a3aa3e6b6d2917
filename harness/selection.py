"""Choices made on labels, honestly: chosen on all folds but one, applied to the fold left out.

Papers choose windows, thresholds and weights on the validation set that they report. :func:`cross_fit` gives both
numbers: what the choice is worth on videos it has not seen, and what it looks like when tuned on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

FOLDS = 5


@dataclass(frozen=True)
class Selection:
    """Which candidate was chosen.

    Attributes:
        fold: int64 ``(n_videos,)``, the fold of each video.
        per_fold: index of the candidate for each fold, chosen on the other folds.
        on_all: index of the candidate chosen on all videos: for the test set, and as the papers do.
    """

    fold: npt.NDArray[np.int64]
    per_fold: tuple[int, ...]
    on_all: int

    def for_video(self, index: int) -> int:
        """Candidate that applies to a validation video: chosen without it."""
        return self.per_fold[int(self.fold[index])]


def assign_folds(groups: Sequence[str], sizes: Sequence[int], n_folds: int = FOLDS) -> npt.NDArray[np.int64]:
    """Deal videos into folds of about equal size; videos of one group stay together.

    Args:
        groups: base name of each video.
        sizes: frames of each video.

    Returns:
        int64 ``(n_videos,)`` in ``[0, min(n_folds, number of groups))``. No randomness: largest group first, to the
        fold that has least.
    """
    totals: dict[str, int] = {}
    for group, size in zip(groups, sizes, strict=True):
        totals[group] = totals.get(group, 0) + size
    load = np.zeros(max(1, min(n_folds, len(totals))), np.int64)
    fold_of: dict[str, int] = {}
    for group in sorted(totals, key=lambda g: (-totals[g], g)):
        fold_of[group] = int(np.argmin(load))
        load[fold_of[group]] += totals[group]
    return np.array([fold_of[group] for group in groups], np.int64)


def cross_fit(
    statistics: Float, score: Callable[[Float], Float], groups: Sequence[str], sizes: Sequence[int]
) -> Selection:
    """Choose among candidates by score, for each fold on the others and once on all.

    Args:
        statistics: ``(n_candidates, n_videos, k)``, sufficient statistics of each candidate on each video.
        score: ``(..., k)`` to ``(...)``, higher is better.
        groups: base name of each video.
        sizes: frames of each video.

    Returns:
        The selection. Of equally good candidates the first wins, so list the simplest first. With a single group
        there is nothing to choose on: the first candidate stands in its fold.
    """
    fold = assign_folds(groups, sizes)
    total = statistics.sum(1)
    n_folds = int(fold.max()) + 1
    per_fold = [
        int(np.argmax(score(total - statistics[:, fold == k].sum(1)))) if n_folds > 1 else 0 for k in range(n_folds)
    ]
    return Selection(fold, tuple(per_fold), int(np.argmax(score(total))))
