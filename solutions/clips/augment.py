"""Changes to a training clip's pictures, drawn a frame at a time as the authors do, or a clip at a time.

Mode ``paper`` (the authors' notebook; abaw10, section 3.3, "applied independently to each frame"): every picture gets a
draw of its own, so that a clip flickers; pictures of flow are treated as photographs, and a flip leaves the horizontal
motion as it was; poses and other features stay as they are, wherever their picture went. Pictures are resized as Pillow
does it, rounded, where the authors' code cuts the fractions off: a grey level at most.

Mode ``fixed``: one draw for the clip. Where other inputs show the same frames, only what leaves every pixel in its
place is drawn for the photographs, and nothing for the flow; a flip mirrors pictures of flow with their horizontal
motion, and where there are features, which nobody can mirror, nothing is flipped.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from solutions.clips.settings import ClipTraining

if TYPE_CHECKING:
    from PIL.Image import Image

Inputs = dict[str, npt.NDArray[Any]]
FlowPictures = Literal["flow", "flow-code", "flow-fixed"]

BINS = 31
# highest magnitude, and whether it is drawn with either sign (Müller and Hutter 2021; torchvision's TrivialAugmentWide)
GEOMETRIC: dict[str, tuple[float, bool]] = {
    "ShearX": (0.99, True),
    "ShearY": (0.99, True),
    "TranslateX": (32.0, True),  # pixels
    "TranslateY": (32.0, True),
    "Rotate": (135.0, True),  # degrees
}
IN_PLACE: dict[str, tuple[float, bool]] = {
    "Identity": (0.0, False),
    "Brightness": (0.99, True),
    "Color": (0.99, True),
    "Contrast": (0.99, True),
    "Sharpness": (0.99, True),
    "Posterize": (6.0, False),  # bits less than 8
    "Solarize": (255.0, False),  # grey levels below 255
    "AutoContrast": (0.0, False),
    "Equalize": (0.0, False),
}
EVERYWHERE = GEOMETRIC | IN_PLACE


@dataclass(frozen=True)
class Change:
    """One of TrivialAugment's operations, with its magnitude."""

    name: str
    magnitude: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, among: Mapping[str, tuple[float, bool]] = EVERYWHERE) -> Change:
        """Any of them, at any of 31 magnitudes from 0, as likely as any other."""
        name = list(among)[rng.integers(len(among))]
        highest, signed = among[name]
        magnitude = magnitudes(highest)[rng.integers(BINS)]
        return cls(name, -magnitude if signed and rng.integers(2) else magnitude)

    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The picture changed, RGB uint8 ``(h, w, 3)``; what comes in from outside is black."""
        from PIL import Image

        return np.asarray(self._on(Image.fromarray(picture)))

    def _on(self, picture: Image) -> Any:
        from torchvision.transforms import functional as tv

        size, by = self.magnitude, 1.0 + self.magnitude
        degrees = math.degrees(math.atan(size))
        match self.name:
            case "ShearX":
                return tv.affine(picture, 0.0, [0, 0], 1.0, [degrees, 0.0], center=[0, 0])
            case "ShearY":
                return tv.affine(picture, 0.0, [0, 0], 1.0, [0.0, degrees], center=[0, 0])
            case "TranslateX":
                return tv.affine(picture, 0.0, [int(size), 0], 1.0, [0.0, 0.0])
            case "TranslateY":
                return tv.affine(picture, 0.0, [0, int(size)], 1.0, [0.0, 0.0])
            case "Rotate":
                return tv.rotate(picture, size)
            case "Brightness":
                return tv.adjust_brightness(picture, by)
            case "Color":
                return tv.adjust_saturation(picture, by)
            case "Contrast":
                return tv.adjust_contrast(picture, by)
            case "Sharpness":
                return tv.adjust_sharpness(picture, by)
            case "Posterize":
                return tv.posterize(picture, 8 - round(size))
            case "Solarize":
                return tv.solarize(picture, 255.0 - size)
            case "AutoContrast":
                return tv.autocontrast(picture)
            case "Equalize":
                return tv.equalize(picture)
            case _:
                return picture


@functools.cache
def magnitudes(highest: float) -> tuple[float, ...]:
    """All 31, from 0: torchvision's, which are rounded to float32, so that 16 pixels are 15."""
    return tuple(torch.linspace(0.0, highest, BINS).tolist())


def augment(
    inputs: Inputs, training: ClipTraining, rng: np.random.Generator, flow_pictures: FlowPictures = "flow"
) -> Inputs:
    """A clip as the network is to see it in training.

    Args:
        inputs: pictures, uint8 ``(t, h, w, 3)``, under ``rgb`` and ``flow``; features, float32 ``(t, d)``.
        flow_pictures: how motion is written in the pictures of flow.
    """
    pictures = [key for key, values in inputs.items() if values.dtype == np.uint8]
    if not pictures or training.augment == "none":
        return inputs
    if training.mode == "paper":
        return inputs | {key: _by_frame(inputs[key], training, rng) for key in pictures}
    alone = len(inputs) == 1
    if training.augment == "trivial":
        change = Change.draw(rng, EVERYWHERE if alone else IN_PLACE)
        return inputs | {key: np.stack([change(one) for one in inputs[key]]) for key in pictures if key != "flow"}
    if len(pictures) < len(inputs) or rng.random() < 0.5:
        return inputs
    turned = {key: np.ascontiguousarray(values[:, :, ::-1]) for key, values in inputs.items()}
    return turned | {"flow": mirrored_flow(inputs["flow"], flow_pictures)} if "flow" in inputs else turned


def _by_frame(
    pictures: npt.NDArray[np.uint8], training: ClipTraining, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    if training.augment == "trivial":
        return np.stack([Change.draw(rng)(one) for one in pictures])
    flipped = rng.random(len(pictures)) < 0.5
    return np.where(flipped[:, None, None, None], pictures[:, :, ::-1], pictures)


def mirrored_flow(pictures: npt.NDArray[np.uint8], flow_pictures: FlowPictures) -> npt.NDArray[np.uint8]:
    """Pictures of flow as those of the mirrored frames would be: turned around, and the horizontal motion with them.

    Args:
        pictures: uint8 ``(t, h, w, 3)``; the last channel holds the horizontal motion.
        flow_pictures: ``flow`` and ``flow-code``, where 0 and 255 are each picture's least and greatest, and a picture
            that is all one value knows of no motion; ``flow-fixed``, where 128 is none.
    """
    turned = np.ascontiguousarray(pictures[:, :, ::-1])
    motion = turned[..., 2]
    if flow_pictures != "flow-fixed":
        moves = motion.min((1, 2), keepdims=True) < motion.max((1, 2), keepdims=True)
        turned[..., 2] = np.where(moves, 255 - motion, motion)
    else:
        turned[..., 2] = np.minimum(256 - motion.astype(np.int16), 255)
    return turned
