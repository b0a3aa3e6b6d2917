"""Text features in the cache: each video's words are encoded once, in batches of similar length."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.datasets.transcript_store import TranscriptStore, no_words, transcriber_of
from harness.errors import SolutionError
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.counts import counted
from solutions.cache.features_file import FeatureCache
from solutions.cache.fill import CacheFiller, FilledItem, fill_cache
from solutions.cache.recording import TextItem
from solutions.encoders.encoder import TextEncoder, total_dim
from solutions.encoders.registry import make_text_encoder
from solutions.networks.parallel import in_parallel

_FEWEST = 32  # smallest number of texts that is worth a matrix product of its own
_SHARES = 4  # shares of a batch per core, so that cores finish at about the same time
_ROWS_EACH = 64  # approximate number of rows of a text with one row per token; for the check of free space


def texts_of(videos: Sequence[Video], store: TranscriptStore) -> list[TextItem]:
    """Return the words of videos, in the order of the videos.

    Raises:
        DataError: the words of a video are missing or unreadable.
    """
    pairs = [(video, store.of(video)) for video in {video.name: video for video in videos}.values()]
    without = [video for video, words in pairs if words is None]
    if without:
        raise no_words(without[0], len(without), len(pairs))
    return [
        TextItem(video.name, words.text, transcriber_of(words.source)) for video, words in pairs if words is not None
    ]


def extract_text_features(
    encoder: TextEncoder, data: Dataset, splits: Sequence[str], settings: Settings
) -> tuple[FeatureCache, dict[str, TextItem], ExtractionReport]:
    """Fill the cache with features of the words of every video of the splits.

    Returns:
        The cache, the words by name of the video, and a report in which frames are the encoder's rows.

    Raises:
        DataError: a video has no words.
        StorageError: the disk is full; finished videos are stored.
    """
    cache = FeatureCache(settings.cache, encoder, data)
    store = TranscriptStore(settings.cache, data)
    items = {item.name: item for item in texts_of([v for split in splits for v in data.videos(split)], store)}
    make = partial(make_text_encoder, encoder.name)
    filler = partial(TextFiller, encoder, make, cache, settings, _ROWS_EACH)
    return cache, items, fill_cache(encoder.name, cache, [*items.values()], filler, settings)


@dataclass(frozen=True)
class TextFiller(CacheFiller[TextItem]):
    """Filler of a cache with features of text, one batch at a time."""

    cache: FeatureCache
    items: ClassVar[str] = "texts"
    unit: ClassVar[str] = "texts"
    cores: ClassVar[int | None] = None

    def amount(self, item: TextItem) -> int:
        """Return 1, because the unit of work is one text."""
        return 1

    def encode(
        self, items: Iterable[TextItem], advance: Callable[[int], None]
    ) -> Generator[tuple[TextItem, FilledItem], None, None]:
        """See :class:`~solutions.cache.fill.CacheFiller`; cores encode shares of a batch if the encoder can."""
        coming = iter(items)
        batches = iter(lambda: [*islice(coming, self.encoder.batch_size)], [])
        encode = partial(_encoded, self.encoder)
        if getattr(self.encoder, "parallel", "threads") == "batches":
            shares = (share for batch in batches for share in _shares(batch, self.settings.workers))
            encoded = in_parallel(encode, shares, self.settings.workers)
        else:
            encoded = ((batch, encode(batch)) for batch in batches)
        with contextlib.closing(encoded):
            for batch, rows_of_batch in encoded:
                for item, rows in zip(batch, rows_of_batch, strict=True):
                    self.cache.put(item, np.arange(1, len(rows) + 1), rows, item.source_hash())
                    advance(1)
                    yield item, FilledItem(len(rows))


def _shares(batch: Sequence[TextItem], workers: int) -> Iterator[list[TextItem]]:
    """Yield shares of a batch, several per core, each with texts of similar length; equal texts stay together."""
    by_length = sorted(batch, key=lambda item: (-len(item.text), item.text))
    each = max(_FEWEST, -(-len(batch) // (_SHARES * workers)))
    for start in range(0, len(by_length), each):
        yield by_length[start : start + each]


def _encoded(encoder: TextEncoder, batch: Sequence[TextItem]) -> list[npt.NDArray[np.float32]]:
    rows, width = encoder.encode([item.text for item in batch]), total_dim(encoder.parts)
    for item, values in zip(batch, rows, strict=True):
        if values.ndim != 2 or not len(values) or values.shape[1] != width:
            expected = f"expected rows of {counted(width, 'column')}"
            raise SolutionError(f"encoder {encoder.name} gave {values.shape} for {item.name}, {expected}")
        if not np.isfinite(values).all():
            raise SolutionError(f"encoder {encoder.name} gave values that are no numbers for {item.name}")
    return rows
