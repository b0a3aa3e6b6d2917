"""Fusion of several inputs with one row per frame into one (abaw10, section 3.3; the authors' public code)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.errors import SolutionError
from solutions.clips.settings import ClipNetwork

Rows = Mapping[str, torch.Tensor]
"""Rows by name of the input, float32 ``(b, t, d)``."""

Moments = Mapping[
    str, tuple[torch.Tensor | npt.NDArray[np.floating[Any]], torch.Tensor | npt.NDArray[np.floating[Any]]]
]
"""Mean and standard deviation of each input's columns, float ``(d,)``."""

_IMAGES = ("rgb", "flow")
_BRANCH = 256  # columns of a vector's branch before the attention


class Fusion(nn.Module):
    """Module from rows of all inputs to one row per frame.

    Attributes:
        dim: columns of the fused rows.
    """

    dim: int

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, float32 ``(b, t, dim)``."""
        raise NotImplementedError


def make_fusion(settings: ClipNetwork, dims: Mapping[str, int]) -> Fusion:
    """Return the fusion that the settings name.

    Args:
        settings: settings of the network.
        dims: columns of each input, in order.

    Raises:
        SolutionError: the fusion takes another number or other kinds of inputs.
    """
    if settings.fusion == "side-by-side":
        return SideBySide(dims)
    if len(dims) == 1:
        return Only(dims)
    match settings.fusion:
        case "concat":
            return Concat(dims, settings.fused)
        case "early":
            _check(dims, settings, "images and vectors", {"rgb", "flow"} & {*dims} and {*dims} - {*_IMAGES})
            return Early(dims, settings.dropout)
        case "gated":
            _check(dims, settings, "two inputs", len(dims) == 2)
            return Gated(dims, settings.fused)
        case "cross-attention":
            _check(dims, settings, "two inputs", len(dims) == 2)
            return CrossAttention(dims, settings.fused, settings.attention_heads, settings.dropout)


class Only(Fusion):
    """Identity for a single input."""

    def __init__(self, dims: Mapping[str, int]) -> None:
        """Take name and width of the only input from ``dims``."""
        super().__init__()
        ((self.name, self.dim),) = dims.items()

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the rows of the only input."""
        return rows[self.name]


class SideBySide(Fusion):
    """Concatenation of all inputs, each column at zero mean and unit variance.

    Until :meth:`set_moments` is called, columns stay as they are.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, dims: Mapping[str, int]) -> None:
        """Start with means of 0 and deviations of 1 for the columns ``dims`` of each input."""
        super().__init__()
        self.dims, self.dim = dict(dims), sum(dims.values())
        self.register_buffer("mean", torch.zeros(self.dim))
        self.register_buffer("std", torch.ones(self.dim))

    def set_moments(self, moments: Moments) -> None:
        """Set the training set's moments.

        Args:
            moments: mean and deviation of every input's columns. A constant column, of deviation 0, is only centred.

        Raises:
            SolutionError: the moments belong to other inputs or numbers of columns, or are infinite or NaN.
        """
        widths = {name: tuple(len(part) for part in pair) for name, pair in moments.items()}
        expected = {name: (dim, dim) for name, dim in self.dims.items()}
        if widths != expected:
            raise SolutionError("moments of other inputs", found=widths, expected=expected)
        mean, std = (torch.cat([torch.as_tensor(moments[name][k]).float() for name in self.dims]) for k in (0, 1))
        if not (mean.isfinite().all() and std.isfinite().all() and (std >= 0).all()):
            raise SolutionError("moments that are no numbers", expected="finite means, deviations of 0 or more")
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 0, std, 1))

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, see :class:`Fusion`."""
        return (torch.cat([rows[name] for name in self.dims], 2) - self.mean) / self.std


class Concat(Fusion):
    """Concatenation of all inputs, followed by one layer."""

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        """Create the layer from the columns ``dims`` of the inputs to ``dim`` columns."""
        super().__init__()
        self.names, self.dim = tuple(dims), dim
        self.layer = nn.Sequential(nn.Linear(sum(dims.values()), dim), nn.LayerNorm(dim), nn.GELU())

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, see :class:`Fusion`."""
        fused: torch.Tensor = self.layer(torch.cat([rows[name] for name in self.names], 2))
        return fused


class Early(Fusion):
    """Concatenation of the images' rows with vectors, each vector after a layer of its own width."""

    def __init__(self, dims: Mapping[str, int], dropout: float) -> None:
        """Create one layer per vector, with dropout."""
        super().__init__()
        self.names, self.dim = tuple(dims), sum(dims.values())
        self.layers = nn.ModuleList(
            nn.Identity() if name in _IMAGES else nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
            for name, width in dims.items()
        )

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, see :class:`Fusion`."""
        return torch.cat([layer(rows[name]) for name, layer in zip(self.names, self.layers, strict=True)], 2)


class Gated(Fusion):
    """Weighted mean of two inputs; a gate gives a weight in (0, 1) for each column."""

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        """Create the projections of both inputs to ``dim`` columns, and the gate."""
        super().__init__()
        self.names, self.dim = tuple(dims), dim
        first, second = dims.values()
        self.first, self.second = nn.Linear(first, dim), nn.Linear(second, dim)
        self.gate = nn.Linear(first + second, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, see :class:`Fusion`."""
        first, second = (rows[name] for name in self.names)
        gate = self.gate(torch.cat([first, second], 2)).sigmoid()
        fused: torch.Tensor = self.norm(gate * self.first(first) + (1 - gate) * self.second(second))
        return fused


class CrossAttention(Fusion):
    """Attention of each input to the other over the frames of the clip, without encoding of positions.

    A vector passes through a branch of its own first: layer norm, a layer of 256, GELU, dropout.

    Args:
        dims: columns of each of the two inputs.
        dim: columns after fusion, and of the attention.
        heads: number of attention heads.
        dropout: rate of dropout in attention, branch and output.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, heads: int, dropout: float) -> None:
        """Create branches, projections, attentions and the output layer."""
        super().__init__()
        self.names, self.dim = tuple(dims), dim
        widths = [width if name in _IMAGES else _BRANCH for name, width in dims.items()]
        self.branches = nn.ModuleList(
            nn.Identity()
            if name in _IMAGES
            else nn.Sequential(nn.LayerNorm(width), nn.Linear(width, _BRANCH), nn.GELU(), nn.Dropout(dropout))
            for name, width in dims.items()
        )
        self.projections = nn.ModuleList(nn.Linear(width, dim) for width in widths)
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True) for _ in widths
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in widths)
        self.output = nn.Sequential(
            nn.Linear(2 * dim, dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.LayerNorm(dim),
        )

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return the fused rows, see :class:`Fusion`."""
        layers = zip(self.names, self.branches, self.projections, strict=True)
        inputs = [projection(branch(rows[name])) for name, branch, projection in layers]
        attended = []
        for query, other, attention, norm in zip(inputs, inputs[::-1], self.attentions, self.norms, strict=True):
            attended.append(norm(query + attention(query, other, other, need_weights=False)[0]))
        fused: torch.Tensor = self.output(torch.cat(attended, 2))
        return fused


def _check(dims: Mapping[str, int], settings: ClipNetwork, expected: str, fits: object) -> None:
    if not fits:
        raise SolutionError(f"{settings.fusion} fusion", found=", ".join(dims), expected=expected)
