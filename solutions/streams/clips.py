"""Stream of clips: a network trained on clips, applied to windows over whole videos."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from harness.datasets.dataset import Dataset, Video
from harness.errors import SolutionError, problem
from harness.records.document import load_json
from harness.settings import Settings
from harness.system.atomic import atomic_folder, write_text
from harness.system.checksums import CHECKSUMS_FILE, damaged_files, write_checksums
from harness.system.device import resolve_device
from harness.system.locks import alone
from harness.system.regular import read_text
from solutions.cache.features import FeatureSource, SplitFeatures
from solutions.clips.checkpoint import load_epoch
from solutions.clips.fitting import (
    ABOUT,
    BASE,
    bare_net,
    clip_identities,
    clip_trainings,
    encoded,
    frozen_encoders,
    model_key,
    own_encoders,
    prepare_clips,
    taken_from,
    train_stream,
)
from solutions.clips.inputs import backbones_of, kind_of, picture_reader, row_reader
from solutions.clips.network import ClipNet
from solutions.clips.settings import ClipStream
from solutions.clips.training import compute_threads
from solutions.clips.windows import slide
from solutions.postprocess.scores import Epochs

_log = logging.getLogger("abaw")

_ROW_WINDOWS = 64
_CLIP_WINDOWS = {"cpu": 2, "cuda": 16}
"""Windows per forward pass: for rows of features, and for images by device."""


class FittedClips:
    """A trained clip network; implements :class:`solutions.streams.interface.TrainedStream`.

    Args:
        stream: settings of network and training.
        folder: folder that :meth:`fit` or :meth:`save` wrote: weights by epoch, weights of an encoder that another
            stream trained, and the document ``about``.
        about: description of the weights: prior, feature widths, files of the epochs, note.
    """

    def __init__(self, stream: ClipStream, folder: Path, about: Mapping[str, Any]) -> None:
        """Read the description; weights are loaded when an epoch's scores are computed."""
        self.stream = stream
        self.folder = folder
        self.prior = np.array(about["prior"], np.float64)
        self.dims: dict[str, int] = dict(about["feature_dims"])
        self.files = [folder / str(name) for name in about["epochs"]]
        self.n_epochs = len(self.files)
        self._note = str(about["note"])

    @classmethod
    def fit(cls, stream: ClipStream, source: FeatureSource, data: Dataset, seed: int) -> Self:
        """Train the network on the training videos, or take it from the cache; resume an interrupted training.

        If another process trains the same network, wait for it and take its result.

        Raises:
            DataError: all training frames are unannotated, or a training video has no images.
            MissingDependencyError: weights are missing.
            StorageError: writing to the cache fails.
        """
        settings, network = source.settings, stream.network
        kind = "-".join([*backbones_of(network).values(), *network.features, network.head]).replace(":", "-")
        folder = settings.cache / "models" / f"{kind}-{model_key(stream, source, data, seed)}"
        with alone(folder.with_name(f"{folder.name}.lock"), wait_for=f"it trains the clip network {folder.name}"):
            if settings.reuse_heads and (damaged := damaged_files(folder)):
                what = "damaged on the disk, so that the clip network is trained again"
                _log.warning("%s", problem(what, where=folder, found=", ".join(damaged)))
                for name in (*damaged, CHECKSUMS_FILE):  # training starts over if one of its files is missing
                    (folder / name).unlink(missing_ok=True)
            elif settings.reuse_heads and (folder / ABOUT).is_file():
                with contextlib.suppress(SolutionError):  # damaged, or written by another version: train again
                    return cls.load(stream, folder)
            # train beside the present folder: another process may be predicting with it
            place = folder if settings.reuse_heads else folder.with_name(f"{folder.name}.fresh")
            if not settings.reuse_heads:
                shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True, exist_ok=True)
            if stream.rgb_from:
                base = cls.fit(taken_from(stream), source, data, seed)
                _link(base.files[-1], place / BASE)
            train_stream(stream, source, data, seed, place)
            write_checksums(place)
            if place != folder:
                with atomic_folder(folder, replace=True) as temporary:
                    for path in place.iterdir():
                        _link(path, temporary / path.name)
                shutil.rmtree(place)
            return cls.load(stream, folder)

    @classmethod
    def load(cls, stream: ClipStream, folder: Path) -> Self:
        """Load a network that :meth:`save` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """
        try:
            about = load_json(folder / ABOUT)
            fitted = cls(stream, folder, about)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SolutionError(f"{folder}: not a saved clip network ({error})") from None
        missing = [path.name for path in (*fitted.files, *fitted._base) if not path.is_file()]
        if missing or not fitted.files:
            raise SolutionError(f"{folder}: not a saved clip network ({', '.join(missing) or 'no epoch'} missing)")
        return fitted

    @classmethod
    def prepare(cls, stream: ClipStream, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
        """See :meth:`solutions.streams.interface.TrainedStream.prepare`."""
        prepare_clips(stream, source, data, list(dict.fromkeys(["train", *splits])))

    @classmethod
    def identities(cls, stream: ClipStream, source: FeatureSource) -> dict[str, Any]:
        """See :meth:`solutions.streams.interface.TrainedStream.identities`."""
        return clip_identities(stream, source)

    @classmethod
    def trainings(cls, stream: ClipStream) -> frozenset[str]:
        """See :meth:`solutions.streams.interface.TrainedStream.trainings`."""
        return clip_trainings(stream)

    def save(self, folder: Path) -> None:
        """Write the weights and their description; weights are hard links to the cache if it is on the same disk."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*self.files, *self._base):
            _link(path, folder / path.name)
        write_text(folder / ABOUT, read_text(self.folder / ABOUT))

    def scores(self, source: FeatureSource, data: Dataset, split: str, notes: list[str]) -> Epochs:
        """See :meth:`solutions.streams.interface.TrainedStream.scores`."""
        features = {name: source.features(name, data, split) for name in self.stream.network.features}
        bare = [
            video.name
            for video in data.videos(split)
            if not len(video.images) or any(not len(entry.of(video).frames) for entry in features.values())
        ]
        notes += [self._note] if self._note else []
        notes += [f"{name}: nothing is known of it; all get the training set's shares" for name in bare]
        return Epochs(self.n_epochs, lambda epoch: self._epoch(epoch, source, data, split, features, {*bare}))

    @property
    def _frozen(self) -> bool:
        return self.stream.training.encoders == "frozen"

    @property
    def _base(self) -> tuple[Path, ...]:
        return (self.folder / BASE,) if self.stream.rgb_from else ()

    def _epoch(
        self,
        epoch: int,
        source: FeatureSource,
        data: Dataset,
        split: str,
        features: Mapping[str, SplitFeatures],
        bare: set[str],
    ) -> npt.NDArray[np.float32]:
        settings, stream = source.settings, self.stream
        net = bare_net(stream, self.dims, settings, encoders=not self._frozen)
        load_epoch(net, self.files[epoch])
        encoders = frozen_encoders(stream, self.folder, settings) if self._frozen else own_encoders(net)
        rows, openers = dict(features), {}
        for key, backbone in encoders.items():
            if backbone.clipwise:
                openers[key] = source.images(kind_of(stream.network, key), data, split)
            else:
                rows[key] = encoded(stream, key, backbone, source, data, split)
        device = resolve_device(settings.device)
        decide = _decider(net.eval().to(device), device, settings, images=bool(openers))
        batch = _CLIP_WINDOWS.get(device.partition(":")[0], 2) if openers else _ROW_WINDOWS

        def of(video: Video) -> npt.NDArray[np.float32]:
            if video.name in bare:
                return np.tile(self.prior.astype(np.float32), (video.n_frames, 1))
            readers: dict[str, Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]] = {
                key: row_reader(entry, video) for key, entry in rows.items()
            }
            with contextlib.ExitStack() as stack:
                for key, opener in openers.items():
                    reading = picture_reader(opener(video), video.n_frames, stream.network.size, settings.workers)
                    readers[key] = stack.enter_context(reading)
                read = lambda frames: {key: one(frames) for key, one in readers.items()}  # noqa: E731
                return slide(video.n_frames, stream.windows, read, decide, batch)

        return np.concatenate([of(video) for video in data.videos(split)])


def _decider(
    net: ClipNet, device: str, settings: Settings, *, images: bool
) -> Callable[[Mapping[str, npt.NDArray[Any]]], npt.NDArray[np.float32]]:
    half = settings.precision == "bfloat16"

    def decide(inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        tensors = {key: torch.from_numpy(values).to(device) for key, values in inputs.items()}
        autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half)
        with compute_threads(device, images), torch.inference_mode(), autocast:
            return np.asarray(net(tensors).float().softmax(2).cpu().numpy())

    return decide


def _link(path: Path, to: Path) -> None:
    """Create a hard link, or a copy if the target is on another disk; an existing target is replaced."""
    to.unlink(missing_ok=True)
    try:
        os.link(path, to)
    except OSError:
        shutil.copy2(path, to)
