"""Protocol of engines: workers, each made once, process a list of items, and results are yielded as they come."""

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
    """Item with its result: a value, or the error."""

    item: I
    value: R | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class WorkerShare:
    """Share of a machine that one worker needs.

    Attributes:
        cores: number of cores that the worker uses; ``None`` for as many as this process would use.
        gpu: True if the worker needs a GPU, or the part of a GPU that the settings name.
    """

    cores: int | None = 1
    gpu: bool = False


ONE_CORE = WorkerShare()


class Engine(Protocol):
    """Way to distribute items over worker processes: on this machine, or on a cluster."""

    def inside(self, settings: Settings, share: WorkerShare) -> Settings:
        """Return the settings for a worker with this share of a machine."""

    def map(
        self,
        make_worker: Callable[[], Callable[[I], R]],
        items: Sequence[I],
        *,
        share: WorkerShare = ONE_CORE,
        claims: Claims[I] | None = None,
    ) -> Iterator[ItemResult[I, R]]:
        """Process all items. They are started in their order, and results come in any order.

        Args:
            make_worker: function that returns a worker, called once in each process. It, items and results are sent
                between processes, so they must be picklable.
            items: the items, the largest first for a short total time.
            share: share of a machine that a worker needs.
            claims: function from an item to the names of products that the item makes and other items use: no two
                items make a product at the same time.

        Yields:
            Each item once, with its value, or with the error of its worker.

        Raises:
            SolutionError: all workers failed to start, or died.
        """
