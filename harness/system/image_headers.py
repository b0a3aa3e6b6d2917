"""Sizes that image files claim, read from their first bytes before anything is decoded.

A JPEG of 300 bytes may claim 65,500 × 65,500 pixels, and a decoder reserves memory for all of them. This module reads
the formats of data sets: JPEG (ITU T.81, B.1 and B.2), PNG (its first chunk), BMP and WebP.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that contain its size (SOF0 to SOF15, except three for tables and an extension)."""

_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
"""Markers without a length: a stuffed zero, TEM, RST0 to RST7."""

_END, _SCAN = 0xD9, 0xDA
_OLD_BMP = 12


def claimed_size(raw: npt.NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return width and height by the header; ``None`` for other formats and incomplete headers.

    Args:
        raw: bytes of the file, uint8 ``(n,)``.
    """
    data = raw.tobytes()
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        start = data[:16]
        if start[:8] == b"\x89PNG\r\n\x1a\n":
            return _number(data, 16, 4, "big"), _number(data, 20, 4, "big")
        if start[:2] == b"BM":
            return _bmp(data)
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            return _webp(data, start[12:16])
    except (IndexError, ValueError):  # the file ends within its header
        pass
    return None


_STARTS = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
)  # fmt: skip


def image_format(start: bytes) -> str | None:
    """Return the name of the image format that a file begins as; ``None`` for other files.

    Args:
        start: the first twelve bytes of the file, or more.

    >>> image_format(b"\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\r")
    'PNG'
    """
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    return next((name for first, name in _STARTS if start.startswith(first)), None)


def _number(data: bytes, at: int, size: int, order: str = "little") -> int:
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big" if order == "big" else "little")


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Return the size from a JPEG's markers; bytes between two segments are skipped, as in libjpeg."""
    at = 2
    while True:
        if data[at] != 0xFF:
            at = data.index(b"\xff", at)
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _FRAMES:
            return data[at + 5] << 8 | data[at + 6], data[at + 3] << 8 | data[at + 4]
        if marker in (_END, _SCAN):
            return None
        if marker not in _BARE:
            at += max(2, data[at] << 8 | data[at + 1])


def _bmp(data: bytes) -> tuple[int, int]:
    if _number(data, 14, 4) == _OLD_BMP:
        return _number(data, 18, 2), _number(data, 20, 2)
    width, height = _number(data, 18, 4), _number(data, 22, 4)
    return width, min(height, 2**32 - height)  # of an image stored from its top down the height is negative


def _webp(data: bytes, form: bytes) -> tuple[int, int] | None:
    if form == b"VP8 ":
        return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    if form == b"VP8L":
        bits = _number(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        return _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
    return None
