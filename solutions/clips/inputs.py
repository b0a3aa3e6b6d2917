"""Where the inputs of a clip network come from: pictures on disk, cached rows of its encoders, other features."""

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
    """Names of the backbones, by input."""
    named: dict[Key, str] = {"rgb": network.rgb, "flow": network.flow}
    return {key: name for key, name in named.items() if name}


def kind_of(network: ClipNetwork, key: Key) -> PictureKind:
    """What pictures an input takes."""
    return "frames" if key == "rgb" else network.flow_pictures


def start_of(network: ClipNetwork, key: Key, settings: Settings) -> Backbone:
    """A backbone as it is before any training; raises as :func:`make_backbone`."""
    return make_backbone(backbones_of(network)[key], settings, size=network.size, normalisation=network.normalisation)


def start_identity(network: ClipNetwork, key: Key, settings: Settings) -> dict[str, Any]:
    """What says which backbone that is, its weights' hash included; plain data."""
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
    """A backbone of single pictures, tuned or not, as an encoder whose rows are cached once a frame.

    Raises:
        SolutionError: its rows depend on whole clips.
    """
    kind = kind_of(network, key)
    encoder = image_encoder(f"{kind}:{backbones_of(network)[key]}", backbone, settings)
    encoder.sees = kind
    return encoder


def start_encoder(network: ClipNetwork, key: Key, settings: Settings) -> ImageNetworkEncoder:
    """A backbone as it is before any training, as an encoder; raises as :func:`start_of` and :func:`as_encoder`."""
    return as_encoder(network, key, start_of(network, key, settings), settings)


def training_clips(
    videos: Sequence[Video],
    pictures: Mapping[Key, Open],
    rows: Mapping[str, SplitFeatures],
    size: int,
) -> PictureClips | FeatureClips:
    """Clips of labelled videos.

    Args:
        pictures: inputs that are pictures.
        rows: inputs that are features, an encoder's rows among them.

    Raises:
        DataError: a video has none of an input.
    """
    names, labels = [video.name for video in videos], [np.asarray(video.labels) for video in videos]
    features = {key: [Rows(own.frames, own.values) for own in map(found.of, videos)] for key, found in rows.items()}
    held = FeatureClips(names, labels, features) if features else None
    if not pictures:
        return held or FeatureClips(names, labels, {})
    opened = {str(key): [one(video) for video in videos] for key, one in pictures.items()}
    return PictureClips(names, labels, opened, size, held)


def row_reader(features: SplitFeatures, video: Video) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]:
    """Reads rows of frames, 0-based; one without a row gets that of the nearest frame, as in training."""
    own = features.of(video)
    place, values = nearest(own.frames, video.n_frames), own.values
    return lambda frames: np.asarray(values[place[frames]], np.float32)


@contextlib.contextmanager
def picture_reader(
    pictures: Pictures, n: int, size: int, workers: int
) -> Iterator[Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]]]:
    """Reads pictures of frames, 0-based and rising from call to call, squashed to a size.

    A frame without a picture gets the nearest one, as in training; one beyond a film's true end the last that there is.

    Yields:
        From int64 ``(k,)`` to RGB uint8 ``(k, size, size, 3)``; raises DataError for what can't be decoded.
    """
    place, prepare = nearest(pictures.frames, n), Preprocessing((size, size)).prepare
    last: npt.NDArray[np.uint8] | None = None
    with pictures.reader() as reader, ThreadPoolExecutor(workers if pictures.random_access else 1) as pool:

        def decoded(index: int) -> npt.NDArray[np.uint8] | str | None:
            try:
                return next((prepare(picture.image) for picture in reader.read([index])), None)
            except UnreadablePictures as error:
                return "; ".join(error.messages)

        def read(frames: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
            nonlocal last
            wanted, at = np.unique(place[frames], return_inverse=True)
            found = list(pool.map(decoded, wanted.tolist()))
            if bad := [message for message in found if isinstance(message, str)]:
                raise DataError("pictures that can't be read:\n  " + first_of(bad, _SHOWN, "\n  "))
            images = []
            for image in found:
                last = last if image is None or isinstance(image, str) else image
                if last is None:
                    raise DataError("a film out of which no picture comes")
                images.append(last)
            return np.asarray(np.stack(images)[at.reshape(-1)])

        yield read
