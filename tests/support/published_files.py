"""Weights that mean nothing in the files that the real ones come in: whole pickled modules, and dicts of tensors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.datasets.dataset import Video
from harness.settings import Settings
from solutions.encoders.audio import wav2vec2
from solutions.encoders.images.emotiefflib import NETWORKS, build
from solutions.networks import ddamfn, mobilefacenet
from solutions.weights.store import import_weights
from tests.support.noise_weights import set_noise

NARROW = replace(
    wav2vec2.WAV2VEC2_BASE,
    dim=32,
    layers=1,
    heads=4,
    feed_forward=64,
    channels=32,
    position_kernel=16,
    position_groups=4,
)
"""wav2vec 2.0 with one Transformer layer for twelve, and few channels."""

SMALL = {
    "tf_efficientnet_b0": ("test_efficientnet", 256),
    "tf_efficientnet_b2": ("test_efficientnet", 256),
    "mobilevitv2_150": ("mobilevitv2_050", 256),
}
"""timm's architectures: one of the same kind with few layers, and the columns of its embedding."""


@contextmanager
def small_networks(full_size: Collection[str] = ()) -> Iterator[None]:
    """Give the papers' face networks and wav2vec 2.0 few layers until the block ends.

    Names, outputs, preprocessing and formats of files stay. All networks are tried in full size by
    ``networks/test_golden.py``.

    Args:
        full_size: names of timm's networks that stay as they are.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, row in [*NETWORKS.items()]:
            if name in full_size:
                continue
            architecture, embedding = SMALL.get(row.architecture, (row.architecture, row.embedding))
            patch.setitem(NETWORKS, name, replace(row, architecture=architecture, embedding=embedding))
        blocks = (1, 0, 0)  # residual ones of each stage
        stages = zip(ddamfn._STAGES, blocks, strict=True)
        patch.setattr(ddamfn, "_STAGES", tuple((*mixes, n, channels) for (*mixes, _, channels), n in stages))
        residuals = mobilefacenet._residuals
        patch.setattr(mobilefacenet, "_residuals", lambda n, *widths: residuals(int(n == 4), *widths))
        patch.setitem(wav2vec2.ENCODERS, "wav2vec2", ("wav2vec2-base-960h", NARROW))
        yield


def bring(name: str, settings: Settings, folder: Path) -> None:
    """Import weights of that name, seeded by it, from a file as it is published."""
    torch.manual_seed(len(name))
    path = folder / f"{name}.pt"
    if name == "wav2vec2-base-960h":
        torch.save(wav2vec2.ENCODERS["wav2vec2"][1].build(convolution_bias=False).state_dict(), path)
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
        np.save(folder / f"{video.name}.npy", rng.normal(size=(len(video.images), 24)).astype(np.float32))
        np.save(folder / f"{video.name}.frames.npy", video.images.frames)
