"""A stream's head, trained once: rows of a table that share it, and the same command again, take it from the cache."""

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
    """Return the name of the part that a stream's head sees; columns that are joined have one alone."""
    return stream.part if isinstance(stream, Stream) else "embeddings"


def trained_head(
    stream: HeadStream, features: SplitFeatures | None, data: Dataset, seed: int, settings: Settings
) -> Head:
    """The head of a stream, trained on the training videos' valid labels.

    Args:
        features: of the training videos; ``None`` for a head that needs no training.

    Raises:
        DataError: the encoder has no such part, or no training frame has both a label and features.
    """
    if features is None or isinstance(stream.head, Pretrained):  # what it learns is what a video without a face gets
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
                    pass  # written by another version: trained again and replaced
        return _train(stream, features, data, seed, settings, folder)


def _train(
    stream: HeadStream, features: SplitFeatures, data: Dataset, seed: int, settings: Settings, folder: Path
) -> Head:
    """Train a head and keep it in a folder."""
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
    made_from: dict[str, Any] = {
        "stream": stream.describe(),
        "encoder": dict(features.identity),
        "task": data.task.name,
        "data": data.fingerprint("train"),
        **_made_of(stream, features, data),
        "seed": seed,
        "device": resolve_device(settings.device),
        "source": source_digest("solutions.heads"),
    }
    return digest_of(made_from)[:16]


def _made_of(stream: HeadStream, features: SplitFeatures, data: Dataset) -> dict[str, Any]:
    """Return what tells features of the training videos from those of other images, audio or words.

    Joined columns are told by their values: to list the images of thousands of videos takes longer, and words may come
    from several places.
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
