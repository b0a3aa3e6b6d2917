"""From a face crop to what a network is given: resized as Pillow does it, then normalised."""

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
    from PIL.Image import Image as Picture

CropMode = Literal["squash", "center", "border"]
Interpolation = Literal["bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"]
Colour = tuple[float, float, float]

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What a network's weights were trained to see.

    By default the whole crop is resized to the network's input, its aspect ratio not kept: torchvision's
    ``Resize((height, width))`` of a Pillow image, then ``ToTensor`` and ``Normalize``, to the last bit.

    Attributes:
        size: (height, width) of the network's input, pixels.
        mean: of red, green and blue in [0, 1].
        std: the same.
        interpolation: Pillow's filter; each but ``nearest`` widens with the reduction (antialias).
        crop_pct: the image is resized to ``size / crop_pct``, and its middle of ``size`` is cut out.
        crop_mode: ``squash`` gives up the aspect ratio, ``center`` loses what is beyond a square, ``border`` fills up
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
        """That of a timm network in evaluation: ``timm.data.create_transform(**config, is_training=False)``.

        Args:
            config: what ``timm.data.resolve_model_data_config`` gives.

        Raises:
            SolutionError: the network takes something else than three colours, or wants another kind of resize.
        """
        channels, height, width = config["input_size"]
        for key, found, known in (
            ("channels", channels, (3,)),
            ("crop_mode", config["crop_mode"], get_args(CropMode)),
            ("interpolation", config["interpolation"], get_args(Interpolation)),
        ):
            if found not in known:
                expected = " or ".join(map(str, known))
                raise SolutionError(f"timm's {key} can't be followed", found=found, expected=expected)
        return cls(
            size=(height, width),
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            interpolation=config["interpolation"],
            crop_pct=config["crop_pct"],
            crop_mode=config["crop_mode"],
        )

    def describe(self) -> dict[str, Any]:
        """Plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def prepare(self, image: Image) -> Image:
        """Resized and cut to the network's input.

        Args:
            image: RGB uint8 ``(h, w, 3)``, any size from one pixel.

        Returns:
            RGB uint8 ``(*size, 3)``.
        """
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image)
        height, width = self._resized(*image.shape[:2])
        resized = picture.resize((width, height), Pillow.Resampling[self.interpolation.upper()])
        return np.asarray(self._middle(resized))

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Colours as the network's weights expect them.

        Args:
            batch: uint8 ``(n, h, w, 3)``, prepared.

        Returns:
            float32 ``(n, 3, h, w)``, on the same device; in memory the channels come last, which convolutions prefer.
        """
        n, height, width, colours = batch.shape
        # a row of pixels at a time: with three numbers in the innermost loop it takes four times as long
        mean, std = batch.new_tensor([self.mean, self.std], dtype=_float32()).repeat(1, width)
        rows = batch.reshape(n, height, width * colours).float().div_(255).sub_(mean).div_(std)
        return rows.view(n, height, width, colours).permute(0, 3, 1, 2)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to resize to, before the middle is cut out. Rounding is timm's, or torchvision's."""
        target = tuple(math.floor(side / self.crop_pct) for side in self.size)
        if self.crop_mode == "squash":
            return target[0], target[1]
        if self.crop_mode == "center" and target[0] == target[1]:
            short = min(height, width)
            return int(target[0] * height / short), int(target[0] * width / short)
        ratios = (height / target[0], width / target[1])
        ratio = max(ratios) if self.crop_mode == "border" else min(ratios)
        return round(height / ratio), round(width / ratio)

    def _middle(self, picture: Picture) -> Picture:
        """The middle of ``size``; what lies outside the picture is filled with the mean colour."""
        from PIL import Image as Pillow

        height, width = self.size
        if picture.size == (width, height):
            return picture
        room_x, room_y = picture.width - width, picture.height - height
        if room_x < 0 or room_y < 0:
            canvas = Pillow.new("RGB", (max(width, picture.width), max(height, picture.height)), self._fill())
            canvas.paste(picture, (max(-room_x, 0) // 2, max(-room_y, 0) // 2))
            picture, room_x, room_y = canvas, max(room_x, 0), max(room_y, 0)
        left, top = round(room_x / 2), round(room_y / 2)
        return picture.crop((left, top, left + width, top + height))

    def _fill(self) -> tuple[int, int, int]:
        red, green, blue = (round(255 * part) if self.crop_mode == "border" else 0 for part in self.mean)
        return red, green, blue


def _float32() -> torch.dtype:
    import torch

    return torch.float32
