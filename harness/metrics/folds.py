"""Folds for cross-fitting: a choice is made on all folds but one and applied to the fold left out.

Papers choose windows, thresholds and weights on the validation set that they report. Cross-fitting gives two scores:
the score on videos that the choice has not seen, and the score after tuning on all videos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FOLDS = 5


def assign_folds(groups: Sequence[str], sizes: Sequence[int], n_folds: int = FOLDS) -> npt.NDArray[np.int64]:
    """Deal videos into folds of about equal size; videos of one group stay together.

    The result is deterministic: groups are dealt from the largest down, each to the fold with the fewest frames.

    Args:
        groups: group of each video.
        sizes: frames of each video.
        n_folds: highest number of folds.

    Returns:
        int64 ``(n_videos,)`` in ``[0, min(n_folds, number of groups))``.
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


def chosen_on(fold: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return the videos on which each choice is made.

    Args:
        fold: fold of each video, ``(n_videos,)``.

    Returns:
        bool ``(n_folds + 1, n_videos)``: a row per fold marks all videos outside the fold, and none if there is only
        one fold. The last row marks all videos, for choices for the test set and for choices as in the papers.
    """
    folds = np.arange(int(fold.max(initial=0)) + 1)
    return np.vstack([fold != folds[:, None], np.ones((1, len(fold)), bool)])
