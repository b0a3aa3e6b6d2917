"""Choices made on labels, honestly: chosen on all folds but one, applied to the fold left out.

Papers choose windows, thresholds and weights on the validation set that they report. Cross-fitting gives two numbers:
what the choice is worth on videos it has not seen, and what it looks like when tuned on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FOLDS = 5


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


def chosen_on(fold: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which videos each choice is made on.

    Args:
        fold: of each video, ``(n_videos,)``.

    Returns:
        bool ``(n_folds + 1, n_videos)``: for each fold all videos outside it, none where there is only one fold; in
        the last row all videos, for the test set, and as the papers do.
    """
    folds = np.arange(int(fold.max(initial=0)) + 1)
    return np.vstack([fold != folds[:, None], np.ones((1, len(fold)), bool)])
