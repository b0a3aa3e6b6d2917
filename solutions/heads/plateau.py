"""A learning rate that is halved when the training loss no longer falls."""

from __future__ import annotations

import math

FACTOR = 0.5
THRESHOLD = 1e-4


class Plateau:
    """The rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with its defaults, but for a factor of a half.

    abaw10's authors watch the loss on validation. Here the loss on training is watched: labels of validation decide
    nothing in training, so that its score stays a score.

    Args:
        patience: epochs in a row without a loss lower by one part in ten thousand before the rate is halved.
    """

    def __init__(self, patience: int) -> None:
        """Begin before the first epoch."""
        self.patience = patience
        self._best = math.inf
        self._bad_epochs = 0
        self._sum, self._rows = 0.0, 0

    def watch(self, loss: float, rows: int) -> None:
        """Add the mean loss of a batch of rows to that of the epoch."""
        self._sum += loss * rows
        self._rows += rows

    def factor_after_epoch(self) -> float:
        """Return the factor for the learning rate after an epoch, 1 or a half; the next epoch is counted afresh."""
        loss, self._sum, self._rows = self._sum / self._rows, 0.0, 0
        if loss < self._best * (1 - THRESHOLD):
            self._best, self._bad_epochs = loss, 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs <= self.patience:
            return 1.0
        self._bad_epochs = 0
        return FACTOR
