"""Fill the feature cache with features of sound: each recording is encoded once, for all videos that share it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from harness.datasets.checking.audio_start import audio_command
from harness.datasets.dataset import Dataset
from harness.engine import engine_of
from harness.engine.engine import Share
from harness.errors import DataError, SolutionError, StorageError, problem
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.progress import progress
from solutions.cache.claims import Claims, make_by_claims
from solutions.cache.failed import listed, number
from solutions.cache.features_file import FeatureCache, Features
from solutions.cache.parallel import in_parallel
from solutions.cache.recording import Recording, recordings_of
from solutions.encoders.audio.media import open_media
from solutions.encoders.audio.waveform import SAMPLE_RATE
from solutions.encoders.encoder import AudioEncoder, device_of, total_dim
from solutions.encoders.pooling import collector_of, row_parts
from solutions.encoders.registry import make_audio_encoder

T = TypeVar("T")

_SHORT = 60
"""Seconds of recordings that threads encode one each; a longer one gets all cores, and its memory is needed once."""

MakeAudio = Callable[[Settings], AudioEncoder]


def extract_audio_features(
    encoder: AudioEncoder,
    data: Dataset,
    splits: Sequence[str],
    settings: Settings,
    *,
    make: MakeAudio | None = None,
) -> tuple[FeatureCache, ExtractionReport]:
    """Make sure that every recording of the splits' videos has features, at the encoder's own rate.

    Args:
        make: makes the same encoder in another process; by its name if not given.

    Returns:
        The cache, and what was done: its videos are recordings, its frames the encoder's rows.

    Raises:
        DataError: there is no sound at all, or some can't be read. All other recordings are done and kept.
        SolutionError: a worker could not do some recordings. All others are done and kept.
        StorageError: the disk is full; what is finished is kept.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    recordings = recordings_of(video for split in splits for video in data.videos(split))
    if not recordings:
        raise DataError(
            problem(
                f"{encoder.name} needs sound, and no video has any",
                where=data.root,
                expected="audios/<video>.wav",
                do=f"Make them with: {audio_command('VIDEO', 'audios/VIDEO.wav')}",
            )
        )
    held = {recording: cache.get(recording) for recording in recordings}
    missing = [recording for recording, features in held.items() if features is None]
    reused = sum(len(features.frames) for features in held.values() if features is not None)
    start = time.monotonic()
    make = make or partial(make_audio_encoder, encoder.name)
    done = _encode_all(encoder, cache, missing, make, settings) if missing else _Heard()
    seconds = time.monotonic() - start
    return cache, ExtractionReport(encoder.name, len(recordings), done.rows, reused + done.taken, 0, seconds)


def _encode_all(
    encoder: AudioEncoder,
    cache: FeatureCache,
    recordings: list[Recording],
    make: MakeAudio,
    settings: Settings,
) -> _Heard:
    """Encode and store, but for what other processes make meanwhile."""
    seconds = {recording.name: _seconds(recording) for recording in recordings}
    total = sum(seconds.values())
    cache.make_room(total * encoder.rows_per_second)
    with progress(f"{encoder.name}: {len(recordings)} recordings", total, "seconds of sound") as advance:
        done, undone = _Heard(), list[str]()
        if settings.engine == "ray":
            largest_first = sorted(recordings, key=lambda r: -seconds[r.name])
            _with_workers(encoder, cache, largest_first, make, settings, advance, done, undone, wait=False)
            busy, done.busy = done.busy, []
            _with_workers(encoder, cache, busy, make, settings, advance, done, undone, wait=True)
        else:
            in_turn = sorted(recordings, key=lambda r: -seconds[r.name]) if _by_clips(encoder) else recordings
            done = _encode(encoder, cache, in_turn, advance, workers=settings.workers)
    unreadable = done.unreadable
    rest = len(recordings) - len(unreadable) - len(undone)
    kept = f"features of the other {rest} are kept, and the same command does only what is missing"
    parts = [
        f"{number(len(lines), 'sound file')} {what}; {kept}:{listed(lines)}"
        for what, lines in (("can't be read", unreadable), ("could not be done", undone))
        if lines
    ]
    if parts:
        raise (SolutionError if undone else DataError)("\n".join(parts))
    return done


@dataclass
class _Heard:
    """What was made of recordings.

    Attributes:
        rows: that were encoded here.
        taken: rows that another process encoded meanwhile.
        unreadable: a message on each recording that can't be read.
        busy: recordings that other processes are at.
    """

    rows: int = 0
    taken: int = 0
    unreadable: list[str] = field(default_factory=list)
    busy: list[Recording] = field(default_factory=list)

    def add(self, other: _Heard) -> None:
        """Add what a worker made."""
        self.rows += other.rows
        self.taken += other.taken
        self.unreadable += other.unreadable
        self.busy += other.busy


