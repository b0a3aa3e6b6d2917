"""Optical flow between a frame and the previous one, as images.

Flow is computed by Farneback's method with the authors' parameters (their public ``precompute_features.py``), on grey
frames that are resized to 224 x 224, ignoring their aspect ratio. A video's first frame has no motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel

FORMAT = 1
"""Version of the images' meaning, increased with each change: images of another version are computed again."""

SIDE = 224
"""Side length in pixels (abaw10, section 3.3)."""

FARNEBACK = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0,
}  # fmt: skip
"""The authors' parameters."""

LIMIT = 20.0
"""Largest displacement in ``flow-fixed``, in pixels per frame; larger ones are clipped."""

Flow = npt.NDArray[np.float32]


def farneback(previous: Image, current: Image) -> Flow:
    """Return the displacement of each point from a frame to the next.

    Args:
        previous: grey uint8 ``(h', w')``; a frame of another size is resized to that of ``current``.
        current: grey uint8 ``(h, w)``.

    Returns:
        float32 ``(h, w, 2)``, pixels to the right and down, at the points of ``previous``.
    """
    cv2 = opencv()
    if previous.shape != current.shape:
        previous = cv2.resize(previous, current.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.calcOpticalFlowFarneback(previous, current, None, **FARNEBACK), np.float32)


class _FlowImages:
    """Maker of flow images, one per frame: red is the magnitude of the flow, green dy, blue dx."""

    name: str
    parallel: Parallel = "processes"
    batch_size = 32
    context = 1

    def prepare(self, image: Image) -> Image:
        """Return the grey image resized to ``SIDE``, bilinear without antialiasing as in the authors' code."""
        cv2 = opencv()
        return np.asarray(cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE)), np.uint8)

    def encode(self, images: Sequence[Image], before: Sequence[Image] = ()) -> list[bytes]:
        """Return the encoded flow images of consecutive frames.

        Args:
            images: results of ``prepare`` for the frames.
            before: result of ``prepare`` for the frame before them; empty at the start of a video.
        """
        frames: list[Image | None] = [before[-1] if len(before) else None, *images]
        return [
            self._file(None if previous is None else farneback(previous, current))
            for previous, current in zip(frames, images, strict=False)
        ]

    def identity(self) -> dict[str, Any]:
        """Return the parameters and OpenCV's version."""
        return {"pictures": self.name, "format": FORMAT, "opencv": str(opencv().__version__), "side": SIDE, **FARNEBACK}

    def _file(self, flow: Flow | None) -> bytes:
        raise NotImplementedError

    def _encoded(self, kind: str, image: Image, options: Sequence[int] = ()) -> bytes:
        """Return the file of an RGB image."""
        cv2 = opencv()
        encoded: npt.NDArray[np.uint8] = cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), list(options))[1]
        return encoded.tobytes()


class PaperFlow(_FlowImages):
    """Flow images of the paper: each channel stretched to its lowest and highest value, JPEG of default quality.

    The scale of the motion and the position of zero are lost, and JPEG mixes the channels. The first image of a video
    is black.
    """

    name = "flow"

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            return self._encoded(".jpg", np.zeros((SIDE, SIDE, 3), np.uint8))
        channels = np.dstack([np.hypot(flow[..., 0], flow[..., 1]), flow[..., 1], flow[..., 0]])
        lowest, highest = channels.min((0, 1)), channels.max((0, 1))
        stretched = (channels - lowest) * (255 / np.maximum(highest - lowest, 1e-6))
        return self._encoded(".jpg", np.rint(stretched).astype(np.uint8))


class CodeFlow(_FlowImages):
    """Flow images as the authors' script writes them: stretched values are truncated to integers instead of rounded.

    A channel that spans less than one millionth of a pixel is black. Unlike the script, damaged frames raise errors.
    """

    name = "flow-code"

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            return self._encoded(".jpg", np.zeros((SIDE, SIDE, 3), np.uint8))
        dx, dy = flow[..., 0], flow[..., 1]
        channels = (np.sqrt(dx**2 + dy**2), dy, dx)
        return self._encoded(".jpg", np.stack([_cut_off(channel) for channel in channels], -1))


def _cut_off(channel: Flow) -> npt.NDArray[np.uint8]:
    """Return a channel stretched to 0 to 255 and truncated to integers."""
    lowest, highest = channel.min(), channel.max()
    if highest - lowest < 1e-6:
        return np.zeros(channel.shape, np.uint8)
    return np.asarray((channel - lowest) / (highest - lowest) * 255).astype(np.uint8)


class FixedFlow(_FlowImages):
    """Flow images of a fixed scale, lossless (PNG): a value means the same displacement in every frame.

    ``dx`` and ``dy`` are ``128 + 127 / LIMIT`` per pixel, so that mirroring an image turns a value ``v`` of its third
    channel into ``256 - v``; the magnitude is ``255 / LIMIT`` per pixel. The first image of a video shows no motion.
    """

    name = "flow-fixed"

    def identity(self) -> dict[str, Any]:
        """Return the parameters and OpenCV's version."""
        return super().identity() | {"limit": LIMIT}

    def _file(self, flow: Flow | None) -> bytes:
        if flow is None:
            flow = np.zeros((SIDE, SIDE, 2), np.float32)
        along = 128 + np.clip(flow, -LIMIT, LIMIT) * (127 / LIMIT)
        magnitude = np.clip(np.hypot(flow[..., 0], flow[..., 1]), 0, LIMIT) * (255 / LIMIT)
        image = np.rint(np.dstack([magnitude, along[..., 1], along[..., 0]])).astype(np.uint8)
        return self._encoded(".png", image, [opencv().IMWRITE_PNG_COMPRESSION, 3])
