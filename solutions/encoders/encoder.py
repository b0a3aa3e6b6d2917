"""Interfaces of encoders: images, audio or text in, rows of features out."""

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
    """Block of an encoder's columns, with a file of its own in the cache.

    Attributes:
        name: ``embeddings`` (input of the network's last layer), or ``logits`` (its output: class logits in the
            network's order, then valence and arousal if the network has them).
        dim: number of columns.
        dtype: dtype in the cache; float16 only if a test shows that scores stay the same.
    """

    name: PartName
    dim: int
    dtype: np.dtype[Any]


class Maker(Protocol):
    """Maker of one result per image: an encoder makes features, others make derived images.

    Attributes:
        name: name in recipes, such as ``landmarks`` or ``timm:resnet18``.
        parallel: method that keeps all cores busy. ``processes``: an instance keeps one core busy, and each worker
            process creates one. ``batches``: a call of ``encode`` keeps one core busy, and several threads call it at
            the same time: each decodes, prepares and encodes batches of its own. ``threads``: ``encode`` uses all
            cores, or a GPU, and is called by one thread at a time; other threads decode and prepare images ahead.
        batch_size: images per call of ``encode``.

    The result of an image may also depend on the images just before it. Such a maker declares ``context``, their
    largest number, and its ``encode`` takes a second argument: the prepared images before the batch. There are fewer
    than ``context`` only at the beginning of a video. Results must be independent of the limits of batches.
    """

    name: str
    parallel: Parallel
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Return plain data that determines the results: weights' hash, preprocessing, precision, versions."""

    def prepare(self, image: Image) -> Image:
        """Return an image in the form that ``encode`` takes, resized to the network's input.

        Several threads call it at once.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            uint8, RGB ``(h', w', 3)`` or any other shape that ``encode`` takes.
        """

    @property
    def encode(self) -> Callable[..., Any]:
        """Function from a batch of prepared images to a sequence with one result per image."""


class Encoder(Maker, Protocol):
    """Pretrained or fixed map from images to features.

    Attributes:
        parts: the blocks of columns, in order.

    By default an encoder takes frames or face crops as they are on disk. If it declares ``sees``, another
    :data:`PictureKind`, images of this kind are derived first.
    """

    parts: tuple[Part, ...]

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Return the features of a batch.

        Args:
            images: results of ``prepare``.

        Returns:
            float32 ``(len(images), total_dim(parts))``, the parts side by side; a row of NaN marks an image without a
            face or person. A row depends only on its own image and those in its context.
        """


def context_of(maker: Maker) -> int:
    """Return the number of earlier images that a result depends on."""
    return int(getattr(maker, "context", 0))


def seen_by(maker: Maker) -> PictureKind:
    """Return the kind of images that a maker takes."""
    kind: PictureKind = getattr(maker, "sees", "frames")
    return kind


def device_of(maker: object) -> str:
    """Return the kind of device that a maker works on: ``cpu``, unless it declares a ``device``."""
    return str(getattr(maker, "device", "cpu")).partition(":")[0]


def total_dim(parts: Sequence[Part]) -> int:
    """Return the number of columns of all parts together."""
    return sum(part.dim for part in parts)


def spans(parts: Sequence[Part]) -> dict[str, slice]:
    """Return the columns of each part in the result of ``encode``."""
    columns: dict[str, slice] = {}
    at = 0
    for part in parts:
        columns[part.name] = slice(at, at + part.dim)
        at += part.dim
    return columns


class AudioEncoder(Protocol):
    """Pretrained map from audio to features at a rate of its own.

    Attributes:
        name: name in recipes, such as ``wav2vec2``.
        parts: the blocks of columns, in order.
        chunk_seconds: longest audio of one call of ``encode``, in seconds.
        rows_per_second: approximate number of rows per second of audio.

    An encoder that is faster with several clips at a time declares ``seconds_together``, the length of audio for one
    call, and ``encode_together``; :func:`encode_clips` calls it.
    """

    name: str
    parts: tuple[Part, ...]
    chunk_seconds: int
    rows_per_second: int

    def identity(self) -> dict[str, Any]:
        """Return plain data that determines the results: weights' hash, normalisation, chunks, precision."""

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the features of a chunk, which are independent of other chunks.

        Args:
            samples: float32 ``(n,)``, mono, 16 kHz, full scale 1.

        Returns:
            float32 ``(t, total_dim(parts))``; t is 0 if the chunk is too short for a row.
        """


def encode_clips(encoder: AudioEncoder, clips: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """Return the result of ``encode`` for each clip; clips are encoded together if the encoder can."""
    together = getattr(encoder, "encode_together", None)
    return [encoder.encode(samples) for samples in clips] if together is None else list(together(clips))


class TextEncoder(Protocol):
    """Pretrained map from a text to features: a row per token, or one row per text.

    Attributes:
        name: name in recipes, such as ``roberta-go-emotions``.
        parts: the blocks of columns, in order.
        batch_size: number of texts per call that is fast; ``encode`` may sort and split them.
    """

    name: str
    parts: tuple[Part, ...]
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Return plain data that determines the results: hashes of weights and tokenizer, truncation, precision."""

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return the features of each text, in the order of the texts; each is independent of the others.

        Returns:
            float32 ``(t, total_dim(parts))`` each; an empty text has at least one row, too.
        """
