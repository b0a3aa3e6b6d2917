"""Backbones by name, from images of a clip to one row per frame (abaw10, section 3.3; the authors' public code)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from harness.errors import UnknownNameError
from harness.settings import Settings
from solutions.networks.clips import Video, make_video_network, stretched
from solutions.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Colour, Preprocessing
from solutions.networks.timm_networks import create_timm_network, hash_weights

Normalisation = Literal["imagenet", "own"]


@dataclass(frozen=True)
class BackboneRow:
    """Entry of one backbone.

    Attributes:
        name: name in recipes; for timm's and torchvision's networks their name and weight tag.
        title: network and training data, for lists.
        dim: columns of a row.
        video: the network of clips; ``None`` for timm's networks of single images.
        mean: mean of red, green and blue in [0, 1] in the training of the weights.
        std: deviation of red, green and blue in the training of the weights.
    """

    name: str
    title: str
    dim: int
    video: Video | None = None
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD


_KINETICS: tuple[Colour, Colour] = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
_GREY: tuple[Colour, Colour] = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)

BACKBONES: dict[str, BackboneRow] = {
    row.name: row
    for row in (
        BackboneRow("convnext_tiny.in12k_ft_in1k", "ConvNeXt-T: ImageNet-12k, then 1k", 768),
        BackboneRow("convnext_tiny.fb_in1k", "ConvNeXt-T: ImageNet-1k", 768),
        BackboneRow("efficientnet_b0.ra_in1k", "EfficientNet-B0: ImageNet-1k", 1280),
        BackboneRow("resnet18.tv_in1k", "ResNet-18: ImageNet-1k", 512),
        BackboneRow("r3d_18.kinetics400", "3D ResNet-18: Kinetics-400", 512, "r3d_18", *_KINETICS),
        BackboneRow("s3d.kinetics400", "S3D: Kinetics-400", 1024, "s3d", *_KINETICS),
        BackboneRow("r2plus1d_18.kinetics400", "R(2+1)D-18: Kinetics-400", 512, "r2plus1d_18", *_KINETICS),
        BackboneRow("swin3d_t.kinetics400", "Video Swin-T: Kinetics-400", 768, "swin3d_t"),
        BackboneRow("slowfast_r50", "SlowFast R50, 8 x 8: Kinetics-400", 2304, "slowfast", *_GREY),
        BackboneRow("videomae-small", "VideoMAE ViT-S: Kinetics-400", 384, "videomae-small"),
        BackboneRow("videomae-crime", "VideoMAE ViT-B: UCF-Crime", 768, "videomae-base"),
    )
}
"""Backbones by name. Means and deviations are those of the weights' publishers; for timm they are ImageNet's."""


class Backbone(nn.Module):
    """Network from images of clips to one row per frame.

    Args:
        row: entry of the backbone.
        network: module on normalised float32: ``(n, 3, h, w)`` to ``(n, dim)`` for single images, ``(b, 3, t, h, w)``
            to ``(b, dim, t')`` for clips.
        preprocessing: preparation and normalisation of images.
        pretrained: True if the network started from pretrained weights.

    Attributes:
        pretrained: the argument as a bool tensor, which is saved with the weights.
        dim: columns of a row.
        clipwise: True if a row depends on the whole clip, False if on its own image alone.
    """

    pretrained: torch.Tensor

    def __init__(self, row: BackboneRow, network: nn.Module, preprocessing: Preprocessing, *, pretrained: bool) -> None:
        """Register network and preprocessing."""
        super().__init__()
        self.name, self.dim, self.clipwise = row.name, row.dim, row.video is not None
        self.network = network
        self.preprocessing = preprocessing
        self.register_buffer("pretrained", torch.tensor(pretrained))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one row per frame; if the network's output has fewer rows, they are interpolated.

        Args:
            images: RGB uint8 ``(b, t, size, size, 3)``.

        Returns:
            float32 ``(b, t, dim)``.
        """
        b, t = images.shape[:2]
        x = self.preprocessing.normalise(images.flatten(0, 1))
        if self.clipwise:
            rows = stretched(self.network(x.unflatten(0, (b, t)).transpose(1, 2)).float(), t)
            return rows.transpose(1, 2)
        columns: torch.Tensor = self.network(x)
        return columns.float().view(b, t, self.dim)

    def identity(self) -> dict[str, Any]:
        """Return network, start of the weights, hash of the present weights, and preprocessing; plain data."""
        return {
            "backbone": self.name,
            "pretrained": bool(self.pretrained),
            "weights": hash_weights(self.network),
            "preprocessing": self.preprocessing.describe(),
        }


def backbone_row(name: str) -> BackboneRow:
    """Return the entry of a backbone.

    Raises:
        UnknownNameError: the name is unknown.
    """
    if name not in BACKBONES:
        raise UnknownNameError("backbone", name, BACKBONES)
    return BACKBONES[name]


def make_backbone(
    name: str, settings: Settings, *, size: int = 224, normalisation: Normalisation = "imagenet"
) -> Backbone:
    """Return a backbone with pretrained or random weights, as the settings say.

    Args:
        name: name of the backbone.
        settings: location and kind of the weights. Random weights are the same each time.
        size: side length of images in pixels.
        normalisation: see :class:`~solutions.clips.settings.ClipNetwork`.

    Raises:
        UnknownNameError: the name is unknown.
        MissingDependencyError: the weights are missing; the message tells how to get them.
        SolutionError: the imported weights belong to another network.
    """
    row, pretrained = backbone_row(name), settings.weights == "pretrained"
    colours = (row.mean, row.std) if normalisation == "own" else (IMAGENET_MEAN, IMAGENET_STD)
    if row.video is None:
        network = create_timm_network(name, pretrained=pretrained)
    else:
        network = make_video_network(row.video, name if pretrained else None, settings)
    return Backbone(row, network, Preprocessing((size, size), *colours), pretrained=pretrained)
