"""Fill the caches: each frame is decoded and encoded once, the same command again does only what is missing."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, groupby
from typing import Any

import numpy as np

from harness.datasets.checking.report import elsewhere_words
from harness.datasets.dataset import Dataset, Video, count_frames
from harness.datasets.images.sources import Pictures
from harness.engine import engine_of
from harness.engine.engine import Share
from harness.errors import DataError, SolutionError, StorageError, problem
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.progress import progress
from solutions.cache.claims import Claims, make_by_claims
from solutions.cache.derived import DerivedPictures, PictureCache
from solutions.cache.failed import Failed, raise_failed
from solutions.cache.features_file import FeatureCache, Features
from solutions.cache.pipeline import Batch, make_batches
from solutions.encoders.encoder import (
    Encoder,
    Maker,
    Part,
    PictureKind,
    device_of,
    seen_by,
    spans,
    total_dim,
)
from solutions.encoders.registry import make_maker

Make = Callable[[Settings], Maker]


def extract_features(
    encoder: Encoder, data: Dataset, splits: Sequence[str], settings: Settings, *, make: Make | None = None
) -> tuple[FeatureCache, ExtractionReport]:
    """Make sure that every video of the splits has features.

    Args:
        make: makes the same encoder in another process; by its name if not given.

    Returns:
        The cache, and what was done.

    Raises:
        DataError: some pictures can't be read. All other videos are done and kept.
        SolutionError: a worker could not do some videos. All others are done and kept.
        StorageError: the disk is full; what is finished is kept.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    return cache, _fill(encoder, cache, data, splits, make or partial(make_maker, encoder.name), settings)


