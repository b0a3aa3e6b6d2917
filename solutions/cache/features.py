"""Features of a split from any source: images, audio, text, or a team's own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from harness.datasets.checking.doubts import doubts_of_sound, sound_seconds
from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import Pictures
from harness.errors import SolutionError, UsageError
from harness.plugins.interface import ExtractionReport, Stock
from harness.records.options import FRAMES_LEFT_OUT
from harness.settings import Settings
from harness.system.counts import counted
from harness.tasks import Task
from solutions.cache.audio import extract_audio_features
from solutions.cache.features_file import FeatureCache, Features
from solutions.cache.images import Make, extract_features, extract_pictures
from solutions.cache.precomputed import PrecomputedFeatures
from solutions.cache.recording import Item, Recording
from solutions.cache.text import extract_text_features
from solutions.cache.thinning import thinned
from solutions.encoders.encoder import Encoder, Part, PictureKind
from solutions.encoders.names import STAT
from solutions.encoders.pooling import FORMAT as POOLING_FORMAT
from solutions.encoders.pooling import statistics_of
from solutions.encoders.pose import features as pose_features
from solutions.encoders.registry import (
    COMPUTED,
    PRECOMPUTED,
    check_stride,
    is_audio,
    is_text,
    make_audio_encoder,
    make_encoder,
    make_maker,
    make_text_encoder,
    picture_kind,
)
from solutions.postprocess.stretch import How, stretch

Rate = How | Literal["own"]
"""Method that aligns rows of another rate with frames; ``own`` leaves the rows at their own rate."""

_SHOWN = 3


@dataclass(frozen=True)
class SplitFeatures:
    """Features of all videos of a split.

    Attributes:
        parts: names of the blocks of columns that each video has.
        identity: plain data that determines the values: weights, preprocessing, execution.
        report: numbers of encoded and reused frames.
        notes: facts that a reader of the result must know, such as videos without audio.
    """

    parts: tuple[str, ...]
    identity: Mapping[str, Any]
    report: ExtractionReport
    notes: tuple[str, ...]
    _read: Callable[[Video], Features]

    def of(self, video: Video) -> Features:
        """Return the features of a video, memory-mapped; audio features are stretched to its frames on each call.

        Raises:
            SolutionError: the cached features changed since.
        """
        return self._read(video)


class FeatureSource:
    """Source of features by name of the encoder, for all kinds. Each encoder is created once, at its first use.

    Args:
        settings: location of the cache, device and workers.
        how: method that aligns audio rows with frames; see :func:`~solutions.postprocess.stretch.stretch`.
    """

    def __init__(self, settings: Settings, *, how: How = "point") -> None:
        """Start without encoders."""
        self.settings = settings
        self.how: How = how
        self._kinds: dict[tuple[str, Rate], _FeatureKind] = {}
        self._reports: list[ExtractionReport] = []

    def features(self, encoder: str, data: Dataset, split: str, *, how: Rate | None = None) -> SplitFeatures:
        """Return the features of a split's videos; features that the cache lacks are encoded first.

        Audio and text have one row for every official frame, or rows at their own rate for tasks with one row per
        video. A video without audio has 0 rows, which a note states.

        Args:
            encoder: name of the encoder.
            data: the data set.
            split: the split.
            how: method that aligns rows of another rate with frames, instead of this source's; ``own`` leaves the rows
                at their own rate.

        Raises:
            UnknownNameError: the encoder is unknown.
            MissingDependencyError: a package or weights are missing.
            DataError: crops, audio or precomputed files are unreadable, or words are missing.
        """
        features = self._kind(encoder, how).open(data, [split])
        self._reports.append(features.report)
        return features

    def encoded(self, encoder: Encoder, data: Dataset, split: str, *, make: Make | None = None) -> SplitFeatures:
        """Return the features of a split's videos by an encoder without a registered name, such as a tuned one.

        Args:
            encoder: the encoder.
            data: the data set.
            split: the split.
            make: function that creates the same encoder in another process; ``None`` keeps the work in this process.

        Raises:
            DataError: images are unreadable.
        """
        settings = self.settings if make else replace(self.settings, engine="local")
        cache, report = extract_features(encoder, data, [split], settings, make=make)
        self._reports.append(report)
        return SplitFeatures(_names(cache.parts), cache.identity, report, (), lambda video: _cached(cache, video))

    def taken_reports(self) -> tuple[ExtractionReport, ...]:
        """Return the reports of all encoding since the last call, and forget them."""
        reports, self._reports = tuple(self._reports), []
        return reports

    def extract(self, encoder: str, data: Dataset, splits: Sequence[str]) -> ExtractionReport:
        """Fill the cache, or check precomputed features. Errors are those of :meth:`features`.

        Returns:
            A report, with the notes that a run on these splits would have.
        """
        features = self._kind(encoder).open(data, splits)
        return replace(features.report, notes=features.notes)

    def identity(self, encoder: str, *, how: Rate | None = None) -> dict[str, Any]:
        """Return plain data that determines the features; for precomputed features, with a hash of their files."""
        return self._kind(encoder, how).identity()

    def stock(self, encoder: str, data: Dataset, splits: Sequence[str]) -> Stock:
        """Return the number of frames of some splits, and of those that the cache lacks, without encoding any.

        Only images are counted: for audio, text and precomputed files the numbers are ``None``.
        """
        kind = self._kind(encoder)
        return kind.stock(data, splits) if isinstance(kind, _ImageFeatures) else Stock(encoder)

    def images(self, kind: PictureKind, data: Dataset, split: str) -> Callable[[Video], Pictures]:
        """Return the images of a split's videos: the frames, or flow images; missing flow images are computed first.

        Returns:
            Function from a video to its images, see :mod:`harness.datasets.images.sources`. Flow images can be read in
            any order. The function can be sent to another process.

        Raises:
            DataError: some frames are unreadable. All other videos are stored.
            StorageError: the disk is full.
        """
        if kind == "frames":
            return _frames_of
        cache, _ = extract_pictures(kind, data, [split], self.settings)
        return cache.open

    def _kind(self, name: str, how: Rate | None = None) -> _FeatureKind:
        key = name, how or self.how
        if key not in self._kinds:
            self._kinds[key] = self._make(name, key[1])
        return self._kinds[key]

    def _make(self, name: str, how: Rate) -> _FeatureKind:
        check_stride(self.settings.stride, [name])
        if name.startswith(PRECOMPUTED):
            return _BroughtFeatures(PrecomputedFeatures(name, self.settings), how)
        if name in COMPUTED:
            return _ComputedFeatures(name, self._kind(COMPUTED[name]))
        if (kind := picture_kind(name)) is not None:
            return _DerivedImages(kind, self.settings)
        if is_audio(name):
            return _AudioFeatures(name, self.settings, how)
        if is_text(name):
            return _TextFeatures(name, self.settings, how)
        if name.startswith(STAT):
            return _ReducedFeatures(name, self._kind(name.removeprefix(STAT)), how)
        return self._of_images(name)

    def _of_images(self, name: str) -> _FeatureKind:
        """Return the features of images, one object for all methods of alignment, which shares the encoder."""
        key = name, self.how
        if key not in self._kinds:
            self._kinds[key] = _ImageFeatures(name, self.settings)
        return self._kinds[key]


class _FeatureKind(Protocol):
    def identity(self) -> dict[str, Any]: ...

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures: ...


class _ImageFeatures:
    """Features of images, from the cache."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Create the encoder."""
        self._name = name
        self._encoder = make_encoder(name, settings)
        self._settings = settings

    def identity(self) -> dict[str, Any]:
        return self._with_stride(self._encoder.identity())

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        make, stride = partial(make_encoder, self._name), self._settings.stride
        thin = thinned(data, splits, stride)
        cache, report = extract_features(self._encoder, thin, splits, self._settings, make=make)
        thinned_videos = {video.name: video for split in splits for video in thin.videos(split)}
        identity, notes = self._with_stride(cache.identity), [strided_words(self._name, stride)] if stride > 1 else []

        def read(video: Video) -> Features:
            return _cached(cache, thinned_videos[video.name])

        return SplitFeatures(_names(cache.parts), identity, report, tuple(notes), read)

    def stock(self, data: Dataset, splits: Sequence[str]) -> Stock:
        """Return the number of frames of some splits, and of those that the cache lacks."""
        thin = thinned(data, splits, self._settings.stride)
        cache = FeatureCache(self._settings.cache, self._encoder, thin)
        videos = [video for split in splits for video in thin.videos(split)]
        missing = sum(len(video.images) for video in videos if cache.current(video) is None)
        frames = sum(len(video.images) for video in videos)
        return Stock(self._name, frames, missing, cache.bytes_of(missing))

    def _with_stride(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Return an identity with the stride, if frames are left out."""
        return {**identity, **({"stride": self._settings.stride} if self._settings.stride > 1 else {})}


class _ComputedFeatures:
    """Features that are computed from others of the same video on each read; they have a row for every frame."""

    def __init__(self, name: str, source: _FeatureKind) -> None:
        """Choose the function that computes the features."""
        self._name = name
        self._from = source
        self._compute = {"pose:paper": pose_features.paper, "pose:clean": pose_features.clean}[name]

    def identity(self) -> dict[str, Any]:
        return {"features": self._name, "format": pose_features.FORMAT, "of": self._from.identity()}

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        source = self._from.open(data, splits)

        def read(video: Video) -> Features:
            features = source.of(video)
            inside = features.frames <= video.n_frames
            rows = np.zeros((video.n_frames, features.values.shape[1]), features.values.dtype)
            rows[features.frames[inside] - 1] = features.values[inside]
            return Features(np.arange(1, video.n_frames + 1), {"embeddings": self._compute(rows)}, 0)

        return SplitFeatures(("embeddings",), self.identity(), source.report, source.notes, read)


class _DerivedImages:
    """Images derived from frames: they can be computed in advance, but have no feature columns."""

    def __init__(self, name: PictureKind, settings: Settings) -> None:
        """Store the kind of images and the settings."""
        self._name: PictureKind = name
        self._settings = settings

    def identity(self) -> dict[str, Any]:
        return make_maker(self._name, self._settings).identity()

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        cache, report = extract_pictures(self._name, data, splits, self._settings)

        def read(video: Video) -> Features:
            do = f"Name what encodes them, such as {self._name}:resnet18.tv_in1k"
            raise UsageError(f"{self._name} are images, not features", do=do)

        return SplitFeatures((), cache.identity, report, (), read)


class _AudioFeatures:
    """Features of audio, from the cache, stretched to frames."""

    def __init__(self, name: str, settings: Settings, how: Rate) -> None:
        """Create the encoder."""
        self._name = name
        self._encoder = make_audio_encoder(name, settings)
        self._settings = settings
        self._how: Rate = how

    def identity(self) -> dict[str, Any]:
        return self._encoder.identity() | {"stretch": self._how}

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        make = partial(make_audio_encoder, self._name)
        cache, report = extract_audio_features(self._encoder, data, splits, self._settings, make=make)

        def read(video: Video) -> Features:
            if video.audio is None:
                nothing = {part.name: np.empty((0, part.dim), part.dtype) for part in cache.parts}
                return Features(np.empty(0, np.int64), {str(name): rows for name, rows in nothing.items()}, 0)
            return _as_rows(_cached(cache, Recording(video.base, video.audio)), video, data.task, self._how)

        silent = [video.name for split in splits for video in data.videos(split) if video.audio is None]
        notes = [f"{self._encoder.name}: no audio for {', '.join(silent)}"] if silent else []
        notes += self._misfits([video for split in splits for video in data.videos(split)])
        return SplitFeatures(_names(cache.parts), self.identity(), report, tuple(notes), read)

    def _misfits(self, videos: Sequence[Video]) -> list[str]:
        """Return a note on recordings that are longer or shorter than their videos; empty if all fit."""
        seconds = {video.audio: sound_seconds(video.audio) for video in videos if video.audio is not None}
        misfits = list(doubts_of_sound(videos, seconds))
        if not misfits:
            return []
        number = counted(len(misfits), "recording")
        return [f"{self._encoder.name}: {number} out of step with the video's frames, the first: {misfits[0]}"]


class _TextFeatures:
    """Features of text, from the cache, stretched to frames."""

    def __init__(self, name: str, settings: Settings, how: Rate) -> None:
        """Create the encoder."""
        self._encoder = make_text_encoder(name, settings)
        self._settings = settings
        self._how: Rate = how

    def identity(self) -> dict[str, Any]:
        return self._encoder.identity() | {"stretch": self._how}

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        cache, items, report = extract_text_features(self._encoder, data, splits, self._settings)
        sources = sorted({item.transcriber for item in items.values() if item.transcriber})
        few = len(sources) <= _SHOWN
        notes = [f"{self._encoder.name}: words from {', '.join(sources)}"] if sources and few else []
        empty = [item.name for item in items.values() if not item.text.strip()]
        if empty:
            shown = ", ".join(empty[:_SHOWN]) + (", …" if len(empty) > _SHOWN else "")
            notes.append(
                f"{self._encoder.name}: {counted(len(empty), 'video', 'have')} empty words, encoded as such: {shown}"
            )

        def read(video: Video) -> Features:
            return _as_rows(_cached(cache, items[video.name]), video, data.task, self._how)

        return SplitFeatures(_names(cache.parts), self.identity(), report, tuple(notes), read)


class _ReducedFeatures:
    """Statistics of features whose rows are in the cache, computed on each read; one row per video."""

    def __init__(self, name: str, source: _FeatureKind, how: Rate) -> None:
        """Store the source of the rows."""
        self._name = name
        self._from = source
        self._how: Rate = "own" if how == "own" else "point"

    def identity(self) -> dict[str, Any]:
        return {"features": self._name, "format": POOLING_FORMAT, "of": self._from.identity()}

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        source = self._from.open(data, splits)

        def read(video: Video) -> Features:
            features = source.of(video)
            parts = {
                name: statistics_of([Part("embeddings", rows.shape[1], rows.dtype)], rows)
                for name, rows in features.parts.items()
            }
            n = min(1, len(features.frames))
            reduced = Features(np.arange(1, n + 1), parts, 0 if n else features.undetected)
            return _as_rows(reduced, video, data.task, self._how) if n else reduced

        return SplitFeatures(source.parts, self.identity(), source.report, source.notes, read)


class _BroughtFeatures:
    """Precomputed features, files of a team's own."""

    def __init__(self, features: PrecomputedFeatures, how: Rate) -> None:
        """Store the folder of features."""
        self._features = features
        self._how: Rate = "own" if how == "own" else "point"

    def identity(self) -> dict[str, Any]:
        return self._features.identity()

    def open(self, data: Dataset, splits: Sequence[str]) -> SplitFeatures:
        videos = [video for split in splits for video in data.videos(split)]
        features = self._features.read(videos)
        undetected = sum(entry.undetected for entry in features.values())
        rows = sum(len(entry.frames) for entry in features.values()) + undetected
        report = ExtractionReport(self._features.name, len(videos), 0, rows, undetected, 0.0)
        identity = self.identity()
        vectors = self._features.vectors

        def read(video: Video) -> Features:
            rows = features[video.name]
            return _as_rows(rows, video, data.task, self._how) if vectors and len(rows.frames) else rows

        return SplitFeatures(("embeddings",), identity, report, self._features.notes, read)


def strided_words(encoder: str, stride: int) -> str:
    """Return the note on frames that were left out by a stride."""
    return (
        f"{encoder}: one image in {stride} was encoded ({FRAMES_LEFT_OUT} {stride}); frames between them are filled in"
    )


def _frames_of(video: Video) -> Pictures:
    return video.images


def _as_rows(features: Features, video: Video, task: Task, how: Rate) -> Features:
    """Return features of another rate in the form that a task needs.

    For tasks with a row per video they stay as they are, numbered from 1. For tasks with a row per frame they are
    stretched to the frames; a single row is repeated.
    """
    if task.level == "video" or how == "own":
        return features
    parts = {name: stretch(rows, video.n_frames, how) for name, rows in features.parts.items()}
    return Features(np.arange(1, video.n_frames + 1), parts, 0)


def _names(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(part.name for part in parts)


def _cached(cache: FeatureCache, item: Item) -> Features:
    features = cache.get(item)
    if features is None:
        raise SolutionError(f"features of {item.name} changed while they were read; run this command again")
    return features
