"""Shuffled, standardised batches of rows that lie in memory as they are stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

_PIECE_VALUES = 2**20
"""Made at once, 4 MiB in float32: a few batches, so that calls are few and all is still in the cache when it's used."""


@dataclass(frozen=True)
class Batches:
    """Training rows, dealt out in batches.

    Attributes:
        values: ``(n, dim)``, float16 or float32.
        targets: ``(n, …)``.
        size: rows of a batch; the last one of an epoch may be shorter.
        device: where batches go.
    """

    values: torch.Tensor
    targets: torch.Tensor
    size: int
    device: str

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of each column, float32 ``(dim,)`` each, summed in float64; 1 for a constant."""
        pieces = self.values.split(max(1, _PIECE_VALUES // 2 // self.values.shape[1]))
        shift = pieces[0].double().mean(0)  # sums of squares about a value close to the mean lose no digits
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
        """One epoch: every row once, in a random order.

        Args:
            standardise: applied to inputs, float32 ``(k, dim)``, in place if it can.

        Yields:
            inputs and targets; both are overwritten when the next ones are asked for.
        """
        return self._dealt(torch.randperm(len(self.values), generator=order), standardise)

    def balanced(
        self, standardise: torch.nn.Module, rng: np.random.Generator, per_class: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield an epoch of batches that hold as many rows of each class (abaw10's authors' code).

        A batch draws its rows of a class without replacement, batches draw independently of each other; a class with
        fewer rows is drawn with replacement. There are as many batches as hold all rows, rounded up.

        Args:
            standardise: as in :meth:`shuffled`.
            rng: draws rows and their order within a batch.
            per_class: rows of each class that occurs; ``size`` is their sum.

        Yields:
            inputs and targets; both are overwritten when the next ones are asked for.
        """
        labels = self.targets.numpy()
        pools = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        if self.size != per_class * len(pools):
            raise ValueError(f"batches of {self.size} rows can't hold {per_class} of each of {len(pools)} classes")
        drawn = np.empty((math.ceil(len(labels) / self.size), self.size), np.int64)
        for batch in drawn:
            rows = [pool[rng.choice(len(pool), per_class, replace=len(pool) < per_class)] for pool in pools]
            batch[:] = rng.permutation(np.concatenate(rows))
        return self._dealt(torch.from_numpy(drawn.reshape(-1)), standardise)

    def _dealt(self, order: torch.Tensor, standardise: torch.nn.Module) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches of the rows in that order, int64 ``(m,)``; each row may come any number of times."""
        dim = self.values.shape[1]
        together = self.size * max(1, _PIECE_VALUES // (dim * self.size))
        stored = torch.empty((together, dim), dtype=self.values.dtype)
        inputs = torch.empty((together, dim), dtype=torch.float32, device=self.device)
        for rows in order.split(together):
            torch.index_select(self.values, 0, rows, out=stored[: len(rows)])
            piece = standardise(inputs[: len(rows)].copy_(stored[: len(rows)]))
            targets = self.targets.index_select(0, rows).to(self.device)
            yield from zip(piece.split(self.size), targets.split(self.size), strict=True)
