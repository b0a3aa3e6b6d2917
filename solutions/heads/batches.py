"""Shuffled, standardised batches of rows that are in memory in the dtype in which they are stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from harness.system.counts import counted

_PIECE_VALUES = 2**20
"""Values that are converted at once, 4 MiB in float32: several batches per call, which still fit in the CPU's cache."""


@dataclass(frozen=True)
class Batches:
    """Training rows, served in batches.

    Attributes:
        values: ``(n, dim)``, float16 or float32.
        targets: ``(n, …)``.
        size: rows per batch; the last batch of an epoch may be shorter.
        device: torch device of the batches.
    """

    values: torch.Tensor
    targets: torch.Tensor
    size: int
    device: str

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation of each column, float32 ``(dim,)`` each, summed in float64.

        The deviation of a constant column is 1.
        """
        pieces = self.values.split(max(1, _PIECE_VALUES // 2 // self.values.shape[1]))
        shift = pieces[0].double().mean(0)  # sums of squares about a value close to the mean keep all digits
        total, squares = torch.zeros_like(shift), torch.zeros_like(shift)
        for piece in pieces:
            x = piece.double().sub_(shift)
            total += x.sum(0)
            squares += x.square_().sum(0)
        n = len(self.values)
        mean, std = shift + total / n, (squares / n - (total / n) ** 2).clamp(min=0).sqrt()
        return mean.float(), torch.where(std > 1e-6, std, 1.0).float()

    def shuffled(
        self, standardise: torch.nn.Module, order: torch.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of one epoch: every row once, in a random order.

        Args:
            standardise: module that is applied to inputs, float32 ``(k, dim)``; it may work in place.
            order: random generator of the order.

        Yields:
            Inputs and targets; the next batch overwrites them.
        """
        return self._batches(torch.randperm(len(self.values), generator=order), standardise)

    def balanced(
        self, standardise: torch.nn.Module, rng: np.random.Generator, per_class: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of one epoch, each with the same number of rows of every class (abaw10's authors' code).

        Each batch draws its rows of a class without replacement, independently of other batches; a class with too few
        rows is drawn with replacement. The number of batches is that of all rows over the batch size, rounded up.

        Args:
            standardise: as in :meth:`shuffled`.
            rng: random generator of the rows and of their order within a batch.
            per_class: rows of each class that occurs; ``size`` is their sum.

        Yields:
            Inputs and targets; the next batch overwrites them.
        """
        labels = self.targets.numpy()
        pools = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        if self.size != per_class * len(pools):
            raise ValueError(
                f"batches of {counted(self.size, 'row')} can't hold {per_class} of each of "
                f"{counted(len(pools), 'class')}"
            )
        drawn = np.empty((math.ceil(len(labels) / self.size), self.size), np.int64)
        for batch in drawn:
            rows = [pool[rng.choice(len(pool), per_class, replace=len(pool) < per_class)] for pool in pools]
            batch[:] = rng.permutation(np.concatenate(rows))
        return self._batches(torch.from_numpy(drawn.reshape(-1)), standardise)

    def _batches(
        self, order: torch.Tensor, standardise: torch.nn.Module
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches of the rows with the numbers ``order``, int64 ``(m,)``, in which rows may repeat."""
        dim = self.values.shape[1]
        together = self.size * max(1, _PIECE_VALUES // (dim * self.size))
        stored = torch.empty((together, dim), dtype=self.values.dtype)
        inputs = torch.empty((together, dim), dtype=torch.float32, device=self.device)
        for rows in order.split(together):
            torch.index_select(self.values, 0, rows, out=stored[: len(rows)])
            piece = standardise(inputs[: len(rows)].copy_(stored[: len(rows)]))
            targets = self.targets.index_select(0, rows).to(self.device)
            yield from zip(piece.split(self.size), targets.split(self.size), strict=True)