def extract_pictures(
    kind: PictureKind, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[PictureCache, ExtractionReport]:
    """Make sure that every video of the splits has pictures of that kind, which are made of its frames.

    Returns:
        The cache, and what was done. Raises as :func:`extract_features`.
    """
    maker = make_maker(kind, settings)
    cache = PictureCache(settings.cache, maker, data)
    return cache, _fill(maker, cache, data, splits, partial(make_maker, kind), settings)


def _fill(
    maker: Maker,
    cache: FeatureCache | PictureCache,
    data: Dataset,
    splits: Sequence[str],
    make: Make,
    settings: Settings,
) -> ExtractionReport:
    for split in splits:
        _check_images(data, split)
    videos = [video for split in splits for video in data.videos(split)]
    count_frames(videos)
    with ThreadPoolExecutor(settings.workers) as pool:  # each core verifies a video's checksums
        held = list(pool.map(partial(_held, cache), videos))
    missing = [video for video, own in zip(videos, held, strict=True) if own is None]
    reused = sum(own[0] for own in held if own is not None)
    undetected = sum(own[1] for own in held if own is not None)
    frames = sum(len(video.images) for video in missing)
    start = time.monotonic()
    if missing:
        sees = seen_by(maker)
        seen = None if sees == "frames" else extract_pictures(sees, data, splits, settings)[0]
        cache.make_room(frames)
        with progress(f"{maker.name}: {len(missing)} videos", frames, "frames") as advance:
            work = _Work(maker, cache, seen, advance)
            _make_all(work, missing, make, settings)
        undetected += work.undetected
        frames, reused = frames - work.taken, reused + work.taken
    return ExtractionReport(maker.name, len(videos), frames, reused, undetected, time.monotonic() - start)


def _held(cache: FeatureCache | PictureCache, video: Video) -> tuple[int, int] | None:
    """Pictures of a video that are done, and those of them in which nothing was found; no file stays open."""
    made = cache.get(video)
    return None if made is None else (len(made.frames) + made.undetected, made.undetected)


def _check_images(data: Dataset, split: str) -> None:
    """Raise DataError if no video of a split has an image: what comes out would look like a result."""
    noun, videos = data.task.noun, data.videos(split)
    if any(len(video.images) for video in videos):
        return
    others = f"; folders of images that are no video's: {', '.join(data.strangers[:3])}" if data.strangers else ""
    if near := elsewhere_words(data, [video.name for video in videos]):
        others = f"; {near}"
    raise DataError(
        problem(
            f"no {split} video has a {noun}",
            where=data.root,
            found=f"{len(videos)} videos such as {videos[0].name}{others}",
            do=f"Put their {noun}s there; see what was found with: abaw data check {data.root}",
        )
    )


def _make_all(work: _Work, videos: list[Video], make: Make, settings: Settings) -> None:
    """Make and store, but for what other processes make meanwhile."""
    several = work.maker.parallel == "processes" and settings.workers > 1 and len(videos) > 1
    if settings.engine == "ray" or several:
        busy = _with_workers(work, videos, make, settings, wait=False)
        _with_workers(work, busy, make, settings, wait=True)
    else:
        work.do(videos, settings.workers)
    raise_failed(work.cache.kind, videos, work.failed)


@dataclass
class _Work:
    """What to make of videos, and where it goes.

    Attributes:
        seen: where the pictures are that the maker is shown; ``None`` for the videos' own.
        advance: is told of pictures done.
        failed: gets what went wrong, by video.
        undetected: pictures in which nothing was found.
        taken: pictures that another process made something of meanwhile.
    """

    maker: Maker
    cache: FeatureCache | PictureCache
    seen: PictureCache | None
    advance: Callable[[int], None]
    failed: dict[str, Failed] = field(default_factory=dict)
    undetected: int = 0
    taken: int = 0

    def do(self, videos: Sequence[Video], workers: int, *, wait: bool = True) -> list[Video]:
        """Make and store, in this process.

        Args:
            wait: for other processes that are at some of the videos, when all others are done.

        Returns:
            The videos that other processes are at, where they were not waited for.
        """

        def make(claims: Claims[Video], left: Sequence[Video]) -> None:
            batches = make_batches(self.maker, claims.free(left), self._pictures, workers)
            with contextlib.closing(batches) as made:
                for name, own in groupby(made, lambda batch: batch.video.name):
                    self.undetected += self._store(own)
                    claims.done(name)

        return make_by_claims(self.cache, videos, make, self._take, wait=wait)

    def _take(self, video: Video, made: Features | DerivedPictures) -> None:
        """Keep what another process made of a video meanwhile."""
        self.taken += len(video.images)
        self.undetected += made.undetected
        self.advance(len(video.images))

    def _pictures(self, video: Video) -> Pictures:
        return video.images if self.seen is None else self.seen.open(video)

    def _store(self, batches: Iterator[Batch]) -> int:
        """Store one video, or note what can't be read of it."""
        first = next(batches)
        frames: list[int] = []
        bad: list[str] = []
        digest, by_picture = hashlib.sha256(), True
        with self.cache.writing(first.video) as writer:
            for batch in chain([first], batches):
                bad += batch.unreadable
                self.advance(len(batch.frames))
                if bad or not batch.frames:
                    continue
                writer.add(_checked(self.maker, batch.values, len(batch.frames)))
                frames += batch.frames
                for frame, raw in zip(batch.frames, batch.raws, strict=True):
                    digest.update(b"%d\0" % frame)
                    digest.update(raw)
                    by_picture &= bool(raw)
            if bad:
                self.failed[first.video.name] = Failed(tuple(bad))
                return 0
            whole = not (frames and by_picture)
            source = self._pictures(first.video).source_hash() if whole else digest.hexdigest()
            return writer.finish(np.array(frames, np.int64), source)


def _checked(maker: Maker, values: Any, n: int) -> Any:
    """What was made of n pictures, if it is what the maker declared."""
    if not isinstance(values, np.ndarray):
        if len(values) != n:
            raise SolutionError(f"{maker.name} gave {len(values)} results for {n} images")
        return values
    parts: tuple[Part, ...] = maker.parts  # type: ignore[attr-defined]
    shape = (n, total_dim(parts))
    if values.shape != shape:
        raise SolutionError(f"encoder {maker.name} gave {values.shape} for {n} images, expected {shape}")
    columns = spans(parts)
    for part in parts:
        if (np.abs(values[:, columns[part.name]]) > np.finfo(part.dtype).max).any():
            raise SolutionError(f"encoder {maker.name} gave values that {part.dtype} can't hold")
    return values


@dataclass(frozen=True)
class _Filler:
    """Makes a worker, where it is to work: one maker for its life, that fills the cache a video at a time."""

    make: Make
    cache: FeatureCache | PictureCache
    seen: PictureCache | None
    settings: Settings
    wait: bool

    def __call__(self) -> Callable[[Video], _Filled]:
        maker = self.make(self.settings)
        self.cache.check(maker)

        def fill(video: Video) -> _Filled:
            done: list[int] = []
            work = _Work(maker, self.cache, self.seen, done.append)
            busy = bool(work.do([video], self.settings.workers, wait=self.wait))
            return _Filled(sum(done), work.undetected, work.failed.get(video.name), work.taken, busy)

        return fill


@dataclass(frozen=True)
class _Filled:
    """What a worker did of a video: pictures, those without a find, and what went wrong.

    Attributes:
        taken: pictures that another process made something of meanwhile.
        busy: another process is at it.
    """

    pictures: int
    undetected: int
    failed: Failed | None
    taken: int
    busy: bool


def _with_workers(work: _Work, videos: list[Video], make: Make, settings: Settings, *, wait: bool) -> list[Video]:
    """Have workers make and store.

    Args:
        wait: see :meth:`_Work.do`; a worker has one video at a time, and so no claim while it waits.

    Returns:
        The videos that processes of other commands are at.
    """
    if not videos:
        return []
    busy: list[Video] = []
    engine, share = engine_of(settings, settings.cache), Share(gpu=device_of(work.maker) != "cpu")
    filler = _Filler(make, work.cache, work.seen, engine.inside(settings, share), wait)
    largest_first = sorted(videos, key=lambda v: -len(v.images))
    for done in engine.map(filler, largest_first, share=share):
        if isinstance(done.error, StorageError):  # the next video will find the disk as full
            raise done.error
        if done.value is None:
            work.failed[done.item.name] = Failed.of(done.error)
            continue
        work.undetected += done.value.undetected
        work.taken += done.value.taken
        work.advance(done.value.pictures)
        if done.value.failed:
            work.failed[done.item.name] = done.value.failed
        if done.value.busy:
            busy.append(done.item)
    return busy
