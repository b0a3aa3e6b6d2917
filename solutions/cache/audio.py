"""Audio features in the cache: each recording is encoded once, for all videos that share it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.limits import audio_command
from harness.datasets.audio.media import open_media
from harness.datasets.audio.waveform import SAMPLE_RATE
from harness.datasets.dataset import Dataset
from harness.errors import DataError, SolutionError, problem
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.counts import counted
from harness.system.read_ahead import read_ahead
from solutions.cache.failed import Failed
from solutions.cache.features_file import FeatureCache
from solutions.cache.fill import CacheFiller, FilledItem, fill_cache
from solutions.cache.recording import Recording, recordings_of
from solutions.encoders.encoder import AudioEncoder, encode_clips, total_dim
from solutions.encoders.pooling import collector_of, row_parts
from solutions.encoders.registry import make_audio_encoder
from solutions.networks.parallel import in_parallel, release_memory

_SHORT = 60
"""Longest recording, in seconds, that a thread encodes on one core. A longer recording gets all cores, so that its
memory is needed only once."""

MakeAudio = Callable[[Settings], AudioEncoder]


def extract_audio_features(
    encoder: AudioEncoder,
    data: Dataset,
    splits: Sequence[str],
    settings: Settings,
    *,
    make: MakeAudio | None = None,
) -> tuple[FeatureCache, ExtractionReport]:
    """Fill the cache with features of every recording of the splits' videos, at the encoder's own rate.

    Args:
        encoder: the encoder.
        data: the data set.
        splits: splits whose recordings are encoded.
        settings: location of the cache, device and workers.
        make: function that creates the same encoder in another process; by default it is created by name.

    Returns:
        The cache, and a report in which videos are recordings and frames are the encoder's rows.

    Raises:
        DataError: all videos lack audio, or some recordings are unreadable. All other recordings are stored.
        SolutionError: a worker failed on some recordings. All others are stored.
        StorageError: the disk is full; finished recordings are stored.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    recordings = recordings_of(video for split in splits for video in data.videos(split))
    if not recordings:
        raise DataError(
            f"{encoder.name} needs audio, and no video has any",
            where=data.root,
            expected="audios/<video>.wav",
            do=f"Make them with: {audio_command('VIDEO', 'audios/VIDEO.wav')}",
        )
    make = make or partial(make_audio_encoder, encoder.name)
    filler = partial(AudioFiller, encoder, make, cache, settings, encoder.rows_per_second)
    return cache, fill_cache(encoder.name, cache, recordings, filler, settings)


@dataclass(frozen=True)
class AudioFiller(CacheFiller[Recording]):
    """Filler of a cache with features of recordings."""

    cache: FeatureCache
    items: ClassVar[str] = "recordings"
    unit: ClassVar[str] = "seconds of audio"
    cores: ClassVar[int | None] = None

    def amount(self, item: Recording) -> int:
        """Return the duration in seconds, rounded up; 0 for an unreadable file, which :meth:`encode` reports."""
        try:
            return int(open_media(item.path).seconds) + 1
        except DataError:
            return 0

    def encode(
        self, items: Iterable[Recording], advance: Callable[[int], None]
    ) -> Generator[tuple[Recording, FilledItem], None, None]:
        """See :class:`~solutions.cache.fill.CacheFiller`; short recordings run in parallel if the encoder can."""
        if getattr(self.encoder, "parallel", "threads") == "batches":
            long_recordings: list[Recording] = []
            amounts: dict[str, int] = {}
            packs = self._packs(self._short(items, amounts, long_recordings), amounts)
            with contextlib.closing(in_parallel(self._encoded, packs, self.settings.workers)) as encoded:
                for recordings, results in encoded:
                    for recording, (rows, source) in zip(recordings, results, strict=True):
                        advance(amounts[recording.name])
                        yield recording, self._store(recording, rows, source)
            items = long_recordings
        collector = collector_of(self.encoder)
        with contextlib.closing(read_ahead(_read(items, self.encoder.chunk_seconds))) as coming:
            for recording, piece in coming:
                if isinstance(piece, np.ndarray):
                    collector.add(_checked(self.encoder, self.encoder.encode(piece)))
                    advance(round(len(piece) / SAMPLE_RATE))
                    continue
                rows, collector = collector.result(), collector_of(self.encoder)
                yield recording, self._store(recording, rows, piece)

    def _short(
        self, items: Iterable[Recording], amounts: dict[str, int], long_recordings: list[Recording]
    ) -> Iterator[Recording]:
        """Yield short recordings and append the others to ``long_recordings``; record the amount of work of each."""
        for recording in items:
            amounts[recording.name] = self.amount(recording)
            if amounts[recording.name] <= _SHORT:
                yield recording
            else:
                long_recordings.append(recording)

    def _packs(self, recordings: Iterable[Recording], amounts: Mapping[str, int]) -> Iterator[list[Recording]]:
        """Yield recordings that are encoded together: single ones, or as many seconds as the encoder asks for."""
        most = getattr(self.encoder, "seconds_together", 0)
        pack: list[Recording] = []
        total = 0
        for recording in recordings:
            amount = amounts[recording.name]
            if pack and total + amount > most:
                yield pack
                pack, total = [], 0
            pack.append(recording)
            total += amount
        if pack:
            yield pack

    def _encoded(self, pack: Sequence[Recording]) -> list[tuple[npt.NDArray[np.float32], str | DataError]]:
        """Read and encode recordings. Return the rows of each, and the hash of its file, or an error if unreadable."""
        sources: dict[str, str | DataError] = {}
        pieces: list[tuple[str, npt.NDArray[np.float32]]] = []
        for recording, piece in _read(pack, self.encoder.chunk_seconds):
            if isinstance(piece, np.ndarray):
                pieces.append((recording.name, piece))
            else:
                sources[recording.name] = piece
        collectors = {recording.name: collector_of(self.encoder) for recording in pack}
        encoded = encode_clips(self.encoder, [piece for _, piece in pieces])
        if len(pack) > 1:
            release_memory()
        for (name, _), rows in zip(pieces, encoded, strict=True):
            collectors[name].add(_checked(self.encoder, rows))
        return [(collectors[recording.name].result(), sources[recording.name]) for recording in pack]

    def _store(self, recording: Recording, rows: npt.NDArray[np.float32], source: str | DataError) -> FilledItem:
        """Store the rows of one recording, or return the reason of its failure."""
        n = len(rows)
        if isinstance(source, DataError):
            return FilledItem(failed=Failed((str(source),)))
        if not n:
            do = "Remove it: its videos then count as videos without audio"
            what = problem("shorter than one step of the encoder", where=recording.path, do=do)
            return FilledItem(failed=Failed((what,)))
        self.cache.put(recording, np.arange(1, n + 1), rows, source)
        return FilledItem(n)


def _read(
    recordings: Iterable[Recording], seconds: int
) -> Iterator[tuple[Recording, npt.NDArray[np.float32] | str | DataError]]:
    """Yield the chunks of each recording, then the hash of its file. An error ends an unreadable recording."""
    for recording in recordings:
        try:
            for samples in open_media(recording.path).chunks(seconds):
                yield recording, samples
            yield recording, recording.source_hash()
        except DataError as error:
            yield recording, error


def _checked(encoder: AudioEncoder, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    width = total_dim(row_parts(encoder))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise SolutionError(f"encoder {encoder.name} gave {rows.shape}, expected {counted(width, 'column')}")
    if not (np.abs(rows) <= min(np.finfo(part.dtype).max for part in encoder.parts)).all():
        raise SolutionError(f"encoder {encoder.name} gave values that its features' type can't hold")
    return rows
