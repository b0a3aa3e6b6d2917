"""Edit lists of mp4 files: which frames are shown, in which order."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

RATE = 25
"""Frames per second of the files."""


def with_edits(path: Path, parts: Sequence[tuple[int, int]]) -> Path:
    """Give an mp4 of images alone an edit list: a first frame and a number of frames for each part.

    Its index lies at its end, so that no place of a frame changes.
    """
    data = path.read_bytes()
    at = data.index(b"elst") - 4
    size = struct.unpack_from(">I", data, at)[0]
    units, movie_units = (struct.unpack_from(">I", data, data.index(name) + 16)[0] for name in (b"mdhd", b"mvhd"))
    first_shown = struct.unpack_from(">i", data, at + 20)[0]  # B-frames delay all times by so much
    edits = [(n * movie_units // RATE, first_shown + first * units // RATE, 1 << 16) for first, n in parts]
    box = b"elst" + bytes(4) + struct.pack(">I", len(edits)) + b"".join(struct.pack(">IiI", *edit) for edit in edits)
    more = 4 + len(box) - size
    data = data[:at] + struct.pack(">I", 4 + len(box)) + box + data[at + size :]
    for name in (b"edts", b"trak", b"moov"):
        place = data.index(name) - 4
        data = data[:place] + struct.pack(">I", struct.unpack_from(">I", data, place)[0] + more) + data[place + 4 :]
    path.write_bytes(data)
    return path
