"""decord's ``VideoReader``, one index after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import decord
from frames import Read, measure_all


def by_index(path: str) -> Read:
    """Return ``len`` and each frame, or the error that its index gives."""
    video = decord.VideoReader(path)

    def images() -> Iterator[Any]:
        for k in range(len(video)):
            try:
                yield video[k].asnumpy()
            except Exception as error:
                yield error

    return len(video), images(), lambda index: video[index].asnumpy()


measure_all({f"decord {decord.__version__}": by_index}, ["decord"])
