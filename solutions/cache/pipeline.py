"""Pipeline from images to encoded batches, on threads: each image is decoded once, results are in order."""

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

_AHEAD = 4  # batches in the queue per thread, so that threads stay busy while a video is written or a batch is slow


@dataclass(frozen=True)
class Batch:
    """Consecutive images of one video, encoded.

    Attributes:
        video: the video.
        frames: 1-based numbers of the images' frames.
        values: result of the maker's ``encode``; ``None`` for a video without images.
        raws: bytes of each image's file.
        unreadable: one message per damaged image; the other fields are then empty.
    """

    video: Video
    frames: list[int] = field(default_factory=list)
    values: Any = None
    raws: list[bytes] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def make_batches(
    maker: Maker, videos: Iterable[Video], images: Callable[[Video], Pictures], workers: int
) -> Generator[Batch, None, None]:
    """Yield the encoded batches of videos in order, while threads work on the following batches.

    The iterator of videos is advanced when there is room for another one's batches. Each video has at least one batch,
    and a batch has images of a single video, so that a video's features are independent of the other videos. A batch is
    one task, from files to results. If encoding uses one core, one thread per core does the whole task. If encoding
    uses all cores or a GPU, threads take turns in it, and an additional thread decodes. The batches of a video file are
    read in sequence.

    Args:
        maker: encoder, or maker of derived images.
        videos: the videos.
        images: function from a video to the images that the maker takes.
        workers: number of threads.
    """
    by_turns = maker.parallel != "batches"
    turn = threading.Lock() if by_turns else contextlib.nullcontext()
    threads = workers + 1 if by_turns else workers
    feeds: deque[_Feed] = deque()

    def tasks() -> Iterator[Callable[[], Batch]]:
        for video in videos:
            feed = _Feed(maker, video, images(video))
            feeds.append(feed)
            for at in feed.starts:
                yield partial(_encoded, maker, feed, at, turn)

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


def _encoded(maker: Maker, feed: _Feed, at: int, turn: contextlib.AbstractContextManager[Any]) -> Batch:
    try:
        before, batch = feed.take(at)
    except UnreadablePictures as error:
        return Batch(feed.video, unreadable=error.messages)
    if not batch.images:
        return Batch(feed.video)
    with turn:
        values = maker.encode(batch.images, before) if context_of(maker) else maker.encode(batch.images)
    return Batch(feed.video, batch.frames, values, batch.raws)


@dataclass(frozen=True)
class _Read:
    """Images of a batch: frame numbers, prepared images, bytes of the files."""

    frames: list[int] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)


class _Feed:
    """Prepared images of one video, which any thread can take one batch at a time."""

    def __init__(self, maker: Maker, video: Video, source: Pictures) -> None:
        """Plan the batches; images are opened when the first batch is taken."""
        self.video = video
        self.n = len(source)
        self.starts = range(0, max(self.n, 1), maker.batch_size)
        self.unread = len(self.starts)  # number of batches
        self._maker = maker
        self._source = source
        self._context = context_of(maker)
        self._open = contextlib.ExitStack()
        self._reader: PictureReader | None = None
        self._broken = False
        self._lock = threading.Condition()
        self._next = 0
        self._tail: list[Image] = []

    def take(self, at: int) -> tuple[list[Image], _Read]:
        """Return the images before a batch, as many as the maker needs, and the batch that starts at index ``at``.

        Raises:
            UnreadablePictures: images of the batch are damaged; a damaged image before it belongs to the previous one.
        """
        stop = min(at + self._maker.batch_size, self.n)
        if self._source.random_access:
            with self._lock:
                reader = self._opened()
            return self._before(reader, at), self._read(reader, at, stop)
        with self._lock:
            # tasks start in the order of their batches, so that the batch waited for is always being read
            self._lock.wait_for(lambda: self._next == at)
            try:
                batch = self._read(self._opened(), at, stop)
                before, so_far = self._tail, [*self._tail, *batch.images]
                self._tail = so_far[max(0, len(so_far) - self._context) :]
            finally:
                self._next = at + self._maker.batch_size
                self._lock.notify_all()
        return before, batch

    def close(self) -> None:
        """Close the reader, after all batches were taken."""
        self._open.close()

    def _opened(self) -> PictureReader:
        if self._broken:
            raise UnreadablePictures([])  # reported before
        if self._reader is None:
            try:
                self._reader = self._open.enter_context(self._source.reader())
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
        """Read images one by one; each is prepared, and thus made small, before the next one is decoded."""
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
