"""Access to OpenCV, and decoding of image files; no other module imports OpenCV."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, MissingDependencyError
from harness.system.image_headers import claimed_size
from harness.system.regular import read_or_refuse

Image = npt.NDArray[np.uint8]

MOST_PIXELS = 1 << 26
"""Pixels of one image, by its header: 8192 × 8192, twice a frame of 8K video. More are not decoded."""

HEADLESS_REMEDY = (
    "pip install --force-reinstall --no-deps 'opencv-python-headless<5'   (no system library needed), "
    "or as root: apt-get install -y libgl1 libglib2.0-0"
)


@functools.cache
def opencv() -> ModuleType:
    """Return the ``cv2`` module with one thread per call: callers work in parallel on videos or images.

    Raises:
        MissingDependencyError: OpenCV is missing, or is the wheel with a window system on a machine that lacks libGL.
    """
    # FFmpeg complains about every packet of a damaged video; our own message says what matters
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    # a limit for image formats that claimed_size does not read; OpenCV's own limit is 2^30
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
    # by default OpenCV ends a video after 4096 packets of audio without an image, which are 90 s
    os.environ["OPENCV_FFMPEG_READ_ATTEMPTS"] = str(2**31 - 1)
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError("OpenCV can't be imported", found=str(error), do=HEADLESS_REMEDY) from None
    cv2.setNumThreads(1)
    return cv2


def read_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an image file.

    Returns:
        RGB uint8 ``(h, w, 3)``. Bytes equal PIL's for JPEG.

    Raises:
        DataError: the file is missing, is no image, or claims more than ``MOST_PIXELS``.
    """
    raw = np.frombuffer(read_or_refuse(path, "can't read the crop"), np.uint8)
    return decode_rgb(raw, path)


def decode_rgb(raw: npt.NDArray[np.uint8], path: Path, *, noun: str = "crop") -> npt.NDArray[np.uint8]:
    """Decode the bytes of an image file to RGB uint8 ``(h, w, 3)``.

    Args:
        raw: bytes of the file, uint8 ``(n,)``.
        path: the file, for messages.
        noun: name of such an image, for messages.

    Raises:
        DataError: the file is no image, or claims more than ``MOST_PIXELS``.
    """
    cv2 = opencv()
    size = claimed_size(raw)
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        raise DataError(
            "the image's header claims too many pixels",
            where=path,
            found=f"{size[0]:,} × {size[1]:,} pixels in {len(raw):,} bytes",
            expected=f"at most {MOST_PIXELS:,} pixels",
            do=_another(noun),
        )
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if len(raw) else None
    except cv2.error:
        image = None
    if image is None:
        start = bytes(raw[:8]).hex(" ") or "nothing"
        raise DataError(
            "not a readable image",
            where=path,
            found=f"{len(raw)} bytes, beginning {start}",
            expected="a JPEG or PNG file",
            do=_another(noun),
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _another(noun: str) -> str:
    return f"Extract it again from the video, or delete it: its frame then counts as one without a {noun}"
