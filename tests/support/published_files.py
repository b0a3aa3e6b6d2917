"""Weights that mean nothing in the files that the real ones come in: whole pickled modules, and dicts of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from harness.datasets.dataset import Video
from harness.settings import Settings
from solutions.encoders import wav2vec2
from solutions.encoders.emotiefflib import NETWORKS, build
from solutions.weights.store import import_weights
from tests.support.noise_weights import set_noise

SHORT = replace(wav2vec2.WAV2VEC2_BASE, layers=1, feed_forward=64)
"""wav2vec 2.0 with one Transformer layer for twelve: all else as it is."""


def bring(name: str, settings: Settings, folder: Path) -> None:
    """Import weights of that name, seeded by it, from a file as it is published."""
    torch.manual_seed(len(name))
    path = folder / f"{name}.pt"
    if name == "wav2vec2-base-960h":
        torch.save(SHORT.build(convolution_bias=False).state_dict(), path)
    elif name.startswith("ddamfn"):
        torch.save({"iter": 4, "model_state_dict": meaningless(name).state_dict()}, path)
    else:
        torch.save(meaningless(name), path)
    import_weights(name, path, settings, replace=True)


def meaningless(name: str) -> torch.nn.Module:
    """The network with weights under which different pictures still differ behind the last layer."""
    network = build(NETWORKS[name])
    set_noise(network, 1.5 if name.startswith("enet_") else 1.0)
    return network.eval()


def bring_libreface(settings: Settings, videos: Sequence[Video]) -> None:
    """Features that a team might bring, for every frame that has a crop."""
    folder = settings.cache / "precomputed" / "libreface"
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        rng = np.random.default_rng([*video.name.encode()])
        np.save(folder / f"{video.name}.npy", rng.normal(size=(len(video.crops), 24)).astype(np.float32))
        np.save(folder / f"{video.name}.frames.npy", video.crops.frames)
