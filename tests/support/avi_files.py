"""AVI files written by hand: where their chunks of video and audio lie is the caller's choice."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from harness.system.images import opencv
from tests.support.numbered_films import numbered

AUDIO = b"\x80\x80"
_SIZE = (64, 48)
_FPS, _HZ = 25, 8000


def write_avi(path: Path, parts: Sequence[int | None], *, claimed: tuple[int, int] = _SIZE) -> Path:
    """Write an AVI of JPEG frames and unsigned 8-bit audio.

    Args:
        path: of the file.
        parts: chunks in order: the number that a frame says, or ``None`` for a chunk of two samples of audio.
        claimed: width and height that the header gives, whatever the frames have.
    """
    cv2 = opencv()
    chunks, index, at = [], [], 4
    for part in parts:
        name = b"01wb" if part is None else b"00dc"
        data = AUDIO if part is None else cv2.imencode(".jpg", numbered(part, _SIZE))[1].tobytes()
        chunks.append(_chunk(name, data))
        index.append(name + struct.pack("<III", 0x10, at, len(data)))
        at += len(chunks[-1])
    frames = sum(part is not None for part in parts)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, *claimed, 1, 24, b"MJPG", _SIZE[0] * _SIZE[1] * 3, 0, 0, 0, 0)
    sound = struct.pack("<HHIIHHH", 1, 1, _HZ, _HZ, 1, 8, 0)
    main = struct.pack("<14I", 1_000_000 // _FPS, 0, 0, 0x110, frames, 0, 2, 0, *_SIZE, 0, 0, 0, 0)
    header = (
        _chunk(b"avih", main)
        + _list(b"strl", _stream(b"vids", b"MJPG", 1, _FPS, frames, 0) + _chunk(b"strf", bitmap))
        + _list(b"strl", _stream(b"auds", bytes(4), 1, _HZ, 2 * (len(parts) - frames), 1) + _chunk(b"strf", sound))
    )
    body = b"AVI " + _list(b"hdrl", header) + _list(b"movi", b"".join(chunks)) + _chunk(b"idx1", b"".join(index))
    path.write_bytes(_chunk(b"RIFF", body))
    return path


def _stream(kind: bytes, handler: bytes, scale: int, rate: int, length: int, sample: int) -> bytes:
    values = (0, 0, 0, 0, scale, rate, 0, length, 0, 0xFFFFFFFF, sample, 0, 0, 0, 0)
    return _chunk(b"strh", kind + handler + struct.pack("<IHHIIIIIIIIHHHH", *values))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)
