"""torchcodec's ``VideoDecoder`` in both seek modes, one index after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from frames import Read, measure_all
from torchcodec.decoders import VideoDecoder


def by_index(mode: str) -> Callable[[str], Read]:
    """Return a reader in one seek mode."""

    def read(path: str) -> Read:
        decoder = VideoDecoder(path, seek_mode=mode)

        def images() -> Iterator[Any]:
            for k in range(len(decoder)):
                try:
                    yield decoder[k].permute(1, 2, 0).numpy()
                except Exception as error:
                    yield error

        return len(decoder), images(), lambda index: decoder[index].permute(1, 2, 0).numpy()

    return read


measure_all(
    {f"torchcodec {version('torchcodec')}, {mode}": by_index(mode) for mode in ("exact", "approximate")},
    ["torchcodec", "torch", "av"],
)
