"""One way to fill a cache: each item is encoded once, and the same command again does only what is missing.

Work is done in this process, or by workers that each make one encoder and fill the cache an item at a time. Items that
processes of other commands are at are left for last, and taken from the cache when these are done.
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
        rows: frames, or steps of audio, that were encoded here.
        reused: those that were in the cache, or that another process encoded meanwhile.
        undetected: frames in which the encoder found nothing.
        failed: why the cache holds nothing of the item.
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
    """Fills one cache. Subclasses know what an item is, how it is opened, and how much work it is.

    Attributes:
        encoder: what encodes, in this process.
        make: makes the same encoder in another process.
        settings: of this process.
        rows_per_unit: of work, about.
        items, unit: what several items, and units of work, are called on the screen.
        cores: that a worker keeps busy; ``None`` for as many as this process would.
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
        """Return how much work an item is, in units."""

    @abstractmethod
    def encode(self, items: Iterable[T], advance: Callable[[int], None]) -> Generator[tuple[T, FilledItem], None, None]:
        """Encode and store items one after the other, asking for the next while the last one is encoded.

        Args:
            items: claimed one by one as they are asked for.
            advance: to call with units of work just done.
        """

    def fill(self, items: Sequence[T]) -> Mapping[str, FilledItem]:
        """Encode and store items, but for what other processes encode meanwhile.

        Returns:
            What came of each item, by name.

        Raises:
            DataError: some items can't be read. All others are done and kept.
            SolutionError: some items could not be done for another reason. All others are done and kept.
            StorageError: the disk is full; what is finished is kept.
        """
        amounts = {item.name: self.amount(item) for item in items}
        total = sum(amounts.values())
        self.cache.make_room(total * self.rows_per_unit)
        processes = getattr(self.encoder, "parallel", "threads") == "processes"
        with progress(
            f"{self.encoder.name}: {len(items)} {self.items}", total, self.unit, step=f"encode {self.encoder.name}"
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
            items: missing from the cache when they were last looked for.
            advance: to call with units of work just done.
            wait: for other processes that are at some of the items, when all others are done.

        Returns:
            What came of each item, and the items that other processes are at, where they were not waited for.
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
        """Have workers encode and store; first what no other process is at, then the rest."""
        filled: dict[str, FilledItem] = {}
        engine = engine_of(self.settings, self.settings.cache)
        share = WorkerShare(self.cores, gpu=device_of(self.encoder) != "cpu")
        portable = replace(self, encoder=None, settings=engine.inside(self.settings, share))
        left = items
        for wait in (False, True):
            busy: list[T] = []
            for result in engine.map(WorkerFactory(portable, wait), left, share=share) if left else ():
                if isinstance(result.error, StorageError):  # the next item will find the disk as full
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
    """Factory for a worker that makes one encoder and fills the cache, one item per call. It is called in the worker.

    Attributes:
        filler: without an encoder, which does not travel.
        wait: for other processes; a worker has one item at a time, and so no claim while it waits.
    """

    filler: CacheFiller[T]
    wait: bool

    def __call__(self) -> Callable[[T], tuple[int, FilledItem | None]]:
        """Return the worker: from an item to units of work and what came of it, ``None`` if another process is at it.

        Raises:
            SolutionError: the encoder is another one here.
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
    """Make sure that a cache holds all items.

    Args:
        name: the encoder's.
        cache: of this encoder on one data set.
        items: each once.
        filler: called if an item is missing.
        settings: how many threads look for items in the cache.

    Returns:
        What was done. Raises as :meth:`CacheFiller.fill`.
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
    """Describe an item that is in the cache; no file stays open."""
    content = cache.get(item)
    return None if content is None else FilledItem.stored(content)
