"""Video files opened by OpenCV in this one place, so that all parts of the program read the same frames."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingDependencyError, problem
from harness.system.images import MOST_PIXELS, opencv
from harness.system.regular import open_file, require_file

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv",
)  # fmt: skip
"""Endings of names, in lower case, by which a file counts as a video file."""

_NEWER_OPENCV = "Without the extra mediapipe, which needs NumPy 1: pip install 'opencv-python-headless>=4.14,<5'"
_OLDEST_OPENCV = (4, 11)  # earlier ones end a fragmented mp4 one frame after its header's count, without an error


def open_capture(path: Path, *, threads: int | None = None, packets: bool = False) -> Any:
    """Open a video file at its first frame, to be read in sequence; the caller releases it.

    Frames come upright: OpenCV 4.11 alone ignores a file's rotation unless it is asked to turn them.

    Args:
        path: the video file.
        threads: number of threads that decode; one per core by default.
        packets: make ``grab()`` step over compressed frames without decoding.

    Returns:
        A ``cv2.VideoCapture``.

    Raises:
        DataError: the file is missing, OpenCV can't open it, or its frames have more pixels than are decoded.
        MissingDependencyError: OpenCV is too old to read all frames.
    """
    cv2 = _trusted_opencv()
    try:
        require_file(path)
    except OSError as error:
        raise _unopenable(path, error.strerror or str(error)) from None
    properties = [cv2.CAP_PROP_FORMAT, -1] if packets else []
    if threads is not None:
        properties += [cv2.CAP_PROP_N_THREADS, threads]
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, properties)
    if capture.isOpened():
        width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MOST_PIXELS:
            capture.release()
            raise _too_large(path, width, height)
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture
    try:
        with open_file(path) as stream:
            start = stream.read(12)
        content = f"{path.stat().st_size:,} bytes, beginning {start.hex(' ') or 'nothing'}"
    except OSError as error:
        content = error.strerror or str(error)
    raise _unopenable(path, content)


def _too_large(path: Path, width: int, height: int) -> DataError:
    return DataError(
        "the video file's header claims too many pixels per frame",
        where=path,
        found=f"{width:,} × {height:,} pixels",
        expected=f"at most {MOST_PIXELS:,} pixels",
        do="Copy it again, or make it smaller: ffmpeg -i FILM -vf scale=1920:-2 -fps_mode passthrough SMALLER",
    )


def _unopenable(path: Path, content: str) -> DataError:
    return DataError(
        "can't be opened as a film",
        where=path,
        found=content,
        expected="an mp4, avi, mkv or mov file that is whole",
        do="Copy it again, or put its frames beside it as frames/<video>/00001.jpg and so on",
    )


def count_packets(path: Path) -> int:
    """Return the number of compressed frames in a video file, with those that an edit list hides; nothing is decoded.

    Raises:
        DataError: the file is missing, or OpenCV can't open it.
    """
    capture = open_capture(path, packets=True)
    try:
        return sum(1 for _ in iter(capture.grab, False))
    finally:
        capture.release()


@functools.cache
def decoder() -> str:
    """Return the name of the decoder of video files with the versions that matter: ``OpenCV 4.11.0, FFmpeg 59.37.100``.

    Versions differ in colours (from OpenCV 4.13 on a file's own colour matrix is used, before that always BT.601's).
    """
    cv2 = _trusted_opencv()
    version = re.search(r"\bavcodec:\s+YES \(([0-9.]+)\)", cv2.getBuildInformation())
    return f"OpenCV {cv2.__version__}" + (f", FFmpeg {version[1]}" if version else "")


def undecodable(path: Path) -> str:
    """Return the message on a video file that opens, but from which no frame can be decoded."""
    cv2, capture = opencv(), open_capture(path)
    try:
        code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=False)
    finally:
        capture.release()
    codec = code.decode("ascii", errors="replace").strip("\0 ")
    # without passthrough ffmpeg repeats frames that are shown for longer than the others
    frames = f"ffmpeg -i {path} -fps_mode passthrough -q:v 2 frames/{path.stem}/%05d.jpg"
    is_av1 = codec.casefold() == "av01"
    return problem(
        "this film's frames can't be decoded",
        where=path,
        found=f"codec {codec or 'unknown'}, OpenCV {cv2.__version__}",
        expected="OpenCV 4.14 or later for AV1 (4.11 can't)" if is_av1 else None,
        do=(f"{_NEWER_OPENCV}. Or extract" if is_av1 else "Extract")
        + f" the frames with another program, such as: {frames}",
    )


def _trusted_opencv() -> Any:
    cv2 = opencv()
    version = tuple(map(int, re.findall(r"[0-9]+", cv2.__version__)[:2]))
    if version < _OLDEST_OPENCV:
        raise MissingDependencyError(
            "This version of OpenCV ends some video files early without an error",
            found=f"OpenCV {cv2.__version__}",
            expected="4.11 or later",
            do="Install a newer one: pip install --upgrade 'opencv-python-headless<5'",
        )
    return cv2
