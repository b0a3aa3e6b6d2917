"""Loss of clip networks: weighted cross-entropy of every frame, with more weight near a change of label."""

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
    """Return the weights ``N / (2 N_0)`` and ``positive_weight * N / (2 N_1)`` of the two classes.

    Source: the authors' notebook; abaw10, section 3.3, states the factor 1.15.

    Args:
        labels: int64 ``(n,)``, -1 for frames without annotation.
        positive_weight: factor of the second class's weight.

    Returns:
        float64 ``(2,)``; a class without examples counts as if it had one.
    """
    counts = np.maximum(np.bincount(labels[labels != UNLABELLED], minlength=2), 1)
    return counts.sum() / (2 * counts) * [1.0, positive_weight]  # type: ignore[no-any-return]


def boundary_weights(targets: torch.Tensor, *, unlabelled_as_zero: bool) -> torch.Tensor:
    """Return weights of frames: 2 within three frames of the first frame with a new label, else 1.

    Source: the authors' models.py.

    Args:
        targets: int64 ``(b, t)``, -1 for frames that are left out.
        unlabelled_as_zero: True to treat frames with -1 as non-violent when looking for changes, as the authors do.

    Returns:
        float32 ``(b, t)``; 0 for frames that are left out.
    """
    labels = targets.clamp(min=0) if unlabelled_as_zero else targets
    changed = labels[:, 1:] != labels[:, :-1]
    if not unlabelled_as_zero:
        changed &= (targets[:, 1:] != UNLABELLED) & (targets[:, :-1] != UNLABELLED)
    near = functional.max_pool1d(
        functional.pad(changed.float(), (1, 0))[:, None], 2 * BOUNDARY_RADIUS + 1, 1, BOUNDARY_RADIUS
    )[:, 0]
    return (1 + (BOUNDARY_WEIGHT - 1) * near) * (targets != UNLABELLED)


@dataclass(frozen=True)
class ClipLoss:
    """Loss of an optimiser's step, summed over its forward passes.

    The loss is ``sum_n w_{y_n} CE_n / sum_n w_{y_n}`` over annotated frames, with label smoothing, plus ``boundary``
    times the same with the weights of :func:`boundary_weights`. In mode ``paper`` each pass is divided by its own sum
    of weights, and a step's loss is the plain mean over its passes. In mode ``fixed`` sums go over the whole step, so
    that the loss is independent of the split into passes.

    Attributes:
        training: settings: mode, label smoothing and ``boundary``.
        weights: float32 ``(2,)``, weights of the classes, in the computer's memory.
    """

    training: ClipTraining
    weights: torch.Tensor

    def totals(self, passes: Sequence[torch.Tensor]) -> list[tuple[float, float]]:
        """Return the divisors of each pass of a step, for the cross-entropy and for the boundary loss.

        Args:
            passes: targets of each pass, int64 ``(b, t)``, in the computer's memory.
        """
        sums = [
            (float(self.weights[each[each != UNLABELLED]].sum(dtype=torch.float64)), float(self._near(each).sum()))
            for each in passes
        ]
        if self.training.mode == "paper":
            return [(frames * len(sums), max(near, 1.0) * len(sums)) for frames, near in sums]
        return [(sum(frames for frames, _ in sums), sum(near for _, near in sums))] * len(sums)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor, totals: tuple[float, float]) -> torch.Tensor:
        """Return the share of a pass in its step's loss; 0, with gradients, if all frames are left out.

        Args:
            logits: float32 ``(b, t, 2)``.
            targets: int64 ``(b, t)``.
            totals: divisors of the pass, from :meth:`totals`.
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
