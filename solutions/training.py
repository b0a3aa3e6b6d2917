"""A stream's head, trained once: rows of a table that share it, and the same command again, take it from the cache."""

from __future__ import annotations

from typing import Any

from harness.atomic import atomic_folder, sweep_partials
from harness.datasets.dataset import Dataset
from harness.datasets.labels import valid_rows
from harness.device import resolve_device
from harness.errors import DataError, SolutionError, problem
from harness.provenance import digest_of, source_digest
from harness.settings import Settings
from solutions.encoders.features import SplitFeatures
from solutions.heads.head import Head
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head, train_head
from solutions.recipe import Stream


def trained_head(stream: Stream, features: SplitFeatures | None, data: Dataset, seed: int, settings: Settings) -> Head:
    """The head of a stream, trained on the training videos' valid labels.

    Args:
        features: of the training videos; ``None`` for a head that needs no training.

    Raises:
        DataError: the encoder has no such part, or no training frame has both a label and features.
    """
    if features is None or isinstance(stream.head, Pretrained):
        return train_head(stream.head, [], [], data.task, seed=seed, device="cpu")
    if stream.part not in features.parts:
        raise SolutionError(
            problem(
                f"{stream.encoder} gives no {stream.part}",
                found=", ".join(features.parts),
                do="Name another part in the recipe",
            )
        )
    folder = (
        settings.cache
        / "heads"
        / f"{stream.head.words.replace(' ', '-')}-{_key(stream, features, data, seed, settings)}"
    )
    if settings.reuse_heads and folder.is_dir():
        try:
            return load_head(folder)
        except SolutionError:
            pass  # written by another version, or spoilt: trained anew and replaced
    inputs, labels = [], []
    for video in data.videos("train"):
        if video.labels is None:
            continue
        own = features.of(video)
        inside = own.frames <= video.n_frames
        truth = video.labels[own.frames[inside] - 1]
        usable = valid_rows(truth, data.task)
        inputs.append(own.parts[stream.part][inside][usable])
        labels.append(truth[usable])
    if not sum(map(len, labels)):
        raise DataError(
            f"no training frame has both a label and features of {stream.encoder}: is a face visible in the crops?"
        )
    head = train_head(stream.head, inputs, labels, data.task, seed=seed, device=resolve_device(settings.device))
    sweep_partials(folder.parent)
    with atomic_folder(folder, replace=True) as temporary:
        head.save(temporary)
    return head


def _key(stream: Stream, features: SplitFeatures, data: Dataset, seed: int, settings: Settings) -> str:
    made_from: dict[str, Any] = {
        "stream": stream.describe(),
        "encoder": dict(features.identity),
        "task": data.task.name,
        "data": data.fingerprint("train"),
        "crops": data.crops_fingerprint("train"),
        "seed": seed,
        "device": resolve_device(settings.device),
        "source": source_digest("solutions.heads"),
    }
    return digest_of(made_from)[:16]
