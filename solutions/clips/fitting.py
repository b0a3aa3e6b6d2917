"""Training of a stream of clips: its inputs, the hash of all that determines its result, and shared encoders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset
from harness.errors import SolutionError, problem
from harness.settings import Settings
from harness.system.atomic import write_text
from harness.system.device import resolve_device
from harness.system.provenance import digest_of, source_digest
from harness.tasks import VD, valid_rows
from solutions.cache.features import FeatureSource, SplitFeatures
from solutions.clips.checkpoint import load_epoch
from solutions.clips.inputs import (
    Key,
    Open,
    as_encoder,
    backbones_of,
    kind_of,
    start_encoder,
    start_identity,
    start_of,
    training_clips,
)
from solutions.clips.network import ClipNet, make_clip_net
from solutions.clips.settings import ClipStream
from solutions.clips.training import train_clips, training_note
from solutions.heads.head import prior_of
from solutions.networks.backbones import Backbone

ABOUT, BASE = "clips.json", "rgb.safetensors"
_DECIDES = (
    *("training", "clips", "loading", "sampling", "augment", "losses", "optimiser", "schedule"),
    *("network", "fusion", "heads"),
)
"""Modules whose code influences the trained weights."""


def train_stream(stream: ClipStream, source: FeatureSource, data: Dataset, seed: int, folder: Path) -> None:
    """Train a network on the labelled training videos, and write its weights by epoch and their description.

    Args:
        stream: settings of network and training.
        source: source of features and images, with the cache.
        data: the data set.
        seed: seed of the training.
        folder: folder for the files; an interrupted training is resumed from it. If the stream takes over an encoder of
            another stream, the folder holds that encoder's weights.

    Raises:
        DataError: all training frames lack annotation, or a video lacks an input.
        MissingDependencyError: weights are missing.
    """
    settings, network, frozen = source.settings, stream.network, stream.training.encoders == "frozen"
    videos = [video for video in data.videos("train") if video.labels is not None]
    rows = {name: source.features(name, data, "train") for name in network.features}
    dims = {name: features.of(videos[0]).values.shape[1] for name, features in rows.items()}
    images: dict[Key, Open] = {}
    if frozen:
        for key, backbone in frozen_encoders(stream, folder, settings).items():
            rows[key] = encoded(stream, key, backbone, source, data, "train")
    else:
        images = {key: source.images(kind_of(network, key), data, "train") for key in backbones_of(network)}
    clips = training_clips(videos, images, rows, network.size)
    net = make_clip_net(
        network,
        n_outputs=VD.n_outputs,
        feature_dims=dims,
        weights=settings.weights,
        seed=seed,
        settings=settings,
        encoders=not frozen,
    )
    device = resolve_device(settings.device)
    paths = train_clips(
        net,
        stream.training,
        clips,
        seed=seed,
        device=device,
        precision=settings.precision,
        folder=folder,
        workers=settings.workers,
    )
    labels = np.concatenate(clips.labels)
    prior = prior_of(labels[valid_rows(labels, VD)], VD)
    about = {
        "prior": prior.tolist(),
        "feature_dims": dims,
        "epochs": [path.name for path in paths],
        "note": training_note(stream.training, clips.labels),
    }
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def model_key(stream: ClipStream, source: FeatureSource, data: Dataset, seed: int) -> str:
    """Return the hash of all that determines the trained weights."""
    described = stream.describe()["clips"]
    described.pop("windows")  # used in inference alone
    inputs: dict[str, Any] = {
        "stream": described,
        "encoders": clip_identities(stream, source),
        "data": data.fingerprint("train"),
        "pictures": data.images_fingerprint("train"),
        "seed": seed,
        "device": resolve_device(source.settings.device),
        "precision": source.settings.precision,
        "source": source_digest(*(f"solutions.clips.{name}" for name in _DECIDES), "solutions.networks"),
    }
    return digest_of(inputs)[:16]


def clip_identities(stream: ClipStream, source: FeatureSource) -> dict[str, Any]:
    """Return the identities of a clip stream's encoders; see :class:`solutions.streams.interface.TrainedStream`."""
    network, settings = stream.network, source.settings
    identities = {name: dict(source.identity(name)) for name in network.features}
    for key, backbone in backbones_of(network).items():
        if key == "rgb" and stream.rgb_from:
            base = taken_from(stream)
            identity = {**base.describe(), "encoders": clip_identities(base, source)}
        else:
            identity = start_identity(network, key, settings)
        if kind_of(network, key) != "frames":
            identity["pictures"] = dict(source.identity(kind_of(network, key)))
        if stream.training.encoders == "frozen":  # rows of one precision never serve for another
            identity["execution"] = {"backend": settings.backend, "precision": settings.precision}
        identities[f"{kind_of(network, key)}:{backbone}"] = identity
    return identities


