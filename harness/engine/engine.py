"""A list of items, done by workers that are each made once; what comes of them, as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from harness.settings import Settings

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")
Claims = Callable[[I], frozenset[str]]


@dataclass(frozen=True)
class ItemResult(Generic[I, R]):
    """An item, and what came of it: a value, or the error."""

    item: I
    value: R | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class WorkerShare:
    """What one worker needs of a machine.

    Attributes:
        cores: that it keeps busy; ``None`` for as many as this process would.
        gpu: whether it needs one, or the part of one that the settings name.
    """

    cores: int | None = 1
    gpu: bool = False


ONE_CORE = WorkerShare()


class Engine(Protocol):
    """Does items by workers."""

    def inside(self, settings: Settings, share: WorkerShare) -> Settings:
        """Settings as a worker of that share is to have them."""

    def map(
        self,
        make_worker: Callable[[], Callable[[I], R]],
        items: Sequence[I],
        *,
        share: WorkerShare = ONE_CORE,
        claims: Claims[I] | None = None,
    ) -> Iterator[ItemResult[I, R]]:
        """Do all items, in any order, largest first if that is how they are given.

        Args:
            make_worker: is called once in each worker. It, items and results go from process to process.
            claims: names of what an item makes and other items use: it is not made by two at the same time.

        Yields:
            Each item once, with its value, or with the error that its worker raised or died of.

        Raises:
            SolutionError: workers can't be made, or none is left.
        """
