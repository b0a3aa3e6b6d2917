"""Filling of a cache: each item is encoded once, and repeating a command encodes only what is missing.

Items are encoded in this process, or by workers that each create one encoder and fill the cache one item at a time.
Items that processes of other commands work on come last, and are taken from the cache when those processes finish.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, Self

from harness.engine import engine_of
from harness.engine.engine import WorkerShare
from harness.errors import StorageError
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.counts import counted
from harness.system.locks import alone
from harness.system.progress import progress
from solutions.cache.claims import Claims, T
from solutions.cache.derived import DerivedPictures
from solutions.cache.failed import Failed, raise_failed
from solutions.cache.features_file import Features
from solutions.cache.video_store import VideoStore
from solutions.encoders.encoder import device_of


@dataclass(frozen=True)
class FilledItem:
    """Result of one item.

    Attributes:
        rows: number of frames, or steps of audio, that this process encoded.
        reused: number of those that were in the cache, or that another process encoded meanwhile.
        undetected: number of frames in which the encoder found no face or person.
        failed: reason for which the item is missing from the cache; ``None`` if it is stored.
    """

    rows: int = 0
    reused: int = 0
    undetected: int = 0
    failed: Failed | None = None

    @classmethod
    def stored(cls, content: Features | DerivedPictures) -> Self:
        """Describe an item that is in the cache."""
        return cls(reused=len(content.frames) + content.undetected, undetected=content.undetected)


@dataclass(frozen=True)
class CacheFiller(ABC, Generic[T]):
    """Filler of one cache. Subclasses define what an item is, how it is opened, and its amount of work.

    Attributes:
        encoder: the encoder of this process.
        make: function that creates the same encoder in another process.
        cache: the cache.
        settings: settings of this process.
        rows_per_unit: approximate number of rows per unit of work.
        items: word for several items on the screen.
        unit: word for units of work on the screen.
        cores: number of cores that a worker keeps busy; ``None`` for as many as this process would.
    """

    encoder: Any
    make: Callable[[Settings], Any]
    cache: VideoStore
    settings: Settings
    rows_per_unit: int
    items: ClassVar[str]
    unit: ClassVar[str]
    cores: ClassVar[int | None] = 1

    @abstractmethod
    def amount(self, item: T) -> int:
        """Return the amount of work of an item, in units."""

    @abstractmethod
    def encode(self, items: Iterable[T], advance: Callable[[int], None]) -> Generator[tuple[T, FilledItem], None, None]:
        """Encode and store items one after the other, and yield the result of each.

        Args:
            items: items that are claimed when the iterator is advanced, which may be ahead of the encoding.
            advance: function to call with the units of work just done.
        """

    def fill(self, items: Sequence[T]) -> Mapping[str, FilledItem]:
        """Encode and store items, except for those that other processes encode meanwhile.

        Returns:
            The result of each item, by name.

        Raises:
            DataError: some items are unreadable. All others are stored.
            SolutionError: some items failed for another reason. All others are stored.
            StorageError: the disk is full; finished items are stored.
        """
        amounts = {item.name: self.amount(item) for item in items}
        total = sum(amounts.values())
        self.cache.make_room(total * self.rows_per_unit)
        processes = getattr(self.encoder, "parallel", "threads") == "processes"
        with progress(
            f"{self.encoder.name}: {counted(len(items), self.items.removesuffix('s'))}",
            total,
            self.unit,
            step=f"encode {self.encoder.name}",
        ) as advance:
            if self.settings.engine == "ray" or (processes and self.settings.workers > 1 and len(items) > 1):
                largest_first = sorted(items, key=lambda item: -amounts[item.name])
                filled = self._fill_by_workers(largest_first, advance)
            else:
                filled, _ = self.fill_here(items, advance)
        failed = {name: item.failed for name, item in filled.items() if item.failed}
        raise_failed(self.cache.kind, items, failed)
        return filled

    def fill_here(
        self, items: Sequence[T], advance: Callable[[int], None], *, wait: bool = True
    ) -> tuple[dict[str, FilledItem], list[T]]:
        """Encode and store items in this process.

        Args:
            items: items that were missing from the cache at the last check.
            advance: function to call with the units of work just done.
            wait: True to wait, after all other items, for those that other processes work on.

        Returns:
            The result of each item by name; and, without waiting, the items that other processes work on.
        """
        filled: dict[str, FilledItem] = {}

        def take(item: T, content: Features | DerivedPictures) -> None:
            filled[item.name] = FilledItem.stored(content)
            advance(self.amount(item))

        left = list(items)
        while left:
            with (
                Claims[T](self.cache, take) as claims,
                contextlib.closing(self.encode(claims.free(left), advance)) as encoded,
            ):
                for item, result in encoded:
                    filled[item.name] = result
                    claims.done(item.name)
            if not wait:
                return filled, claims.busy
            if len(claims.busy) == len(left):
                with alone(self.cache.claim_path(left[0]), wait_for=f"it makes {self.cache.kind} of {left[0].name}"):
                    pass
            left = claims.busy
        return filled, []

    def _fill_by_workers(self, items: Sequence[T], advance: Callable[[int], None]) -> dict[str, FilledItem]:
        """Have workers encode and store items: first those that are free, then those of other processes."""
        filled: dict[str, FilledItem] = {}
        engine = engine_of(self.settings, self.settings.cache)
        share = WorkerShare(self.cores, gpu=device_of(self.encoder) != "cpu")
        portable = replace(self, encoder=None, settings=engine.inside(self.settings, share))
        left = items
        for wait in (False, True):
            busy: list[T] = []
            for result in engine.map(WorkerFactory(portable, wait), left, share=share) if left else ():
                if isinstance(result.error, StorageError):  # the disk is as full for the next item
                    raise result.error
                if result.value is None:
                    filled[result.item.name] = FilledItem(failed=Failed.of(result.error))
                    continue
                amount, item = result.value
                advance(amount)
                if item is None:
                    busy.append(result.item)
                else:
                    filled[result.item.name] = item
            left = busy
        return filled


@dataclass(frozen=True)
class WorkerFactory(Generic[T]):
    """Factory for a worker that creates one encoder and fills the cache, one item per call. The worker calls it.

    Attributes:
        filler: a filler without its encoder, because encoders stay in their process.
        wait: True to wait for other processes; a worker has one item at a time, so that it waits without a claim.
    """

    filler: CacheFiller[T]
    wait: bool

    def __call__(self) -> Callable[[T], tuple[int, FilledItem | None]]:
        """Return the worker's function, from an item to units of work and result; ``None`` if another process has it.

        Raises:
            SolutionError: the worker's encoder differs from that of the cache.
        """
        encoder = self.filler.make(self.filler.settings)
        self.filler.cache.check(encoder)
        filler = replace(self.filler, encoder=encoder)

        def fill(item: T) -> tuple[int, FilledItem | None]:
            amounts: list[int] = []
            filled, _ = filler.fill_here([item], amounts.append, wait=self.wait)
            return sum(amounts), filled.get(item.name)

        return fill


def fill_cache(
    name: str, cache: VideoStore, items: Sequence[T], filler: Callable[[], CacheFiller[T]], settings: Settings
) -> ExtractionReport:
    """Encode the items that a cache lacks. Errors are those of :meth:`CacheFiller.fill`.

    Args:
        name: name of the encoder.
        cache: cache of this encoder on one data set.
        items: items without duplicates.
        filler: function that creates the filler; it is called if an item is missing.
        settings: number of threads that check the cache.

    Returns:
        A report with the numbers of encoded and reused frames.
    """
    with ThreadPoolExecutor(settings.workers) as pool:  # each core verifies an item's checksums
        stored = list(pool.map(partial(_stored, cache), items))
    missing = [item for item, result in zip(items, stored, strict=True) if result is None]
    start = time.monotonic()
    filled = [result for result in stored if result is not None]
    if missing:
        filled += filler().fill(missing).values()
    rows, reused = sum(result.rows for result in filled), sum(result.reused for result in filled)
    undetected = sum(result.undetected for result in filled)
    return ExtractionReport(name, len(items), rows, reused, undetected, time.monotonic() - start)


def _stored(cache: VideoStore, item: T) -> FilledItem | None:
    """Describe an item if it is in the cache, else return ``None``; all files are closed again."""
    content = cache.get(item)
    return None if content is None else FilledItem.stored(content)
