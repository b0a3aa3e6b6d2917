"""Fill the feature cache: each frame is decoded and encoded once, the same command again does only what is missing."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError, SolutionError, problem
from harness.images import decode_rgb
from harness.progress import progress
from harness.settings import Settings
from harness.solution import ExtractionReport
from solutions.encoders.cache import FeatureCache
from solutions.encoders.encoder import Encoder, spans, total_dim
from solutions.encoders.registry import make_encoder

_AHEAD = 4  # batches in the queue for each thread: what it works on while a video is written, or another is slow
_SHOWN = 5


@dataclass(frozen=True)
class _Batch:
    """Crops of one video, encoded: their features, and their files' bytes."""

    values: npt.NDArray[np.float32]
    raw: list[bytes]


class _Unreadable(Exception):
    """Crops of one video that can't be decoded; carries one message each."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(messages)
        self.messages = messages


def extract_features(
    encoder: Encoder, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[FeatureCache, ExtractionReport]:
    """Make sure that every video of the splits has features.

    Returns:
        The cache, and what was done.

    Raises:
        DataError: some crops can't be read. All other videos are done and kept.
        StorageError: the disk is full; what is finished is kept.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    videos = [video for split in splits for video in data.videos(split)]
    missing, reused, undetected = [], 0, 0
    for video in videos:
        features = cache.get(video)
        if features is None:
            missing.append(video)
        else:
            reused += len(features.frames) + features.undetected
            undetected += features.undetected
    frames = sum(len(video.crops) for video in missing)
    start = time.monotonic()
    if missing:
        cache.make_room(frames)
        with progress(f"{encoder.name}: {len(missing)} videos", frames, "frames") as advance:
            undetected += _encode_all(encoder, cache, missing, settings, advance)
    seconds = time.monotonic() - start
    return cache, ExtractionReport(encoder.name, len(videos), frames, reused, undetected, seconds)


def _encode_all(
    encoder: Encoder, cache: FeatureCache, videos: list[Video], settings: Settings, advance: Callable[[int], None]
) -> int:
    """Encode and store; the number of crops in which nothing was found."""
    unreadable: dict[str, list[str]] = {}
    if encoder.parallel == "processes" and settings.workers > 1 and len(videos) > 1:
        undetected = _with_processes(encoder.name, cache, videos, settings, advance, unreadable)
    else:
        undetected = 0
        for video, frames, values, source in _encoded(encoder, videos, settings.workers, advance, unreadable):
            cache.put(video, frames, values, source)
            undetected += int(np.isnan(values).any(1).sum())
    if unreadable:
        raise _unreadable_error([video for video in videos if video.name in unreadable], unreadable, len(videos))
    return undetected


def _unreadable_error(videos: Sequence[Video], messages: dict[str, list[str]], of: int) -> DataError:
    """All crops of so many ``of`` videos that can't be read, in the videos' order, as one error."""
    lines = [message for video in videos for message in messages[video.name]]
    more = f"\n  … and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return DataError(
        f"{_number(len(lines), 'crop')} of {_number(len(videos), 'video')} can't be read; features of the other "
        f"{_number(of - len(videos), 'video')} are kept:\n  " + "\n  ".join(lines[:_SHOWN]) + more
    )


