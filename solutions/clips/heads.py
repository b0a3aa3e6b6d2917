"""Temporal heads, from rows of a clip to logits of each frame (abaw10, section 3.3; the authors' public code)."""

from __future__ import annotations

import torch
from torch import nn

from solutions.clips.settings import ClipNetwork


def make_head(settings: ClipNetwork, dim: int, n_outputs: int) -> nn.Module:
    """Return the head that the settings name, from float32 ``(b, t, dim)`` to logits ``(b, t, n_outputs)``."""
    match settings.head:
        case "bilstm":
            return BiLSTM(dim, n_outputs, hidden=settings.hidden, layers=settings.layers, dropout=settings.dropout)
        case "tcn":
            return TCN(dim, n_outputs, channels=settings.hidden, blocks=settings.layers, dropout=settings.dropout)
        case "conv1d" | "linear":  # a convolution over one frame is a linear layer
            return nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(dim, n_outputs))


class BiLSTM(nn.Module):
    """LSTM in both directions over the clip.

    Args:
        dim: columns of a row.
        n_outputs: logits per frame.
        hidden: units per direction.
        layers: number of layers.
        dropout: rate of dropout between layers and before the output.
    """

    def __init__(self, dim: int, n_outputs: int, *, hidden: int = 256, layers: int = 2, dropout: float = 0.3) -> None:
        """Create the layers."""
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(dim, hidden, layers, batch_first=True, bidirectional=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, n_outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits ``(b, t, n_outputs)`` of rows ``(b, t, dim)``."""
        logits: torch.Tensor = self.output(self.dropout(self.lstm(rows)[0]))
        return logits


class TCN(nn.Module):
    """Dilated convolutions over frames before and after; 5 blocks see 31 frames to each side.

    The authors' docstring calls the network causal; their padding is symmetric, as it is here.

    Args:
        dim: columns of a row.
        n_outputs: logits per frame.
        channels: channels between input and output.
        blocks: number of residual blocks; the i-th, counted from 0, has a dilation of 2 ** i.
        dropout: rate of dropout in each block.
    """

    def __init__(self, dim: int, n_outputs: int, *, channels: int = 256, blocks: int = 5, dropout: float = 0.3) -> None:
        """Create the layers."""
        super().__init__()
        self.input = nn.Conv1d(dim, channels, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, channels, 3, padding=2**i, dilation=2**i),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                nn.Dropout(dropout),
            )
            for i in range(blocks)
        )
        self.output = nn.Conv1d(channels, n_outputs, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits ``(b, t, n_outputs)`` of rows ``(b, t, dim)``."""
        x = self.input(rows.transpose(1, 2))
        for block in self.blocks:
            x = x + block(x)
        logits: torch.Tensor = self.output(x).transpose(1, 2)
        return logits
