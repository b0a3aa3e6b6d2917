"""Claims of items, with which several processes fill one cache: each item is encoded once, and all keep working.

A process claims an item before it begins, and then checks the cache again, because another process may have finished
the item meanwhile. Items that other processes work on are left for later. A process releases its claims before it
waits for another one, so that two never wait for each other. A claim ends with its process: other processes take over
the items of a killed one.
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
    """Items that this process works on; the end of a block releases those that are left.

    Args:
        store: the cache.
        on_stored: function that is called with an item that another process stored meanwhile, and its content.

    Attributes:
        busy: items that other processes work on.
    """

    def __init__(self, store: VideoStore, on_stored: Callable[[T, Any], None]) -> None:
        """Start without claims."""
        self.busy: list[T] = []
        self._store = store
        self._on_stored: Callable[[T, Any], None] = on_stored
        self._held: dict[str, Claim] = {}

    def __enter__(self) -> Self:
        """Enter a block at whose end all claims are released."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the claims that are left."""
        for name in [*self._held]:
            self.done(name)

    def free(self, items: Iterable[T]) -> Iterator[T]:
        """Yield missing items that no other process works on; each is claimed when the caller asks for it.

        Raises:
            StorageError: writing to the cache fails.
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
                self._on_stored(item, content)

    def done(self, name: str) -> None:
        """Release the claim of an item that is finished or failed."""
        if (held := self._held.pop(name, None)) is not None:
            held.release()
