"""Schedule that halves the learning rate when the training loss stops falling."""

from __future__ import annotations

import math

FACTOR = 0.5
THRESHOLD = 1e-4


class Plateau:
    """Rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with its defaults, except for a factor of 0.5.

    abaw10's authors watch the validation loss. Here the training loss is watched, so that validation labels don't
    influence training and the validation score stays honest.

    Args:
        patience: epochs in a row that may fail to lower the loss by a factor of 1e-4; the next one halves the rate.
    """

    def __init__(self, patience: int) -> None:
        """Start before the first epoch."""
        self.patience = patience
        self._best = math.inf
        self._bad_epochs = 0
        self._sum, self._rows = 0.0, 0

    def watch(self, loss: float, rows: int) -> None:
        """Add the mean loss of a batch with some number of rows to the loss of the epoch."""
        self._sum += loss * rows
        self._rows += rows

    def factor_after_epoch(self) -> float:
        """Return the factor for the learning rate after an epoch, 1 or 0.5, and reset the loss for the next epoch."""
        loss, self._sum, self._rows = self._sum / self._rows, 0.0, 0
        if loss < self._best * (1 - THRESHOLD):
            self._best, self._bad_epochs = loss, 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs <= self.patience:
            return 1.0
        self._bad_epochs = 0
        return FACTOR
