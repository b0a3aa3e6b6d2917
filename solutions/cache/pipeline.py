"""From images to what is made of them: in batches, on threads, each image decoded once, results in order."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from harness.datasets.dataset import Video
from harness.datasets.images.sources import PictureReader, Pictures, UnreadablePictures
from harness.errors import DataError
from harness.system.images import Image
from harness.system.read_ahead import in_order
from solutions.encoders.encoder import Maker, context_of
from solutions.networks.parallel import torch_on_one_core

_AHEAD = 4  # batches in the queue for each thread: what it works on while a video is written, or another is slow


@dataclass(frozen=True)
class Batch:
    """Images of one video, one after the other, and what was made of them.

    Attributes:
        frames: their 1-based numbers.
        values: what the maker's ``encode`` gave; ``None`` if there were no images.
        raws: bytes of each image's file.
        unreadable: a message for each image that can't be decoded; then nothing was made.
    """

    video: Video
    frames: list[int] = field(default_factory=list)
    values: Any = None
    raws: list[bytes] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def make_batches(
    maker: Maker, videos: Iterable[Video], pictures: Callable[[Video], Pictures], workers: int
) -> Generator[Batch, None, None]:
    """Yield what is made of videos, one after the other, while threads are at work on the batches that follow.

    Videos are asked for one by one, when there is room for their batches. Batches never span videos, so that a video's
    features don't depend on which others were done in the same go; each video has at least one. Each is one task, from
    files to results. Where encoding takes one core, one thread per core does all of it. Where
    it takes all cores, or a GPU, threads take turns in it, and there is one more of them to decode. The batches of
    a video file are read in sequence, and encoded as all others.
    """
    by_turns = maker.parallel != "batches"
    turn = threading.Lock() if by_turns else contextlib.nullcontext()
    threads = workers + 1 if by_turns else workers
    feeds: deque[_Feed] = deque()

    def tasks() -> Iterator[Callable[[], Batch]]:
        for video in videos:
            feed = _Feed(maker, video, pictures(video))
            feeds.append(feed)
            for at in feed.starts:
                yield partial(_made, maker, feed, at, turn)

    with (
        contextlib.nullcontext() if by_turns else torch_on_one_core() as initializer,
        ThreadPoolExecutor(threads, initializer=initializer) as pool,
    ):
        batches = in_order(pool, tasks(), _AHEAD * threads)
        try:
            for batch in batches:
                feeds[0].unread -= 1
                if not feeds[0].unread:
                    feeds.popleft().close()
                yield batch
        finally:
            batches.close()
            pool.shutdown()
            for feed in feeds:
                feed.close()


def _made(maker: Maker, feed: _Feed, at: int, turn: contextlib.AbstractContextManager[Any]) -> Batch:
    try:
        before, own = feed.take(at)
    except UnreadablePictures as error:
        return Batch(feed.video, unreadable=error.messages)
    if not own.images:
        return Batch(feed.video)
    with turn:
        values = maker.encode(own.images, before) if context_of(maker) else maker.encode(own.images)
    return Batch(feed.video, own.frames, values, own.raws)


@dataclass(frozen=True)
class _Read:
    """Pictures as they were read: numbers, prepared images, bytes of their files."""

    frames: list[int] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)


class _Feed:
    """One video's pictures, prepared, handed out a batch at a time to whichever thread asks."""

    def __init__(self, maker: Maker, video: Video, pictures: Pictures) -> None:
        self.video = video
        self.n = len(pictures)
        self.starts = range(0, max(self.n, 1), maker.batch_size)
        self.unread = len(self.starts)  # batches
        self._maker = maker
        self._pictures = pictures
        self._context = context_of(maker)
        self._open = contextlib.ExitStack()
        self._reader: PictureReader | None = None
        self._broken = False
        self._lock = threading.Condition()
        self._next = 0
        self._tail: list[Image] = []

    def take(self, at: int) -> tuple[list[Image], _Read]:
        """The pictures before the batch that begins at an index, as many as the maker wants, and the batch.

        Raises:
            UnreadablePictures: one message each; an unreadable picture before the batch belongs to the batch before.
        """
        stop = min(at + self._maker.batch_size, self.n)
        if self._pictures.random_access:
            with self._lock:
                reader = self._opened()
            return self._before(reader, at), self._read(reader, at, stop)
        with self._lock:
            # tasks start in the order of their batches, so the one that is waited for is always at work
            self._lock.wait_for(lambda: self._next == at)
            try:
                own = self._read(self._opened(), at, stop)
                before, so_far = self._tail, [*self._tail, *own.images]
                self._tail = so_far[max(0, len(so_far) - self._context) :]
            finally:
                self._next = at + self._maker.batch_size
                self._lock.notify_all()
        return before, own

    def close(self) -> None:
        """Close the reader; nothing is at work on it any more."""
        self._open.close()

    def _opened(self) -> PictureReader:
        if self._broken:
            raise UnreadablePictures([])  # has been said once
        if self._reader is None:
            try:
                self._reader = self._open.enter_context(self._pictures.reader())
            except (DataError, UnreadablePictures) as error:
                self._broken = True
                raise UnreadablePictures(getattr(error, "messages", [str(error)])) from None
        return self._reader

    def _before(self, reader: PictureReader, at: int) -> list[Image]:
        try:
            return self._read(reader, max(0, at - self._context), at).images
        except UnreadablePictures:
            return []

    def _read(self, reader: PictureReader, start: int, stop: int) -> _Read:
        """Pictures one by one, each made small before the next is decoded."""
        read, bad = _Read(), []
        for index in range(start, stop):
            try:
                pictures = reader.read([index])
            except UnreadablePictures as error:
                bad += error.messages
                continue
            if not pictures:
                break
            for picture in pictures:
                read.frames.append(picture.frame)
                read.images.append(self._maker.prepare(picture.image))
                read.raws.append(picture.raw)
        if bad:
            raise UnreadablePictures(bad)
        return read
