"""Random augmentation of a training clip's images, drawn per frame as in the authors' code, or per clip.

Mode ``paper`` (the authors' notebook; abaw10, section 3.3, "applied independently to each frame"): every image gets its
own random change, so that a clip flickers. Flow images are treated as photographs, and a flip keeps their horizontal
motion. Poses and other features stay as they are, even if their image moves. Images are resized as Pillow does it, with
rounding; the authors' code truncates, a difference of at most one grey level.

Mode ``fixed``: one random change per clip. If other inputs show the same frames, photographs get only changes that keep
every pixel in its place, and flow images stay as they are. A flip mirrors flow images together with their horizontal
motion; clips with features stay unflipped, because features can't be mirrored.
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
# (highest magnitude, True for a random sign); source: Müller and Hutter 2021, torchvision's TrivialAugmentWide
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
    "Posterize": (6.0, False),  # number of bits removed from 8
    "Solarize": (255.0, False),  # grey levels below 255
    "AutoContrast": (0.0, False),
    "Equalize": (0.0, False),
}
EVERYWHERE = GEOMETRIC | IN_PLACE


@dataclass(frozen=True)
class Change:
    """Operation of TrivialAugment with its magnitude."""

    name: str
    magnitude: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, among: Mapping[str, tuple[float, bool]] = EVERYWHERE) -> Change:
        """Draw an operation and one of its 31 magnitudes, all with the same probability.

        Args:
            rng: random generator.
            among: highest magnitude of each operation, and True for a random sign.
        """
        name = list(among)[rng.integers(len(among))]
        highest, signed = among[name]
        magnitude = magnitudes(highest)[rng.integers(BINS)]
        return cls(name, -magnitude if signed and rng.integers(2) else magnitude)

    def __call__(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the changed image, RGB uint8 ``(h, w, 3)``; pixels from outside the image are black."""
        from PIL import Image

        return np.asarray(self._on(Image.fromarray(image)))

    def _on(self, image: Image) -> Any:
        from torchvision.transforms import functional as tv

        size, by = self.magnitude, 1.0 + self.magnitude
        degrees = math.degrees(math.atan(size))
        match self.name:
            case "ShearX":
                return tv.affine(image, 0.0, [0, 0], 1.0, [degrees, 0.0], center=[0, 0])
            case "ShearY":
                return tv.affine(image, 0.0, [0, 0], 1.0, [0.0, degrees], center=[0, 0])
            case "TranslateX":
                return tv.affine(image, 0.0, [int(size), 0], 1.0, [0.0, 0.0])
            case "TranslateY":
                return tv.affine(image, 0.0, [0, int(size)], 1.0, [0.0, 0.0])
            case "Rotate":
                return tv.rotate(image, size)
            case "Brightness":
                return tv.adjust_brightness(image, by)
            case "Color":
                return tv.adjust_saturation(image, by)
            case "Contrast":
                return tv.adjust_contrast(image, by)
            case "Sharpness":
                return tv.adjust_sharpness(image, by)
            case "Posterize":
                return tv.posterize(image, 8 - round(size))
            case "Solarize":
                return tv.solarize(image, 255.0 - size)
            case "AutoContrast":
                return tv.autocontrast(image)
            case "Equalize":
                return tv.equalize(image)
            case _:
                return image


@functools.cache
def magnitudes(highest: float) -> tuple[float, ...]:
    """Return the 31 magnitudes from 0 up, rounded to float32 as in torchvision, which makes 15 of 16 pixels."""
    return tuple(torch.linspace(0.0, highest, BINS).tolist())


def augment(
    inputs: Inputs, training: ClipTraining, rng: np.random.Generator, flow_pictures: FlowPictures = "flow"
) -> Inputs:
    """Return a clip with the augmentation of the training's mode.

    Args:
        inputs: images, uint8 ``(t, h, w, 3)``, under ``rgb`` and ``flow``; features, float32 ``(t, d)``.
        training: settings; mode and kind of augmentation are used.
        rng: random generator.
        flow_pictures: encoding of motion in the flow images, see :func:`mirrored_flow`.
    """
    images = [key for key, values in inputs.items() if values.dtype == np.uint8]
    if not images or training.augment == "none":
        return inputs
    if training.mode == "paper":
        return inputs | {key: _by_frame(inputs[key], training, rng) for key in images}
    alone = len(inputs) == 1
    if training.augment == "trivial":
        change = Change.draw(rng, EVERYWHERE if alone else IN_PLACE)
        return inputs | {key: np.stack([change(image) for image in inputs[key]]) for key in images if key != "flow"}
    if len(images) < len(inputs) or rng.random() < 0.5:
        return inputs
    turned = {key: np.ascontiguousarray(values[:, :, ::-1]) for key, values in inputs.items()}
    return turned | {"flow": mirrored_flow(inputs["flow"], flow_pictures)} if "flow" in inputs else turned


def _by_frame(images: npt.NDArray[np.uint8], training: ClipTraining, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    if training.augment == "trivial":
        return np.stack([Change.draw(rng)(image) for image in images])
    flipped = rng.random(len(images)) < 0.5
    return np.where(flipped[:, None, None, None], images[:, :, ::-1], images)


def mirrored_flow(images: npt.NDArray[np.uint8], flow_pictures: FlowPictures) -> npt.NDArray[np.uint8]:
    """Return the flow images of the mirrored frames: mirrored, with the horizontal motion reversed.

    Args:
        images: uint8 ``(t, h, w, 3)``; the last channel holds the horizontal motion.
        flow_pictures: encoding of motion. ``flow`` and ``flow-code``: 0 and 255 are the least and greatest motion of
            each image, and an image of one value shows no motion. ``flow-fixed``: 128 stands for no motion.
    """
    turned = np.ascontiguousarray(images[:, :, ::-1])
    motion = turned[..., 2]
    if flow_pictures != "flow-fixed":
        moves = motion.min((1, 2), keepdims=True) < motion.max((1, 2), keepdims=True)
        turned[..., 2] = np.where(moves, 255 - motion, motion)
    else:
        turned[..., 2] = np.minimum(256 - motion.astype(np.int16), 255)
    return turned
