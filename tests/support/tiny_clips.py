"""Networks and clips so small that training them takes a moment; the parts are the real ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from harness.datasets.images.numbered import list_images
from harness.datasets.images.sources import Pictures
from harness.system.images import opencv
from solutions.clips.clips import FeatureClips, Rows
from solutions.clips.network import ClipNet
from solutions.clips.settings import ClipNetwork, ClipTraining
from solutions.clips.training import train_clips

PLAIN = ClipTraining(
    mode="fixed",
    clip_length=8,
    step=1,
    batch=4,
    accumulate=1,
    epochs=3,
    learning_rate=1e-2,
    peak=1.0,
    label_smoothing=0.0,
    positive_weight=1.0,
    positive_clips=0.0,
    augment="none",
)


class TinyBackbone(nn.Module):
    """Mean colours through a BatchNorm and a layer, with names as timm's networks have them."""

    dim, clipwise = 4, False

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.ModuleDict(
            {
                "stem": nn.Linear(3, 4),
                "bn1": nn.BatchNorm1d(4),
                "head": nn.ModuleDict({"norm": nn.LayerNorm(4)}),
                "conv_head": nn.Linear(4, 4),
            }
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        colours = pictures.float().mean((2, 3)) / 255
        x = self.network["bn1"](self.network["stem"](colours.flatten(0, 1)))
        return self.network["conv_head"](self.network["head"]["norm"](x)).unflatten(0, colours.shape[:2])


def tiny_net(network: ClipNetwork, *, seed: int = 0, **feature_dims: int) -> ClipNet:
    """A clip network with tiny encoders, where it has any."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoders = {key: TinyBackbone() for key in ("rgb", "flow") if getattr(network, key)}
        dims = dict.fromkeys(encoders, TinyBackbone.dim) | feature_dims
        return ClipNet(network, encoders, dims, 2)


def head_net(head: str = "tcn", *, dim: int = 3, dropout: float = 0.0, seed: int = 0) -> ClipNet:
    """A head on one kind of features."""
    settings = ClipNetwork(features=("x",), head=head, hidden=16, layers=3 if head == "tcn" else 1, dropout=dropout)
    return tiny_net(settings, seed=seed, x=dim)


def feature_clips(labels: Sequence[np.ndarray], values: Sequence[np.ndarray], key: str = "x") -> FeatureClips:
    """A row for every frame."""
    rows = [Rows(np.arange(1, len(own) + 1), own) for own in values]
    return FeatureClips([f"v{k}" for k in range(len(labels))], labels, {key: rows})


def drawn(lengths: Sequence[int], *, dim: int = 3, seed: int = 0) -> FeatureClips:
    """Features of noise, a little of the label in the first column."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, 2, n) for n in lengths]
    values = [rng.normal(size=(n, dim)).astype(np.float32) for n in lengths]
    for own, truth in zip(values, labels, strict=True):
        own[:, 0] += truth
    return feature_clips(labels, values)


def folder_of_pictures(folder: Path, colours: dict[int, int], *, size: int = 12) -> Pictures:
    """Grey pictures, a frame's number to its grey level."""
    folder.mkdir(parents=True)
    for frame, grey in colours.items():
        image = np.full((size, size + 4, 3), grey, np.uint8)
        (folder / f"{frame:05d}.png").write_bytes(opencv().imencode(".png", image)[1].tobytes())
    return list_images(folder)


def killed_training(folder: Path, training: ClipTraining, reads: int) -> None:
    """SIGKILL to this very process when clips are read for the n-th time."""

    class Deadly(FeatureClips):
        left = reads

        def read(self, video: int | np.ndarray, frames: np.ndarray) -> dict[str, np.ndarray]:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read(video, frames)

    whole = drawn([60, 33, 7])
    clips = Deadly(["a", "b", "c"], whole.labels, whole._rows)
    train_clips(head_net(dropout=0.2), training, clips, seed=0, folder=folder)
