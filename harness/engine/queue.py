"""Queue of items, in the order in which workers get them."""

from __future__ import annotations

from collections.abc import Sequence


class Queue:
    """Queue of items by number. An item waits while another item makes a product that both claim.

    Args:
        claims: names of the products that each item makes, or uses once another item has made them.
    """

    def __init__(self, claims: Sequence[frozenset[str]]) -> None:
        """Queue all items, in the order of ``claims``."""
        self._claims = claims
        self._waiting = list(range(len(claims)))
        self._running: set[int] = set()
        self._made: set[str] = set()

    def __len__(self) -> int:
        """Return the number of items that are not done."""
        return len(self._waiting) + len(self._running)

    @property
    def waiting(self) -> int:
        """Number of items that no worker has."""
        return len(self._waiting)

    def take(self) -> int | None:
        """Return the next item that can be done now; ``None`` without such an item."""
        held = {name for item in self._running for name in self._claims[item]} - self._made
        for item in self._waiting:
            needed = self._claims[item] - self._made
            if not needed & held:
                self._waiting.remove(item)
                self._running.add(item)
                return item
            held |= needed  # later items may not overtake this one
        return None

    def again(self, item: int) -> None:
        """Put a running item that failed back to the front of the queue."""
        self._running.remove(item)
        self._waiting.insert(0, item)

    def done(self, item: int, *, succeeded: bool) -> None:
        """Remove a running item. Its products exist if it ``succeeded``."""
        self._running.remove(item)
        if succeeded:
            self._made |= self._claims[item]