def taken_from(stream: ClipStream) -> ClipStream:
    """Return the stream whose tuned encoder of frames this stream takes over.

    Raises:
        SolutionError: that stream has no tuned encoder with the same backbone, or this stream would tune it again.
    """
    base = stream.rgb_base
    if base is None or base.network.rgb != stream.network.rgb or base.training.encoders != "tuned":
        raise SolutionError(problem(f"{stream.rgb_from} has no tuned {stream.network.rgb} to take over"))
    if stream.training.encoders != "frozen":
        raise SolutionError("an encoder that is taken over stays frozen", found=stream.training.encoders)
    return base


def frozen_encoders(stream: ClipStream, folder: Path, settings: Settings) -> dict[Key, Backbone]:
    """Return the encoders that this stream does not train: with published weights, or as another stream tuned them."""
    encoders: dict[Key, Backbone] = {}
    for key in backbones_of(stream.network):
        if key == "rgb" and stream.rgb_from:
            base = bare_net(taken_from(stream), {}, settings, encoders=True)
            load_epoch(base, folder / BASE)
            encoders[key] = own_encoders(base)[key]
        else:
            encoders[key] = start_of(stream.network, key, settings)
    return encoders


def encoded(
    stream: ClipStream, key: Key, backbone: Backbone, source: FeatureSource, data: Dataset, split: str
) -> SplitFeatures:
    """Return the cached rows of a backbone. Worker processes help only with published weights, which they can load."""
    published = stream.training.encoders == "frozen" and not (key == "rgb" and stream.rgb_from)
    make = partial(start_encoder, stream.network, key) if published else None
    return source.encoded(as_encoder(stream.network, key, backbone, source.settings), data, split, make=make)


def prepare_clips(stream: ClipStream, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
    """Fill the cache with all that is independent of training: features, flow images, rows of published encoders."""
    network = stream.network
    for split in splits:
        for name in network.features:
            source.features(name, data, split)
        for key in backbones_of(network):
            if stream.training.encoders != "frozen":
                source.images(kind_of(network, key), data, split)
            elif not (key == "rgb" and stream.rgb_from):
                encoded(stream, key, start_of(network, key, source.settings), source, data, split)
    if stream.rgb_from:
        prepare_clips(taken_from(stream), source, data, ["train"])


def clip_trainings(stream: ClipStream) -> frozenset[str]:
    """Return the names of a clip stream's cached trainings; see :class:`solutions.streams.interface.TrainedStream`."""
    described = stream.describe()["clips"]
    described.pop("windows")  # used in inference alone
    return frozenset({digest_of(described)}) | (clip_trainings(taken_from(stream)) if stream.rgb_from else frozenset())


def bare_net(stream: ClipStream, dims: Mapping[str, int], settings: Settings, *, encoders: bool) -> ClipNet:
    """Return the network of a stream before its weights are loaded."""
    return make_clip_net(
        stream.network,
        n_outputs=VD.n_outputs,
        feature_dims=dims,
        weights="random",
        seed=0,
        settings=settings,
        encoders=encoders,
    )


def own_encoders(net: ClipNet) -> dict[Key, Backbone]:
    """Return the encoders that are part of a network and were trained with it."""
    keys: Sequence[Key] = ("rgb", "flow")
    encoders = {key: net.encoders[key] for key in keys if key in net.encoders}
    return {key: backbone for key, backbone in encoders.items() if isinstance(backbone, Backbone)}
