"""The order in which items are handed out."""

from __future__ import annotations

from collections.abc import Sequence


class Queue:
    """Items by number, first come first served; one waits while another makes what it uses, too.

    Args:
        claims: names of what each item makes, or uses once another has made it.
    """

    def __init__(self, claims: Sequence[frozenset[str]]) -> None:
        self._claims = claims
        self._waiting = list(range(len(claims)))
        self._running: set[int] = set()
        self._made: set[str] = set()

    def __len__(self) -> int:
        """Items that are not done."""
        return len(self._waiting) + len(self._running)

    @property
    def waiting(self) -> int:
        """Items that nobody is at work on."""
        return len(self._waiting)

    def take(self) -> int | None:
        """The next item; ``None`` if none is left, or none can be done now."""
        held = {name for item in self._running for name in self._claims[item]} - self._made
        for item in self._waiting:
            wanted = self._claims[item] - self._made
            if not wanted & held:
                self._waiting.remove(item)
                self._running.add(item)
                return item
            held |= wanted  # those behind it may not overtake it
        return None

    def again(self, item: int) -> None:
        """It was not done: it is the next one."""
        self._running.remove(item)
        self._waiting.insert(0, item)

    def done(self, item: int, *, made: bool) -> None:
        """It is done; what it claims is there if it was ``made``."""
        self._running.remove(item)
        if made:
            self._made |= self._claims[item]