def _with_workers(
    encoder: AudioEncoder,
    cache: FeatureCache,
    recordings: list[Recording],
    make: MakeAudio,
    settings: Settings,
    advance: Callable[[int], None],
    heard: _Heard,
    undone: list[str],
    *,
    wait: bool,
) -> None:
    """Have workers encode and store.

    Args:
        heard: gets what was made.
        undone: gets messages on recordings that were not done.
        wait: for other processes that are at a recording.
    """
    if not recordings:
        return
    engine, share = engine_of(settings, settings.cache), Share(cores=None, gpu=device_of(encoder) != "cpu")
    for done in engine.map(_Listener(make, cache, engine.inside(settings, share), wait), recordings, share=share):
        if isinstance(done.error, StorageError):  # the next recording will find the disk as full
            raise done.error
        if done.value is None:
            undone.append(f"{done.item.path}: {done.error}")
            continue
        heard.add(done.value)
        if not done.value.busy:
            advance(_seconds(done.item))


@dataclass(frozen=True)
class _Listener:
    """Makes a worker, where it is to work: one encoder for its life, that fills the cache a recording at a time."""

    make: MakeAudio
    cache: FeatureCache
    settings: Settings
    wait: bool

    def __call__(self) -> Callable[[Recording], _Heard]:
        encoder = self.make(self.settings)
        self.cache.check(encoder)
        return lambda recording: _encode(encoder, self.cache, [recording], lambda seconds: None, wait=self.wait)


def _encode(
    encoder: AudioEncoder,
    cache: FeatureCache,
    recordings: Sequence[Recording],
    advance: Callable[[int], None],
    *,
    wait: bool = True,
    workers: int = 1,
) -> _Heard:
    """Encode and store, in this process.

    Args:
        wait: for other processes that are at a recording, when all others are done.
        workers: threads that encode a short recording each, where the encoder keeps one core busy.
    """
    heard = _Heard()

    def encode(claims: Claims[Recording], left: Sequence[Recording]) -> None:
        short = [recording for recording in left if _seconds(recording) <= _SHORT] if _by_clips(encoder) else []
        if len(short) < max(workers, 2):
            short = []
        if short:
            one = partial(_encoded, encoder)
            with contextlib.closing(in_parallel(one, claims.free(short), workers)) as done:
                for recording, (rows, source) in done:
                    store(recording, rows, source)
                    claims.done(recording.name)
                    advance(_seconds(recording))
        names = {recording.name for recording in short}
        rest = [recording for recording in left if recording.name not in names]
        collector = collector_of(encoder)
        with contextlib.closing(_ahead(_read(claims.free(rest), encoder.chunk_seconds))) as coming:
            for recording, found in coming:
                if isinstance(found, np.ndarray):
                    collector.add(_checked(encoder, found))
                    advance(round(len(found) / SAMPLE_RATE))
                    continue
                rows, collector = collector.result(), collector_of(encoder)
                store(recording, rows, found)
                claims.done(recording.name)

    def store(recording: Recording, rows: npt.NDArray[np.float32], source: str | DataError) -> None:
        n = len(rows)
        if isinstance(source, DataError):
            heard.unreadable.append(str(source))
        elif not n:
            do = "Remove it: its videos then count as videos without sound"
            heard.unreadable.append(problem("shorter than one step of the encoder", where=recording.path, do=do))
        else:
            cache.put(recording, np.arange(1, n + 1), rows, source)
            heard.rows += n

    def take(recording: Recording, made: Features) -> None:
        heard.taken += len(made.frames)
        advance(_seconds(recording))

    heard.busy = make_by_claims(cache, recordings, encode, take, wait=wait)
    return heard


def _by_clips(encoder: AudioEncoder) -> bool:
    """Return True if threads encode a recording each."""
    return getattr(encoder, "parallel", "threads") == "batches"


def _encoded(encoder: AudioEncoder, recording: Recording) -> tuple[npt.NDArray[np.float32], str | DataError]:
    """Read and encode one recording: its rows, and the hash of its file or why it can't be read."""
    collector = collector_of(encoder)
    for _, piece in _read([recording], encoder.chunk_seconds):
        if not isinstance(piece, np.ndarray):
            return collector.result(), piece
        collector.add(_checked(encoder, piece))
    raise AssertionError("a recording ends with its hash, or with an error")


def _seconds(recording: Recording) -> int:
    """Duration, rounded up; 0 where the file can't be read, which is said when its turn comes."""
    try:
        return int(open_media(recording.path).seconds) + 1
    except DataError:
        return 0


def _read(
    recordings: Iterable[Recording], seconds: int
) -> Iterator[tuple[Recording, npt.NDArray[np.float32] | str | DataError]]:
    """Each recording's chunks, then the hash of its file; or, at any point, why it can't be read."""
    for recording in recordings:
        try:
            for samples in open_media(recording.path).chunks(seconds):
                yield recording, samples
            yield recording, recording.source_hash()
        except DataError as error:
            yield recording, error


def _ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, each made by a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(lambda: list(islice(items, 1)))
        while item := following.result():
            following = pool.submit(lambda: list(islice(items, 1)))
            yield item[0]


def _checked(encoder: AudioEncoder, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows, width = encoder.encode(samples), total_dim(row_parts(encoder))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise SolutionError(f"encoder {encoder.name} gave {rows.shape}, expected {width} columns")
    if not (np.abs(rows) <= min(np.finfo(part.dtype).max for part in encoder.parts)).all():
        raise SolutionError(f"encoder {encoder.name} gave values that its features' type can't hold")
    return rows
