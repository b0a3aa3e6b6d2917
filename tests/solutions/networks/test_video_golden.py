"""Our networks of clips compute what the original ones do: names and shapes of weights, and outputs to 1e-9.

``golden/video.npz`` was made by PyTorchVideo 0.1.5 and by transformers 4.56.0; ``golden/README.md`` says how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from solutions.networks.slowfast import SlowFast
from solutions.networks.videomae import VideoMAE
from tests.support.noise_weights import noise, set_noise

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden" / "video.npz"


def digest(state: Iterable[tuple[str, torch.Tensor]]) -> str:
    lines = "".join(f"{key} {'x'.join(map(str, value.shape))}\n" for key, value in state)
    return hashlib.sha256(lines.encode()).hexdigest()


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return torch.from_numpy(noise(2 * 3 * 8 * 64 * 64, 0).reshape(2, 3, 8, 64, 64))


def test_slowfast(golden, clips):
    network = SlowFast().double().eval()
    set_noise(network)
    assert digest(network.state_dict().items()) == str(golden["slowfast/state"])
    with torch.inference_mode():
        slow, fast = network(clips)
        assert [tuple(x.shape) for x in network(clips[:, :, :7])] == [(2, 2048, 2, 2, 2), (2, 256, 7, 2, 2)]
    for name, maps in (("slow", slow), ("fast", fast)):
        np.testing.assert_allclose(maps.mean((3, 4))[:, ::8].numpy(), golden[f"slowfast/{name}"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("small", lambda: VideoMAE(384, 6, normalised=False)),
        ("normalised", lambda: VideoMAE(96, 3, layers=2, normalised=True)),
    ],
)
def test_videomae(name, network, golden, clips):
    network = network().double().eval()
    set_noise(network)
    published = {
        key.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): value
        for key, value in network.state_dict().items()
    }
    assert digest(sorted(published.items())) == str(golden[f"videomae_{name}/state"])
    with torch.inference_mode():
        tokens = network(clips)
    assert tokens.shape[2:] == (4, 4, 4)
    flat = tokens.flatten(2).transpose(1, 2)[:, ::8].numpy()
    np.testing.assert_allclose(flat, golden[f"videomae_{name}/tokens"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (SlowFast, 34_566_488 - 400 * 2305),
        (lambda: VideoMAE(384, 6, normalised=False), 21_879_168),
        (lambda: VideoMAE(768, 12, normalised=True), 86_227_200),
    ],
)
def test_parameters(network, parameters):
    """Of SlowFast without its classifier."""
    with torch.device("meta"):
        assert sum(value.numel() for value in network().parameters()) == parameters
