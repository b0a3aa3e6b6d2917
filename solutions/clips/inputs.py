"""Inputs of a clip network: images on disk, cached rows of its encoders, other features."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Video
from harness.datasets.images.sources import Pictures, UnreadablePictures
from harness.errors import DataError
from harness.settings import Settings
from harness.system.counts import first_of
from solutions.cache.features import SplitFeatures
from solutions.clips.clips import FeatureClips, PictureClips, Rows, nearest
from solutions.clips.settings import ClipNetwork
from solutions.encoders.encoder import PictureKind
from solutions.encoders.images.backbone import image_encoder
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.backbones import Backbone, Normalisation, make_backbone
from solutions.networks.preprocessing import Preprocessing

Key = Literal["rgb", "flow"]
Open = Callable[[Video], Pictures]
_SHOWN = 3


def backbones_of(network: ClipNetwork) -> dict[Key, str]:
    """Return the names of the backbones, by input."""
    named: dict[Key, str] = {"rgb": network.rgb, "flow": network.flow}
    return {key: name for key, name in named.items() if name}


def kind_of(network: ClipNetwork, key: Key) -> PictureKind:
    """Return the kind of images that an input takes."""
    return "frames" if key == "rgb" else network.flow_pictures


def start_of(network: ClipNetwork, key: Key, settings: Settings) -> Backbone:
    """Return the backbone of an input with its published weights.

    Raises:
        MissingDependencyError: the weights are missing.
    """
    return make_backbone(backbones_of(network)[key], settings, size=network.size, normalisation=network.normalisation)


def start_identity(network: ClipNetwork, key: Key, settings: Settings) -> dict[str, Any]:
    """Return the identity of the backbone that :func:`start_of` returns, with the hash of its weights; plain data."""
    name = backbones_of(network)[key]
    return dict(_identity(name, settings.cache, settings.weights, network.size, network.normalisation))


@functools.lru_cache(maxsize=32)
def _identity(
    name: str, cache: Path, weights: Literal["pretrained", "random"], size: int, normalisation: Normalisation
) -> dict[str, Any]:
    return make_backbone(
        name, Settings(cache=cache, weights=weights), size=size, normalisation=normalisation
    ).identity()


def as_encoder(network: ClipNetwork, key: Key, backbone: Backbone, settings: Settings) -> ImageNetworkEncoder:
    """Return a backbone of single images, tuned or published, as an encoder with one cached row per frame.

    Raises:
        SolutionError: the backbone's rows depend on whole clips.
    """
    kind = kind_of(network, key)
    encoder = image_encoder(f"{kind}:{backbones_of(network)[key]}", backbone, settings)
    encoder.sees = kind
    return encoder


def start_encoder(network: ClipNetwork, key: Key, settings: Settings) -> ImageNetworkEncoder:
    """Return the backbone of an input with its published weights, as an encoder.

    Raises:
        MissingDependencyError: the weights are missing.
        SolutionError: the backbone's rows depend on whole clips.
    """
    return as_encoder(network, key, start_of(network, key, settings), settings)


def training_clips(
    videos: Sequence[Video],
    images: Mapping[Key, Open],
    rows: Mapping[str, SplitFeatures],
    size: int,
) -> PictureClips | FeatureClips:
    """Return the clips of labelled videos.

    Args:
        videos: videos with labels.
        images: inputs that are images.
        rows: inputs that are features, including rows of encoders.
        size: side length of images in pixels.

    Raises:
        DataError: a video lacks an input.
    """
    names, labels = [video.name for video in videos], [np.asarray(video.labels) for video in videos]
    features = {key: [Rows(part.frames, part.values) for part in map(entry.of, videos)] for key, entry in rows.items()}
    feature_clips = FeatureClips(names, labels, features) if features else None
    if not images:
        return feature_clips or FeatureClips(names, labels, {})
    sources = {str(key): [opener(video) for video in videos] for key, opener in images.items()}
    return PictureClips(names, labels, sources, size, feature_clips)


def row_reader(features: SplitFeatures, video: Video) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]:
    """Return a function from 0-based frames to rows; a frame without a row gets the nearest one, as in training."""
    entry = features.of(video)
    place, values = nearest(entry.frames, video.n_frames), entry.values
    return lambda frames: np.asarray(values[place[frames]], np.float32)


@contextlib.contextmanager
def picture_reader(
    source: Pictures, n: int, size: int, workers: int
) -> Iterator[Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]]]:
    """Provide a function from 0-based frames, which rise from call to call, to resized images.

    A frame without an image gets the nearest one, as in training; a frame after a video file's true end gets the last
    image.

    Args:
        source: images of a video.
        n: number of frames.
        size: side length in pixels to which images are resized, ignoring their aspect ratio.
        workers: threads that decode, if the images allow random access.

    Yields:
        Function from int64 ``(k,)`` to RGB uint8 ``(k, size, size, 3)``; it raises DataError for damaged images.
    """
    place, prepare = nearest(source.frames, n), Preprocessing((size, size)).prepare
    last: npt.NDArray[np.uint8] | None = None
    with source.reader() as reader, ThreadPoolExecutor(workers if source.random_access else 1) as pool:

        def decoded(index: int) -> npt.NDArray[np.uint8] | str | None:
            try:
                return next((prepare(picture.image) for picture in reader.read([index])), None)
            except UnreadablePictures as error:
                return "; ".join(error.messages)

        def read(frames: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
            nonlocal last
            indices, at = np.unique(place[frames], return_inverse=True)
            results = list(pool.map(decoded, indices.tolist()))
            if bad := [message for message in results if isinstance(message, str)]:
                raise DataError("images that can't be read:\n  " + first_of(bad, _SHOWN, "\n  "))
            images = []
            for image in results:
                last = last if image is None or isinstance(image, str) else image
                if last is None:
                    raise DataError("a video file out of which no image comes")
                images.append(last)
            return np.asarray(np.stack(images)[at.reshape(-1)])

        yield read
