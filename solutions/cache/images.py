"""Features and derived images in the cache: each frame is decoded and encoded once."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Any, ClassVar

import numpy as np

from harness.datasets.checking.report import elsewhere_words
from harness.datasets.dataset import Dataset, Video, count_frames
from harness.datasets.images.sources import Pictures
from harness.errors import DataError, SolutionError
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.counts import counted
from solutions.cache.derived import PictureCache
from solutions.cache.failed import Failed
from solutions.cache.features_file import FeatureCache
from solutions.cache.fill import CacheFiller, FilledItem, fill_cache
from solutions.cache.pipeline import Batch, make_batches
from solutions.encoders.encoder import Encoder, Maker, Part, PictureKind, seen_by, spans, total_dim
from solutions.encoders.registry import make_maker

Make = Callable[[Settings], Maker]


def extract_features(
    encoder: Encoder, data: Dataset, splits: Sequence[str], settings: Settings, *, make: Make | None = None
) -> tuple[FeatureCache, ExtractionReport]:
    """Fill the cache with features of every video of the splits.

    Args:
        encoder: the encoder.
        data: the data set.
        splits: splits whose videos are encoded.
        settings: location of the cache, device and workers.
        make: function that creates the same encoder in another process; by default it is created by name.

    Returns:
        The cache, and a report with the numbers of encoded and reused frames.

    Raises:
        DataError: some images are unreadable. All other videos are stored.
        SolutionError: a worker failed on some videos. All others are stored.
        StorageError: the disk is full; finished videos are stored.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    return cache, _fill(encoder, cache, data, splits, make or partial(make_maker, encoder.name), settings)


def extract_pictures(
    kind: PictureKind, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[PictureCache, ExtractionReport]:
    """Fill the cache with images of a kind, derived from the frames of every video of the splits.

    Errors are those of :func:`extract_features`.

    Returns:
        The cache, and a report with the numbers of computed and reused frames.
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

    def filler() -> ImageFiller:
        sees = seen_by(maker)
        derived = None if sees == "frames" else extract_pictures(sees, data, splits, settings)[0]
        return ImageFiller(maker, make, cache, settings, 1, derived)

    return fill_cache(maker.name, cache, videos, filler, settings)


def _check_images(data: Dataset, split: str) -> None:
    """Raise DataError if no video of a split has an image, because the output would still look like a result."""
    noun, videos = data.task.noun, data.videos(split)
    if any(len(video.images) for video in videos):
        return
    others = f"; folders of images that are no video's: {', '.join(data.strangers[:3])}" if data.strangers else ""
    if near := elsewhere_words(data, [video.name for video in videos]):
        others = f"; {near}"
    raise DataError(
        f"no {split} video has a {noun}",
        where=data.root,
        found=f"{counted(len(videos), 'video')} such as {videos[0].name}{others}",
        do=f"Put their {noun}s there; see what was found with: abaw data check {data.root}",
    )


@dataclass(frozen=True)
class ImageFiller(CacheFiller[Video]):
    """Filler of a cache with features or derived images.

    Attributes:
        cache: the cache.
        derived: cache of the derived images that the encoder takes; ``None`` if it takes the frames.
    """

    cache: FeatureCache | PictureCache
    derived: PictureCache | None
    items: ClassVar[str] = "videos"
    unit: ClassVar[str] = "frames"

    def amount(self, item: Video) -> int:
        """See :class:`~solutions.cache.fill.CacheFiller`."""
        return len(item.images)

    def encode(
        self, items: Iterable[Video], advance: Callable[[int], None]
    ) -> Generator[tuple[Video, FilledItem], None, None]:
        """See :class:`~solutions.cache.fill.CacheFiller`."""
        batches = make_batches(self.encoder, items, self._images, self.settings.workers)
        with contextlib.closing(batches):
            for _, video_batches in groupby(batches, lambda batch: batch.video.name):
                yield self._store(video_batches, advance)

    def _images(self, video: Video) -> Pictures:
        return video.images if self.derived is None else self.derived.open(video)

    def _store(self, batches: Iterator[Batch], advance: Callable[[int], None]) -> tuple[Video, FilledItem]:
        """Store the batches of one video, or return the messages on its unreadable images."""
        first = next(batches)
        video = first.video
        frames: list[int] = []
        unreadable: list[str] = []
        digest, by_image = hashlib.sha256(), True
        with self.cache.writing(video) as writer:
            for batch in chain([first], batches):
                unreadable += batch.unreadable
                advance(len(batch.frames))
                if unreadable or not batch.frames:
                    continue
                writer.add(_checked(self.encoder, batch.values, len(batch.frames)))
                frames += batch.frames
                for frame, raw in zip(batch.frames, batch.raws, strict=True):
                    digest.update(b"%d\0" % frame)
                    digest.update(raw)
                    by_image &= bool(raw)
            if unreadable:
                return video, FilledItem(failed=Failed(tuple(unreadable)))
            whole = not (frames and by_image)
            source = self._images(video).source_hash() if whole else digest.hexdigest()
            return video, FilledItem(len(frames), undetected=writer.finish(np.array(frames, np.int64), source))


def _checked(maker: Maker, values: Any, n: int) -> Any:
    """Return the values that a maker computed from n images, after checking their shape and range.

    Raises:
        SolutionError: shape or range differ from what the maker declares.
    """
    if not isinstance(values, np.ndarray):
        if len(values) != n:
            raise SolutionError(f"{maker.name} gave {counted(len(values), 'result')} for {counted(n, 'image')}")
        return values
    parts: tuple[Part, ...] = maker.parts  # type: ignore[attr-defined]
    shape = (n, total_dim(parts))
    if values.shape != shape:
        raise SolutionError(f"encoder {maker.name} gave {values.shape} for {counted(n, 'image')}, expected {shape}")
    columns = spans(parts)
    for part in parts:
        if (np.abs(values[:, columns[part.name]]) > np.finfo(part.dtype).max).any():
            raise SolutionError(f"encoder {maker.name} gave values that {part.dtype} can't hold")
    return values
