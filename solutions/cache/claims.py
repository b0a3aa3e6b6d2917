"""Who makes what, where several processes fill one cache: each video is made once, and nobody waits while work is left.

A process claims a video before it begins, and looks again whether it is there: another one may have made it meanwhile.
Videos that others are at are left for later. A process waits for another one only while it has no claim itself, so that
two never wait for each other. A claim ends with its process: what a killed one was at is made by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

from harness.datasets.dataset import Video
from harness.system.locks import Claim, claim
from solutions.cache.recording import Recording, TextItem
from solutions.cache.video_store import VideoStore

T = TypeVar("T", Video, Recording, TextItem)


class Claims(Generic[T]):
    """The items that this process is at; those that are left at the end of a block are released.

    Args:
        on_made: is called with an item that another process made meanwhile, and with what it made.

    Attributes:
        busy: items that other processes are at.
    """

    def __init__(self, store: VideoStore, on_made: Callable[[T, Any], None]) -> None:
        self.busy: list[T] = []
        self._store = store
        self._on_made: Callable[[T, Any], None] = on_made
        self._held: dict[str, Claim] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self._held]:
            self.done(name)

    def free(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items that nobody else is at and that are still to be made, claimed one by one as they are asked for.

        Raises:
            StorageError: the cache can't be written.
        """
        for item in items:
            held = claim(self._store.claim_path(item))
            if held is None:
                self.busy.append(item)
                continue
            self._held[item.name] = held
            content = self._store.get(item)
            if content is None:
                yield item
            else:
                self.done(item.name)
                self._on_made(item, content)

    def done(self, name: str) -> None:
        """Let others have an item; it is made, or can't be."""
        if (held := self._held.pop(name, None)) is not None:
            held.release()
