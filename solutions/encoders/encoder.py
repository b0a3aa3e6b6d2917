"""What an encoder is: pictures in, one row of features a frame out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from harness.system.images import Image

PartName = Literal["embeddings", "logits"]
Parallel = Literal["processes", "batches", "threads"]
PictureKind = Literal["frames", "flow", "flow-code", "flow-fixed"]


@dataclass(frozen=True)
class Part:
    """A block of an encoder's columns, cached by itself.

    Attributes:
        name: ``embeddings`` (what the last layer sees), or ``logits`` (what it says: class logits in the network's own
            order, then valence and arousal where the network has them).
        dim: columns.
        dtype: what the cache stores; float16 only where a test shows that scores don't change.
    """

    name: PartName
    dim: int
    dtype: np.dtype[Any]


class Maker(Protocol):
    """Whatever makes something of pictures, one thing a frame: an encoder features, another other pictures.

    Attributes:
        name: as recipes name it, ``landmarks`` or ``timm:resnet18``.
        parallel: how all cores are kept busy. ``processes``: an instance keeps one core busy, and is made once in each
            worker process. ``batches``: a call of ``encode`` keeps one core busy, and threads call it at the same time:
            each decodes, prepares and encodes batches of its own. ``threads``: ``encode`` takes all cores, or a GPU, by
            itself, and is called once at a time; pictures are decoded and prepared by threads ahead of it.
        batch_size: pictures per call of ``encode``.

    What is made of a picture may also depend on those just before it. Such a maker declares ``context``, how many at
    most, and its ``encode`` takes a second argument, the prepared pictures before those that it is asked for: fewer
    than ``context`` only where the video has no more, none for its first. No result may depend on where batches are
    cut.
    """

    name: str
    parallel: Parallel
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Everything that changes the results: weights' hash, preprocessing, precision, versions. Plain data."""

    def prepare(self, image: Image) -> Image:
        """A picture as ``encode`` wants it, resized to the network's input. Called by several threads at once.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            uint8, RGB ``(h', w', 3)`` or whatever else ``encode`` takes.
        """

    @property
    def encode(self) -> Callable[..., Any]:
        """From a batch of prepared pictures to something with an entry for each."""


class Encoder(Maker, Protocol):
    """A pretrained or fixed map from pictures to features.

    Attributes:
        parts: the blocks of its columns, in order.

    It sees frames, or face crops, as they lie on disk, unless it declares ``sees``, one of the other
    :data:`PictureKind`: those pictures are then made first.
    """

    parts: tuple[Part, ...]

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features of a batch.

        Args:
            images: what ``prepare`` gave.

        Returns:
            float32 ``(len(images), total_dim(parts))``, the parts side by side; a row of NaN where the encoder found
            nothing to describe (no face). A row depends on its own image only, and those in its context, never on the
            rest of the batch.
        """


def context_of(maker: Maker) -> int:
    """Pictures before its own that what is made of a picture depends on."""
    return int(getattr(maker, "context", 0))


def seen_by(maker: Maker) -> PictureKind:
    """Kind of pictures that it is shown."""
    kind: PictureKind = getattr(maker, "sees", "frames")
    return kind


def device_of(maker: object) -> str:
    """Kind of device that it works on: ``cpu``, unless it declares a ``device``."""
    return str(getattr(maker, "device", "cpu")).partition(":")[0]


def total_dim(parts: Sequence[Part]) -> int:
    """Columns of all parts together."""
    return sum(part.dim for part in parts)


def spans(parts: Sequence[Part]) -> dict[str, slice]:
    """Columns of each part in what ``encode`` gives."""
    found: dict[str, slice] = {}
    at = 0
    for part in parts:
        found[part.name] = slice(at, at + part.dim)
        at += part.dim
    return found


class AudioEncoder(Protocol):
    """A pretrained map from sound to features at a rate of its own.

    Attributes:
        name: as recipes name it, ``wav2vec2``.
        parts: the blocks of its columns, in order.
        chunk_seconds: sound that one call of ``encode`` is given, at most.
        rows_per_second: of what it gives, about.

    An encoder that is faster with several clips at a time declares ``seconds_together``, how much audio it wants, and
    ``encode_together``; :func:`encode_clips` calls it.
    """

    name: str
    parts: tuple[Part, ...]
    chunk_seconds: int
    rows_per_second: int

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers: weights' hash, normalisation, chunks, precision. Plain data."""

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Features of a chunk, apart from all others.

        Args:
            samples: float32 ``(n,)``, mono, 16 kHz, full scale 1.

        Returns:
            float32 ``(t, total_dim(parts))``; no rows where the chunk is too short for one.
        """


def encode_clips(encoder: AudioEncoder, clips: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """Return what ``encode`` gives for each clip, computed together where the encoder can."""
    together = getattr(encoder, "encode_together", None)
    return [encoder.encode(samples) for samples in clips] if together is None else list(together(clips))


class TextEncoder(Protocol):
    """A pretrained map from a text to features: a row per token, or one row per text.

    Attributes:
        name: as recipes name it, ``roberta-go-emotions``.
        parts: the blocks of its columns, in order.
        batch_size: texts that one call of ``encode`` is fast with; it may sort and batch them as it likes.
    """

    name: str
    parts: tuple[Part, ...]
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers: hashes of weights and tokenizer, truncation, precision. Plain data."""

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return the features of each text, in the order of the texts; they depend on no other text.

        Returns:
            float32 ``(t, total_dim(parts))`` each; of an empty text what the encoder makes of it, at least a row.
        """
