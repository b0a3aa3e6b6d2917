"""OpenCV's ``VideoCapture`` with its defaults, to the end."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from frames import Read, measure_all


def opencv(path: str) -> Read:
    """Return CAP_PROP_FRAME_COUNT and the frames of ``read()``."""
    capture = cv2.VideoCapture(path)
    if not capture.isOpened():
        raise OSError("VideoCapture does not open it")

    def images() -> Iterator[np.ndarray]:
        while True:
            read, image = capture.read()
            if not read:
                return
            yield image[:, :, ::-1]

    def at(index: int) -> np.ndarray:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        read, image = capture.read()
        if not read:
            raise EOFError("read() gives nothing")
        return image[:, :, ::-1]

    return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), images(), at


measure_all({f"OpenCV {cv2.__version__}": opencv}, ["opencv-python-headless"])
