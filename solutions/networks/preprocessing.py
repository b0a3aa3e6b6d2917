"""Preprocessing from an image to a network's input: resizing as Pillow does it, then normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from harness.errors import SolutionError
from harness.system.images import Image

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image as PillowImage

CropMode = Literal["squash", "center", "border"]
Interpolation = Literal["bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"]
Colour = tuple[float, float, float]

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing for which a network's weights were trained.

    By default the whole image is resized to the network's input, ignoring its aspect ratio: torchvision's
    ``Resize((height, width))`` of a Pillow image, then ``ToTensor`` and ``Normalize``, equal to the last bit.

    Attributes:
        size: (height, width) of the network's input in pixels.
        mean: mean of red, green and blue in [0, 1].
        std: deviation of red, green and blue.
        interpolation: Pillow's filter; all except ``nearest`` widen with the reduction (antialias).
        crop_pct: the image is resized to ``size / crop_pct``, and its middle of ``size`` is cut out.
        crop_mode: ``squash`` ignores the aspect ratio, ``center`` cuts off the parts outside a square, ``border`` pads
            with the mean colour.
    """

    size: tuple[int, int]
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    interpolation: Interpolation = "bilinear"
    crop_pct: float = 1.0
    crop_mode: CropMode = "squash"

    @classmethod
    def from_timm(cls, config: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing of a timm network, ``timm.data.create_transform(**config, is_training=False)``.

        Args:
            config: result of ``timm.data.resolve_model_data_config``.

        Raises:
            SolutionError: the number of channels differs from three, or the method of resizing is unknown.
        """
        channels, height, width = config["input_size"]
        for key, value, known in (
            ("channels", channels, (3,)),
            ("crop_mode", config["crop_mode"], get_args(CropMode)),
            ("interpolation", config["interpolation"], get_args(Interpolation)),
        ):
            if value not in known:
                expected = " or ".join(map(str, known))
                raise SolutionError(f"timm's {key} can't be followed", found=value, expected=expected)
        return cls(
            size=(height, width),
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            interpolation=config["interpolation"],
            crop_pct=config["crop_pct"],
            crop_mode=config["crop_mode"],
        )

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def prepare(self, image: Image) -> Image:
        """Return the image resized and cut to the network's input.

        Args:
            image: RGB uint8 ``(h, w, 3)``, of any size.

        Returns:
            RGB uint8 ``(*size, 3)``.
        """
        from PIL import Image as Pillow

        whole = Pillow.fromarray(image)
        height, width = self._resized(*image.shape[:2])
        resized = whole.resize((width, height), Pillow.Resampling[self.interpolation.upper()])
        return np.asarray(self._middle(resized))

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Return images with normalised colours.

        Args:
            batch: uint8 ``(n, h, w, 3)``, prepared.

        Returns:
            float32 ``(n, 3, h, w)``, on the same device; channels are last in memory, which is faster for convolutions.
        """
        n, height, width, colours = batch.shape
        # work on rows of pixels: with three numbers in the innermost loop it would take four times as long
        mean, std = batch.new_tensor([self.mean, self.std], dtype=_float32()).repeat(1, width)
        rows = batch.reshape(n, height, width * colours).float().div_(255).sub_(mean).div_(std)
        return rows.view(n, height, width, colours).permute(0, 3, 1, 2)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width before the middle is cut out, rounded as in timm or torchvision."""
        target = tuple(math.floor(side / self.crop_pct) for side in self.size)
        if self.crop_mode == "squash":
            return target[0], target[1]
        if self.crop_mode == "center" and target[0] == target[1]:
            short = min(height, width)
            return int(target[0] * height / short), int(target[0] * width / short)
        ratios = (height / target[0], width / target[1])
        ratio = max(ratios) if self.crop_mode == "border" else min(ratios)
        return round(height / ratio), round(width / ratio)

    def _middle(self, image: PillowImage) -> PillowImage:
        """Return the middle of ``size``; pixels outside the image have the fill colour of the crop mode."""
        from PIL import Image as Pillow

        height, width = self.size
        if image.size == (width, height):
            return image
        room_x, room_y = image.width - width, image.height - height
        if room_x < 0 or room_y < 0:
            canvas = Pillow.new("RGB", (max(width, image.width), max(height, image.height)), self._fill())
            canvas.paste(image, (max(-room_x, 0) // 2, max(-room_y, 0) // 2))
            image, room_x, room_y = canvas, max(room_x, 0), max(room_y, 0)
        left, top = round(room_x / 2), round(room_y / 2)
        return image.crop((left, top, left + width, top + height))

    def _fill(self) -> tuple[int, int, int]:
        red, green, blue = (round(255 * part) if self.crop_mode == "border" else 0 for part in self.mean)
        return red, green, blue


def _float32() -> torch.dtype:
    import torch

    return torch.float32
