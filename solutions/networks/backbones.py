"""Backbones by name: pictures of a clip to a row a frame (abaw10, section 3.3; the authors' public code)."""

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
    """One backbone.

    Attributes:
        name: as recipes name it; timm's or torchvision's name and weight tag where it is theirs.
        dim: columns.
        video: which network of clips it is; ``None`` for timm's networks of single pictures.
        mean, std: of red, green and blue in [0, 1], which its weights were trained with.
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
"""Torchvision's, PyTorchVideo's and Hugging Face's own means and deviations; those of timm's four are ImageNet's."""


class Backbone(nn.Module):
    """Pictures of clips to a row a frame.

    Args:
        network: float32, normalised; ``(n, 3, h, w)`` to ``(n, dim)`` for single pictures, ``(b, 3, t, h, w)`` to
            ``(b, dim, t')`` for clips.
        pretrained: whether it started from such weights.

    Attributes:
        pretrained: the same, a bool that is saved with the weights.
        dim: columns.
        clipwise: whether a row depends on the whole clip, not on its own picture alone.
    """

    pretrained: torch.Tensor

    def __init__(self, row: BackboneRow, network: nn.Module, preprocessing: Preprocessing, *, pretrained: bool) -> None:
        super().__init__()
        self.name, self.dim, self.clipwise = row.name, row.dim, row.video is not None
        self.network = network
        self.preprocessing = preprocessing
        self.register_buffer("pretrained", torch.tensor(pretrained))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Rows, and where the network gives fewer than there are frames, rows between them.

        Args:
            pictures: RGB uint8 ``(b, t, size, size, 3)``.

        Returns:
            float32 ``(b, t, dim)``.
        """
        b, t = pictures.shape[:2]
        x = self.preprocessing.normalise(pictures.flatten(0, 1))
        if self.clipwise:
            rows = stretched(self.network(x.unflatten(0, (b, t)).transpose(1, 2)).float(), t)
            return rows.transpose(1, 2)
        own: torch.Tensor = self.network(x)
        return own.float().view(b, t, self.dim)

    def identity(self) -> dict[str, Any]:
        """Which network, what it started from, a hash of the weights that it has now, preprocessing. Plain data."""
        return {
            "backbone": self.name,
            "pretrained": bool(self.pretrained),
            "weights": hash_weights(self.network),
            "preprocessing": self.preprocessing.describe(),
        }


def backbone_row(name: str) -> BackboneRow:
    """The backbone's entry.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in BACKBONES:
        raise UnknownNameError("backbone", name, BACKBONES)
    return BACKBONES[name]


def make_backbone(
    name: str, settings: Settings, *, size: int = 224, normalisation: Normalisation = "imagenet"
) -> Backbone:
    """The backbone of that name, with weights as the settings want them.

    Args:
        settings: where weights lie, and whether they are pretrained or random. Random ones are the same each time.
        size: pixels of a picture's side.
        normalisation: see :class:`~solutions.clips.settings.ClipNetwork`.

    Raises:
        UnknownNameError: there is none.
        MissingDependencyError: its weights are not here; the message says how to get them.
        SolutionError: what was imported is not its weights.
    """
    row, pretrained = backbone_row(name), settings.weights == "pretrained"
    own = (row.mean, row.std) if normalisation == "own" else (IMAGENET_MEAN, IMAGENET_STD)
    if row.video is None:
        network = create_timm_network(name, pretrained=pretrained)
    else:
        network = make_video_network(row.video, name if pretrained else None, settings)
    return Backbone(row, network, Preprocessing((size, size), *own), pretrained=pretrained)
