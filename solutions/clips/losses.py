"""What clip networks are trained on: weighted cross-entropy of every frame, and more weight near a change of label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from solutions.clips.sampling import UNLABELLED
from solutions.clips.settings import ClipTraining

BOUNDARY_RADIUS = 3
BOUNDARY_WEIGHT = 2.0


def class_weights(labels: npt.NDArray[np.int64], positive_weight: float) -> npt.NDArray[np.float64]:
    """``N / (2 N_0)`` and ``positive_weight * N / (2 N_1)`` (the authors' notebook; abaw10, section 3.3, has the 1.15).

    Args:
        labels: int64 ``(n,)``, -1 where nobody annotated.

    Returns:
        float64 ``(2,)``; a class that never occurs counts as if it did once.
    """
    counts = np.maximum(np.bincount(labels[labels != UNLABELLED], minlength=2), 1)
    return counts.sum() / (2 * counts) * [1.0, positive_weight]  # type: ignore[no-any-return]


def boundary_weights(targets: torch.Tensor, *, unlabelled_as_zero: bool) -> torch.Tensor:
    """Twice the weight for frames up to three away from the first frame with another label (the authors' models.py).

    Args:
        targets: int64 ``(b, t)``, -1 for frames that don't count.
        unlabelled_as_zero: take these for non-violent ones in looking for changes, as the authors do.

    Returns:
        float32 ``(b, t)``; 0 for frames that don't count.
    """
    seen = targets.clamp(min=0) if unlabelled_as_zero else targets
    changed = seen[:, 1:] != seen[:, :-1]
    if not unlabelled_as_zero:
        changed &= (targets[:, 1:] != UNLABELLED) & (targets[:, :-1] != UNLABELLED)
    near = functional.max_pool1d(
        functional.pad(changed.float(), (1, 0))[:, None], 2 * BOUNDARY_RADIUS + 1, 1, BOUNDARY_RADIUS
    )[:, 0]
    return (1 + (BOUNDARY_WEIGHT - 1) * near) * (targets != UNLABELLED)


@dataclass(frozen=True)
class ClipLoss:
    """The loss of an optimiser's step, summed up a pass at a time.

    ``sum_n w_{y_n} CE_n / sum_n w_{y_n}`` over frames that count, label smoothing in the cross-entropy, plus
    ``boundary`` times the same with the weights of :func:`boundary_weights`. In mode ``paper`` each pass is divided by
    its own sum of weights, and a step's loss is the mean over its passes, whatever they hold; in mode ``fixed`` the
    sums go over the whole step, so that how it is cut into passes changes nothing.

    Attributes:
        weights: float32 ``(2,)``, of the classes, in the computer's memory.
    """

    training: ClipTraining
    weights: torch.Tensor

    def totals(self, passes: Sequence[torch.Tensor]) -> list[tuple[float, float]]:
        """What each pass of a step divides its sums by, for the cross-entropy and for the boundary's.

        Args:
            passes: their targets, int64 ``(b, t)``, in the computer's memory.
        """
        own = [
            (float(self.weights[each[each != UNLABELLED]].sum(dtype=torch.float64)), float(self._near(each).sum()))
            for each in passes
        ]
        if self.training.mode == "paper":
            return [(frames * len(own), max(near, 1.0) * len(own)) for frames, near in own]
        return [(sum(frames for frames, _ in own), sum(near for _, near in own))] * len(own)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor, totals: tuple[float, float]) -> torch.Tensor:
        """A pass's share of its step's loss; 0, with slopes, where no frame counts.

        Args:
            logits: float32 ``(b, t, 2)``.
            targets: int64 ``(b, t)``.
            totals: see :meth:`totals`.
        """
        flat, truth = logits.float().flatten(0, 1), targets.flatten()
        loss = functional.cross_entropy(
            flat,
            truth,
            self.weights.to(logits.device, non_blocking=True),
            ignore_index=UNLABELLED,
            reduction="sum",
            label_smoothing=self.training.label_smoothing,
        ) / (totals[0] or 1.0)
        if self.training.boundary:
            each = functional.cross_entropy(flat, truth, ignore_index=UNLABELLED, reduction="none")
            near = (each * self._near(targets).flatten()).sum() / (totals[1] or 1.0)
            loss = loss + self.training.boundary * near
        return loss

    def _near(self, targets: torch.Tensor) -> torch.Tensor:
        return boundary_weights(targets, unlabelled_as_zero=self.training.mode == "paper")
