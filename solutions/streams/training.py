"""Training of a stream's head, cached: rows of a table that share the head, and repeated commands, train it once."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset
from harness.errors import SolutionError, problem
from harness.settings import Settings
from harness.system.atomic import atomic_folder, sweep_partials
from harness.system.checksums import damaged_files, write_checksums
from harness.system.device import resolve_device
from harness.system.locks import alone
from harness.system.provenance import digest_of, source_digest
from harness.tasks import valid_rows
from solutions.cache.features import SplitFeatures
from solutions.heads.head import Head
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head, train_head
from solutions.recipe import ColumnStream, Stream

_log = logging.getLogger("abaw")

HeadStream = Stream | ColumnStream


def part_of(stream: HeadStream) -> str:
    """Return the part of the features that is the head's input; for joined columns it is ``embeddings``."""
    return stream.part if isinstance(stream, Stream) else "embeddings"


def trained_head(
    stream: HeadStream, features: SplitFeatures | None, data: Dataset, seed: int, settings: Settings
) -> Head:
    """Train the head of a stream on valid labels of the training videos, or take it from the cache.

    Args:
        stream: settings of the stream.
        features: features of the training videos; ``None`` for a pretrained head.
        data: the data set.
        seed: seed of the training.
        settings: cache, device and workers.

    Raises:
        DataError: no training frame has both a label and features.
        SolutionError: the encoder lacks the part that the recipe names.
    """
    if features is None or isinstance(stream.head, Pretrained):  # learns only the prior, for videos without features
        labelled = [video.labels for video in data.videos("train") if video.labels is not None]
        known = [labels[valid_rows(labels, data.task)] for labels in labelled]
        return train_head(stream.head, [], known, data.task, seed=seed)
    part = part_of(stream)
    if part not in features.parts:
        raise SolutionError(
            f"{' + '.join(stream.encoders)} gives no {part}",
            found=", ".join(features.parts),
            do="Name another part in the recipe",
        )
    kind = stream.head.words.replace(" ", "-").lower()
    folder = settings.cache / "heads" / f"{kind}-{_key(stream, features, data, seed, settings)}"
    with alone(folder.with_name(f"{folder.name}.lock"), wait_for=f"it trains the head {folder.name}"):
        if settings.reuse_heads and folder.is_dir():
            if damaged := damaged_files(folder):
                what = "damaged on the disk, so that the head is trained again"
                _log.warning("%s", problem(what, where=folder, found=", ".join(damaged)))
            else:
                try:
                    return load_head(folder)
                except SolutionError:
                    pass  # written by another version: train again and replace
        return _train(stream, features, data, seed, settings, folder)


def _train(
    stream: HeadStream, features: SplitFeatures, data: Dataset, seed: int, settings: Settings, folder: Path
) -> Head:
    """Train a head and write it to a folder."""
    videos = [video for video in data.videos("train") if video.labels is not None]
    rows, labels = [], []
    for video in videos:
        frames = features.of(video).frames
        inside = np.flatnonzero(frames <= video.n_rows)
        truth = np.asarray(video.labels)[frames[inside] - 1]
        usable = valid_rows(truth, data.task)
        rows.append(inside[usable])
        labels.append(truth[usable])
    opened = (features.of(video).parts[part_of(stream)] for video in videos)  # one memory map at a time
    device = resolve_device(settings.device)
    head = train_head(stream.head, opened, labels, data.task, seed=seed, device=device, rows=rows)
    sweep_partials(folder.parent)
    with atomic_folder(folder, replace=True) as temporary:
        head.save(temporary)
        write_checksums(temporary)
    return head


def _key(stream: HeadStream, features: SplitFeatures, data: Dataset, seed: int, settings: Settings) -> str:
    inputs: dict[str, Any] = {
        "stream": stream.describe(),
        "encoder": dict(features.identity),
        "task": data.task.name,
        "data": data.fingerprint("train"),
        **_rows_identity(stream, features, data),
        "seed": seed,
        "device": resolve_device(settings.device),
        "source": source_digest("solutions.heads"),
    }
    return digest_of(inputs)[:16]


def _rows_identity(stream: HeadStream, features: SplitFeatures, data: Dataset) -> dict[str, Any]:
    """Return a digest that changes if the training features come from other images, audio or words.

    For joined columns this is a digest of their values: listing the images of thousands of videos takes longer, and
    words may come from several places.
    """
    if isinstance(stream, Stream):
        return {"crops": data.images_fingerprint("train")}
    digest = hashlib.sha256()
    for video in data.videos("train"):
        its = features.of(video)
        digest.update(f"{video.name}\n".encode())
        digest.update(its.frames.tobytes())
        digest.update(np.ascontiguousarray(its.parts["embeddings"]).data)
    return {"rows": digest.hexdigest()}