def _number(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _encoded(
    encoder: Encoder,
    videos: Sequence[Video],
    workers: int,
    advance: Callable[[int], None],
    unreadable: dict[str, list[str]],
) -> Iterator[tuple[Video, npt.NDArray[np.int64], npt.NDArray[np.float32], str]]:
    """Features of videos, one after the other, while threads are at work on the batches that follow.

    Batches never span videos, so that a video's features don't depend on which others were done in the same go. Each
    is one task, from files to features. Where encoding takes one core, a thread a core does all of it, and none waits
    for another. Where it takes all cores, or a GPU, threads take turns in it, and there is one more of them to decode.
    """
    by_turns = encoder.parallel != "batches"
    turn = threading.Lock() if by_turns else contextlib.nullcontext()
    threads = workers + 1 if by_turns else workers
    with (
        contextlib.nullcontext() if by_turns else _torch_on_one_core() as initializer,
        ThreadPoolExecutor(threads, initializer=initializer) as pool,
    ):
        queue: deque[tuple[Video, bool, Future[_Batch]]] = deque()
        work = _batches(videos, encoder.batch_size)

        def refill() -> None:
            while len(queue) < _AHEAD * threads:
                item = next(work, None)
                if item is None:
                    return
                video, at, last = item
                queue.append((video, last, pool.submit(_batch, encoder, video, at, turn)))

        rows: list[npt.NDArray[np.float32]] = []
        digest = hashlib.sha256()
        bad: list[str] = []
        at = 0
        refill()
        try:
            while queue:
                video, last, future = queue.popleft()
                refill()
                try:
                    batch = future.result()
                except _Unreadable as error:
                    bad += error.messages
                else:
                    numbers = video.crops.frames[at : at + len(batch.raw)].tolist()
                    for frame, raw in zip(numbers, batch.raw, strict=True):
                        digest.update(b"%d\0" % frame)
                        digest.update(raw)
                    rows.append(batch.values)
                    advance(len(batch.raw))
                at += encoder.batch_size
                if last:
                    if bad:
                        unreadable[video.name] = bad
                    else:
                        yield video, video.crops.frames, np.concatenate(rows), digest.hexdigest()
                    rows, digest, bad, at = [], hashlib.sha256(), [], 0
        finally:
            for _, _, future in queue:
                future.cancel()


@contextlib.contextmanager
def _torch_on_one_core() -> Iterator[Callable[[], None]]:
    """While the block runs, torch takes one core in each thread that has called what is given; afterwards as before."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        torch.set_num_threads(before)


def _checked(encoder: Encoder, values: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.float32]:
    shape = (n, total_dim(encoder.parts))
    if values.shape != shape:
        raise SolutionError(f"encoder {encoder.name} gave {values.shape} for {n} images, expected {shape}")
    columns = spans(encoder.parts)
    for part in encoder.parts:
        if (np.abs(values[:, columns[part.name]]) > np.finfo(part.dtype).max).any():
            raise SolutionError(f"encoder {encoder.name} gave values that {part.dtype} can't hold")
    return values


def _batches(videos: Sequence[Video], size: int) -> Iterator[tuple[Video, int, bool]]:
    for video in videos:
        n = len(video.crops)
        for at in range(0, max(n, 1), size):
            yield video, at, at + size >= n


def _batch(encoder: Encoder, video: Video, at: int, turn: contextlib.AbstractContextManager[Any]) -> _Batch:
    images, raws, bad = [], [], []
    for path in video.crops.paths(at, at + encoder.batch_size):
        try:
            raw = path.read_bytes()
            images.append(encoder.prepare(decode_rgb(np.frombuffer(raw, np.uint8), path)))
            raws.append(raw)
        except DataError as error:
            bad.append(str(error))
        except OSError as error:
            bad.append(problem("can't read the crop", where=path, found=error.strerror))
    if bad:
        raise _Unreadable(bad)
    if not images:
        return _Batch(np.empty((0, total_dim(encoder.parts)), np.float32), [])
    with turn:
        values = encoder.encode(images)
    return _Batch(_checked(encoder, values, len(images)), raws)


# Worker processes: each holds one encoder for its life.
_worker_encoder: Encoder | Exception = SolutionError("a worker was used before it was started")


def _start_worker(name: str, settings: Settings) -> None:
    global _worker_encoder
    _end_with_parent()
    try:
        _worker_encoder = make_encoder(name, settings)
    except Exception as error:  # told by the first task: raised here, all that the parent learns is that it died
        _worker_encoder = error


def _end_with_parent() -> None:
    """A killed parent takes its workers along: without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()


def _work(cache: FeatureCache, video: Video) -> tuple[int, int, list[str]]:
    """Encode and store one video: crops done, crops without a find, messages on unreadable ones."""
    if isinstance(_worker_encoder, Exception):
        raise SolutionError(f"a worker process can't start: {_worker_encoder}")
    unreadable: dict[str, list[str]] = {}
    for _, frames, values, source in _encoded(_worker_encoder, [video], 1, lambda n: None, unreadable):
        cache.put(video, frames, values, source)
        return len(frames), int(np.isnan(values).any(1).sum()), []
    return 0, 0, unreadable[video.name]


def _with_processes(
    name: str,
    cache: FeatureCache,
    videos: list[Video],
    settings: Settings,
    advance: Callable[[int], None],
    unreadable: dict[str, list[str]],
) -> int:
    undetected = 0
    context = multiprocessing.get_context("spawn")
    workers = min(settings.workers, len(videos))
    largest_first = sorted(videos, key=lambda v: -len(v.crops))
    with ProcessPoolExecutor(workers, context, _start_worker, (name, settings)) as pool:
        futures = {pool.submit(_work, cache, video): video for video in largest_first}
        try:
            for future in as_completed(futures):
                done, nothing, messages = future.result()
                undetected += nothing
                advance(done)
                if messages:
                    unreadable[futures[future].name] = messages
        except BrokenProcessPool:
            raise SolutionError(
                "a worker process died (killed, or out of memory). What is finished is kept: run the same command "
                "again, with fewer --workers if memory is short"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return undetected
