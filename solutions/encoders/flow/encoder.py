"""Optical flow between a frame and the one before, and pictures of it.

Farneback's method with the authors' parameters (their public ``precompute_features.py``): on grey frames, squashed to
224 x 224. A video's first frame has no motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel

FORMAT = 1
"""Raised whenever the meaning of a picture changes: those cached under another number are made anew."""

SIDE = 224
"""Pixels of a side (abaw10, section 3.3)."""

FARNEBACK = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0,
}  # fmt: skip
"""The authors' parameters."""

LIMIT = 20.0
"""Pixels a frame: displacements beyond it are cut off in ``flow-fixed``."""

Flow = npt.NDArray[np.float32]


def farneback(previous: Image, current: Image) -> Flow:
    """Where each point of a frame has gone in the next.

    Args:
        previous, current: grey uint8 ``(h, w)``; a previous one of another size is stretched to the current one's.

    Returns:
        float32 ``(h, w, 2)``, pixels to the right and down, at the points of ``previous``.
    """
    cv2 = opencv()
    if previous.shape != current.shape:
        previous = cv2.resize(previous, current.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.calcOpticalFlowFarneback(previous, current, None, **FARNEBACK), np.float32)


class _FlowPictures:
    """Pictures of flow, one a frame. As the networks see them red is its magnitude, green dy, blue dx."""

    name: str
    parallel: Parallel = "processes"
    batch_size = 32
    context = 1

    def prepare(self, image: Image) -> Image:
        """Grey, squashed to ``SIDE``; OpenCV's bilinear, without antialiasing, as the authors have it."""
        cv2 = opencv()
        return np.asarray(cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE)), np.uint8)

    def encode(self, images: Sequence[Image], before: Sequence[Image] = ()) -> list[bytes]:
        """Files of the pictures of frames.

        Args:
            images: what ``prepare`` gave, of frames one after the other.
            before: that of the frame before them, if there is one.
        """
        frames: list[Image | None] = [before[-1] if len(before) else None, *images]
        return [
            self._file(None if previous is None else farneback(previous, current))
            for previous, current in zip(frames, images, strict=False)
        ]

    def identity(self) -> dict[str, Any]:
        """Parameters, and OpenCV's version."""
        return {"pictures": self.name, "format": FORMAT, "opencv": str(opencv().__version__), "side": SIDE, **FARNEBACK}

    def _file(self, flow: Flow | None) -> bytes:
        raise NotImplementedError

    def _encoded(self, kind: str, picture: Image, options: Sequence[int] = ()) -> bytes:
        """The file of an RGB picture."""
        cv2 = opencv()
        encoded: npt.NDArray[np.uint8] = cv2.imencode(kind, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), list(options))[1]
        return encoded.tobytes()


class PaperFlow(_FlowPictures):
    """As the authors' images: each channel stretched to its own lowest and highest value, JPEG of default quality.

    How fast anything moves, and where zero is, is lost, and JPEG mixes the channels. A video's first is black.
    """

    name = "flow"

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            return self._encoded(".jpg", np.zeros((SIDE, SIDE, 3), np.uint8))
        channels = np.dstack([np.hypot(flow[..., 0], flow[..., 1]), flow[..., 1], flow[..., 0]])
        lowest, highest = channels.min((0, 1)), channels.max((0, 1))
        stretched = (channels - lowest) * (255 / np.maximum(highest - lowest, 1e-6))
        return self._encoded(".jpg", np.rint(stretched).astype(np.uint8))


class CodeFlow(_FlowPictures):
    """Images as the authors' script writes them: stretched values are cut off to whole numbers, not rounded.

    A channel that spans less than one millionth of a pixel is black. Unlike the script, a frame that can't be read is
    an error here.
    """

    name = "flow-code"

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            return self._encoded(".jpg", np.zeros((SIDE, SIDE, 3), np.uint8))
        dx, dy = flow[..., 0], flow[..., 1]
        channels = (np.sqrt(dx**2 + dy**2), dy, dx)
        return self._encoded(".jpg", np.stack([_cut_off(channel) for channel in channels], -1))


def _cut_off(channel: Flow) -> npt.NDArray[np.uint8]:
    """Return a channel stretched to 0 to 255, whole numbers below each value."""
    lowest, highest = channel.min(), channel.max()
    if highest - lowest < 1e-6:
        return np.zeros(channel.shape, np.uint8)
    return np.asarray((channel - lowest) / (highest - lowest) * 255).astype(np.uint8)


class FixedFlow(_FlowPictures):
    """Of one scale, lossless (PNG): a value means the same displacement in every frame.

    ``dx`` and ``dy`` are ``128 + 127 / LIMIT`` a pixel, so that mirroring a picture turns its third channel's ``v``
    into ``256 - v``; the magnitude is ``255 / LIMIT`` a pixel. A video's first shows no motion.
    """

    name = "flow-fixed"

    def identity(self) -> dict[str, Any]:
        """Parameters, and OpenCV's version."""
        return super().identity() | {"limit": LIMIT}

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            flow = np.zeros((SIDE, SIDE, 2), np.float32)
        along = 128 + np.clip(flow, -LIMIT, LIMIT) * (127 / LIMIT)
        magnitude = np.clip(np.hypot(flow[..., 0], flow[..., 1]), 0, LIMIT) * (255 / LIMIT)
        picture = np.rint(np.dstack([magnitude, along[..., 1], along[..., 0]])).astype(np.uint8)
        return self._encoded(".png", picture, [opencv().IMWRITE_PNG_COMPRESSION, 3])
