"""Our networks compute what the original ones do: names, order and shapes of weights, and outputs to 1e-9."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

from solutions.networks.ddamfn import DDAMFN
from solutions.networks.mobilefacenet import MobileFaceNet
from tests.support.noise_weights import noise, set_noise

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
NETWORKS = {"ddamfn_10": DDAMFN, "mobilefacenet_10": MobileFaceNet}
UNUSED = {
    "ddamfn_10": re.compile(r"bn\.|features\..*\.conv_dw\.(bn|prelu)\.|cat_head\d\.CoordAtt\.Linear\."),
    "mobilefacenet_10": re.compile(r"(?!)"),
}
"""In the published checkpoints, and of no effect."""


@pytest.fixture(scope="module", params=NETWORKS)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name) -> nn.Module:
    network = NETWORKS[name](10).double().eval()
    set_noise(network)
    return network


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.from_numpy(noise(2 * 3 * 112 * 112, 0).reshape(2, 3, 112, 112))


@pytest.fixture(scope="module")
def outputs(network, images) -> tuple[torch.Tensor, torch.Tensor]:
    """Embedding and logits."""
    seen = []
    hook = network.fc.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        logits = network(images)
    hook.remove()
    return seen[0], logits


def test_names_order_shapes_and_types_are_the_checkpoints(name):
    with (GOLDEN / f"{name}_state_dict.csv").open(newline="") as stream:
        theirs = [(row["key"], row["shape"], row["dtype"]) for row in csv.DictReader(stream)]
    ours = [
        (key, "x".join(map(str, value.shape)), str(value.dtype).removeprefix("torch."))
        for key, value in NETWORKS[name](10).state_dict().items()
    ]
    assert ours == theirs


def test_outputs_are_the_originals(name, outputs):
    with np.load(GOLDEN / f"{name}.npz") as golden:
        np.testing.assert_allclose(outputs[0].numpy(), golden["embedding"], rtol=0, atol=1e-9)
        np.testing.assert_allclose(outputs[1].numpy(), golden["logits"], rtol=0, atol=1e-9)


def test_outputs_hang_on_every_weight_but_the_unused(name, network, images):
    """What the golden outputs can hold at all: a weight without effect would be right whatever its place."""
    network.requires_grad_(True).zero_grad()
    network(images).sum().backward()
    without = {key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()}
    network.zero_grad()
    assert without == {key for key, _ in network.named_parameters() if UNUSED[name].match(key)}


@pytest.mark.parametrize(("name_", "parameters"), [("ddamfn_10", 4_188_966), ("mobilefacenet_10", 2_064_650)])
def test_parameters(name_, parameters):
    assert sum(value.numel() for value in NETWORKS[name_](10).parameters()) == parameters


@pytest.mark.parametrize("network_", NETWORKS.values())
def test_eight_outputs(network_):
    network = network_(8).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 112, 112)).shape == (1, 8)


@pytest.mark.parametrize(
    ("model", "size", "n_outputs", "gain"),
    [("tf_efficientnet_b0", 224, 8, 1.5), ("tf_efficientnet_b2", 260, 8, 1.5), ("mobilevitv2_150", 224, 10, 1.0)],
)
def test_timm_still_computes_what_the_checkpoints_were_made_with(model, size, n_outputs, gain):
    """EmotiEffLib pins timm 0.9; ours may be any 1.x."""
    network = timm.create_model(model, pretrained=False, num_classes=n_outputs).double().eval()
    state = "".join(f"{key} {'x'.join(map(str, value.shape))}\n" for key, value in network.state_dict().items())
    set_noise(network, gain)
    images = torch.from_numpy(noise(2 * 3 * size * size, 0).reshape(2, 3, size, size))
    seen = []
    network.get_classifier().register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        logits = network(images).numpy()
    with np.load(GOLDEN / "timm_0.9.16.npz") as golden:
        assert hashlib.sha256(state.encode()).hexdigest() == str(golden[f"{model}/state"])
        np.testing.assert_allclose(seen[0].numpy()[:, :64], golden[f"{model}/embedding"], rtol=0, atol=1e-9)
        np.testing.assert_allclose(logits, golden[f"{model}/logits"], rtol=0, atol=1e-9)
