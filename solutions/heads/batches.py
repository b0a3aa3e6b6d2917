"""Shuffled, standardised batches of rows that lie in memory as they are stored, made ahead of their use."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

_PIECE_VALUES = 2**22
"""In float32 16 MiB: fits a cache, and what malloc still hands out again without asking the system."""

Piece = tuple[torch.Tensor, torch.Tensor]


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
        pieces = self.values.split(max(1, _PIECE_VALUES // 8 // self.values.shape[1]))
        shift = pieces[0].double().mean(0)  # sums of squares about a value close to the mean lose no digits
        total, squares = torch.zeros_like(shift), torch.zeros_like(shift)
        for piece in pieces:
            x = piece.double().sub_(shift)
            total += x.sum(0)
            squares += x.square_().sum(0)
        n = len(self.values)
        mean, std = shift + total / n, (squares / n - (total / n) ** 2).clamp(min=0).sqrt()
        return mean.float(), torch.where(std > 1e-6, std, 1.0).float()

    def shuffled(self, standardise: torch.nn.Module, order: torch.Generator) -> Iterator[list[Piece]]:
        """One epoch: every row once, in a random order; a few batches at a time.

        Args:
            standardise: applied to inputs, float32 ``(k, dim)``.
        """
        rows = torch.randperm(len(self.values), generator=order)
        together = max(1, _PIECE_VALUES // (self.values.shape[1] * self.size))
        pieces = (self._piece(part, standardise) for part in rows.split(together * self.size))
        for inputs, targets in _ahead(pieces):
            yield list(zip(inputs.split(self.size), targets.split(self.size), strict=True))

    def _piece(self, rows: torch.Tensor, standardise: torch.nn.Module) -> Piece:
        inputs = self.values.index_select(0, rows).to(self.device).float()
        return standardise(inputs), self.targets.index_select(0, rows).to(self.device)


def _ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same; a thread makes the next one while one is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, pieces, None)
        while (piece := following.result()) is not None:
            following = thread.submit(next, pieces, None)
            yield piece
