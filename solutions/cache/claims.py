"""Who makes what, where several processes fill one cache: each video is made once, and nobody waits while work is left.

A process claims a video before it begins, and looks again whether it is there: another one may have made it meanwhile.
Videos that others are at are left for later. A process waits for another one only while it has no claim itself, so that
two never wait for each other. A claim ends with its process: what a killed one was at is made by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Self, TypeVar

from harness.datasets.dataset import Video
from harness.system.locks import Claim, claim
from solutions.cache.recording import Recording, TextItem
from solutions.cache.shelf import Shelf

T = TypeVar("T", Video, Recording, TextItem)


class Claims(Generic[T]):
    """The items that this process is at; those that are left at the end of a block are released.

    Args:
        on_made: is called with an item that another process made meanwhile, and with what it made.

    Attributes:
        busy: items that other processes are at.
    """

    def __init__(self, shelf: Shelf, on_made: Callable[[T, Any], None]) -> None:
        self.busy: list[T] = []
        self._shelf = shelf
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
            held = claim(self._shelf.claim_path(item))
            if held is None:
                self.busy.append(item)
                continue
            self._held[item.name] = held
            made = self._shelf.get(item)
            if made is None:
                yield item
            else:
                self.done(item.name)
                self._on_made(item, made)

    def done(self, name: str) -> None:
        """Let others have an item; it is made, or can't be."""
        if (held := self._held.pop(name, None)) is not None:
            held.release()


def make_by_claims(
    shelf: Shelf,
    items: Sequence[T],
    work: Callable[[Claims[T], Sequence[T]], None],
    on_made: Callable[[T, Any], None],
    *,
    wait: bool = True,
) -> list[T]:
    """Make items until each was made here or by another process.

    Args:
        work: makes the items that :meth:`Claims.free` yields of those that it is given, and says when each is done.
        on_made: see :class:`Claims`.
        wait: for other processes, when all that is left is what they are at.

    Returns:
        Items that other processes are at; none where they were waited for.
    """
    left = list(items)
    while left:
        with Claims[T](shelf, on_made) as claims:
            work(claims, left)
        if not wait:
            return claims.busy
        if len(claims.busy) == len(left):
            first = left[0]
            held = claim(shelf.claim_path(first), wait_for=f"it makes {shelf.kind} of {first.name}")
            if held is not None:
                held.release()
        left = claims.busy
    return []
