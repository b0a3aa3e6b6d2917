"""The measurement that all readers of video share: the number in each frame, the size, the colours.

A reader is a script of this folder: it imports this module, and runs in an environment of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from words import said

BITS = 8
PATCHES = ((0.2, 0.2), (0.6, 0.2), (0.2, 0.7), (0.6, 0.7))
"""Places in a video of colours, as shares of width and height, that are read."""

INDEX = 30
"""The frame that is asked for alone, of a reader that has read nothing before."""

Read = tuple[int | None, Iterator[Any], Callable[[int], Any] | None]
"""The count that a reader gives without decoding, its frames in turn (RGB, or an exception for a frame that failed) and
a way to one frame by its index, if the reader has one."""


def number_in(image: np.ndarray) -> int:
    """Return the number that the stripes of a frame show; a lying frame is put upright first."""
    if is_lying(image):
        image = np.rot90(image, -1)
    stripes = [part.mean() > 127 for part in np.array_split(image, BITS, axis=1)]
    return sum(1 << bit for bit in range(BITS) if stripes[bit])


def is_lying(image: np.ndarray) -> bool:
    """Return True if the stripes of a frame lie, so that columns vary and rows do not."""
    return bool(image.std(axis=0).mean() > image.std(axis=1).mean())


def colours_in(image: np.ndarray) -> list[list[int]]:
    """Return RGB at each of `PATCHES`."""
    height, width = image.shape[:2]
    return [np.asarray(image[int(y * height), int(x * width)]).astype(int).tolist() for x, y in PATCHES]


def measured(path: Path, reader: Callable[[str], Read]) -> dict[str, Any]:
    """Read one file and return the count of its header, the number of each frame, size and colours."""
    try:
        header, images, _ = reader(str(path))
    except Exception as error:
        return {"error": said(error)}
    answer: dict[str, Any] = {"header": header, "numbers": []}
    try:
        for image in images:
            if isinstance(image, Exception):
                answer["numbers"].append(None)
                answer.setdefault("failed", said(image))
            elif path.name.startswith("colours"):
                answer.setdefault("colours", colours_in(image))
                answer["numbers"].append(0)
            else:
                answer["numbers"].append(number_in(image))
                answer.setdefault("size", [int(n) for n in image.shape[1::-1]])
                answer["lying"] = answer.get("lying", False) or is_lying(image)
    except Exception as error:
        answer["failed"] = said(error)
    if len(answer["numbers"]) > INDEX:
        answer["alone"] = alone(path, reader)
    return answer


def alone(path: Path, reader: Callable[[str], Read]) -> int | str:
    """Return the number in frame `INDEX`, asked for first of all; a word where a reader has no indices or fails."""
    _, _, at = reader(str(path))
    if at is None:
        return "no index"
    try:
        return number_in(at(INDEX))
    except Exception as error:
        return said(error)


def measure_all(readers: dict[str, Callable[[str], Read]], packages: list[str]) -> None:
    """Measure the video files of the folder in the first argument, and write the second argument's JSON."""
    folder, answer = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(path for path in folder.iterdir() if path.is_file())
    answers = {
        name: {"versions": {package: version(package) for package in packages},
               "files": {path.name: measured(path, reader) for path in files}}
        for name, reader in readers.items()
    }  # fmt: skip
    answer.write_text(json.dumps(answers), encoding="utf-8")
