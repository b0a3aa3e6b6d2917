"""Fill the caches: each frame is decoded and encoded once, the same command again does only what is missing."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, groupby
from multiprocessing.connection import wait
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.pictures import Pictures
from harness.errors import DataError, SolutionError
from harness.progress import progress
from harness.settings import Settings
from harness.solution import ExtractionReport
from solutions.encoders.cache import FeatureCache
from solutions.encoders.derived import PictureCache
from solutions.encoders.encoder import Encoder, Maker, Part, PictureKind, seen_by, spans, total_dim
from solutions.encoders.pipeline import Batch, make_batches
from solutions.encoders.registry import make_maker

_SHOWN = 5


def extract_features(
    encoder: Encoder, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[FeatureCache, ExtractionReport]:
    """Make sure that every video of the splits has features.

    Returns:
        The cache, and what was done.

    Raises:
        DataError: some pictures can't be read. All other videos are done and kept.
        StorageError: the disk is full; what is finished is kept.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    return cache, _fill(encoder, cache, data, splits, settings)


def extract_pictures(
    kind: PictureKind, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[PictureCache, ExtractionReport]:
    """Make sure that every video of the splits has pictures of that kind, which are made of its frames.

    Returns:
        The cache, and what was done. Raises as :func:`extract_features`.
    """
    maker = make_maker(kind, settings)
    cache = PictureCache(settings.cache, maker, data)
    return cache, _fill(maker, cache, data, splits, settings)


def _fill(
    maker: Maker, cache: FeatureCache | PictureCache, data: Dataset, splits: Sequence[str], settings: Settings
) -> ExtractionReport:
    videos = [video for split in splits for video in data.videos(split)]
    missing, reused, undetected = [], 0, 0
    for video in videos:
        held = cache.get(video)
        if held is None:
            missing.append(video)
        else:
            reused += len(held.frames) + held.undetected
            undetected += held.undetected
    frames = sum(len(video.crops) for video in missing)
    start = time.monotonic()
    if missing:
        sees = seen_by(maker)
        seen = None if sees == "frames" else extract_pictures(sees, data, splits, settings)[0]
        cache.make_room(frames)
        with progress(f"{maker.name}: {len(missing)} videos", frames, "frames") as advance:
            undetected += _make_all(_Work(maker, cache, seen, advance), missing, settings)
    return ExtractionReport(maker.name, len(videos), frames, reused, undetected, time.monotonic() - start)


def _make_all(work: _Work, videos: list[Video], settings: Settings) -> int:
    """Make and store; the number of pictures in which nothing was found."""
    if work.maker.parallel == "processes" and settings.workers > 1 and len(videos) > 1:
        undetected = _with_processes(work, videos, settings)
    else:
        undetected = work.do(videos, settings.workers)
    if work.unreadable:
        bad = [video for video in videos if video.name in work.unreadable]
        raise _unreadable_error(work.cache.kind, bad, work.unreadable, len(videos))
    return undetected


@dataclass
class _Work:
    """What to make of videos, and where it goes.

    Attributes:
        seen: where the pictures are that the maker is shown; ``None`` for the videos' own.
        advance: is told of pictures done.
        unreadable: gets the messages on a video's pictures that can't be read.
    """

    maker: Maker
    cache: FeatureCache | PictureCache
    seen: PictureCache | None
    advance: Callable[[int], None]
    unreadable: dict[str, list[str]] = field(default_factory=dict)

    def do(self, videos: Sequence[Video], workers: int) -> int:
        """Make and store, in this process; the number of pictures in which nothing was found."""
        with contextlib.closing(make_batches(self.maker, videos, self._pictures, workers)) as made:
            return sum(self._store(batches) for _, batches in groupby(made, lambda batch: batch.video.name))

    def _pictures(self, video: Video) -> Pictures:
        return video.crops if self.seen is None else self.seen.open(video)

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
                self.unreadable[first.video.name] = bad
                return 0
            whole = not (frames and by_picture)
            source = self._pictures(first.video).source_hash() if whole else digest.hexdigest()
            return writer.finish(np.array(frames, np.int64), source)


def _unreadable_error(contents: str, videos: Sequence[Video], messages: dict[str, list[str]], of: int) -> DataError:
    """All pictures of so many ``of`` videos that can't be read, in the videos' order, as one error."""
    lines = [message for video in videos for message in messages[video.name]]
    noun = videos[0].crops.noun
    more = f"\n  … and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return DataError(
        f"{_number(len(lines), noun)} of {_number(len(videos), 'video')} can't be read; {contents} of the other "
        f"{_number(of - len(videos), 'video')} are kept:\n  " + "\n  ".join(lines[:_SHOWN]) + more
    )


def _number(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


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


# Worker processes: each holds one maker for its life.
_worker_maker: Maker | Exception = SolutionError("a worker was used before it was started")


def _start_worker(name: str, settings: Settings) -> None:
    global _worker_maker
    _end_with_parent()
    try:
        _worker_maker = make_maker(name, settings)
    except Exception as error:  # told by the first task: raised here, all that the parent learns is that it died
        _worker_maker = error


def _end_with_parent() -> None:
    """A killed parent takes its workers along: without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()


def _work(
    cache: FeatureCache | PictureCache, seen: PictureCache | None, video: Video
) -> tuple[int, int, dict[str, list[str]]]:
    """Make and store what one video is to have: pictures done, those without a find, messages on unreadable ones."""
    if isinstance(_worker_maker, Exception):
        raise SolutionError(f"a worker process can't start: {_worker_maker}")
    done: list[int] = []
    work = _Work(_worker_maker, cache, seen, done.append)
    undetected = work.do([video], 1)
    return sum(done), undetected, work.unreadable


def _with_processes(work: _Work, videos: list[Video], settings: Settings) -> int:
    undetected = 0
    context = multiprocessing.get_context("spawn")
    workers = min(settings.workers, len(videos))
    largest_first = sorted(videos, key=lambda v: -len(v.crops))
    with ProcessPoolExecutor(workers, context, _start_worker, (work.maker.name, settings)) as pool:
        futures = [pool.submit(_work, work.cache, work.seen, video) for video in largest_first]
        try:
            for future in as_completed(futures):
                done, nothing, messages = future.result()
                undetected += nothing
                work.advance(done)
                work.unreadable |= messages
        except BrokenProcessPool:
            raise SolutionError(
                "a worker process died (killed, or out of memory). What is finished is kept: run the same command "
                "again, with fewer --workers if memory is short"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return undetected
