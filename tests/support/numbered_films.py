"""Films for tests, written by OpenCV: stripes that are black or white tell each frame's number."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.system.images import opencv

BITS = 8


def numbered(k: int, size: tuple[int, int]) -> np.ndarray:
    """Return an image, uint8 ``(h, w, 3)``, that says k."""
    widths = [len(part) for part in np.array_split(np.arange(size[0]), BITS)]
    stripes = np.repeat(np.array([255 * (k >> bit & 1) for bit in range(BITS)], np.uint8), widths)
    return np.ascontiguousarray(np.broadcast_to(stripes[None, :, None], (size[1], size[0], 3)))


def write_film(path: Path, frames: int, size: tuple[int, int] = (128, 48), codec: str = "mp4v") -> Path:
    """A film whose k-th frame (from 0) says k."""
    cv2 = opencv()
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, size)
    for k in range(frames):
        writer.write(numbered(k, size))
    writer.release()
    return path


def number_in(image: np.ndarray) -> int:
    """The number that a frame says."""
    stripes = [part.mean() > 127 for part in np.array_split(image, BITS, axis=1)]
    return sum(1 << bit for bit in range(BITS) if stripes[bit])


def cut_short(path: Path, share: float) -> Path:
    """Spoil the last part of a film's pictures; its header, which mp4 keeps at the end, goes on to promise them all."""
    data = bytearray(path.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    at = start + int((end - start) * share)
    data[at:end] = bytes(end - at)
    path.write_bytes(data)
    return path
