"""Weights go into a network whole, or not at all; and what its two last layers give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.errors import SolutionError
from solutions.networks.outputs import EmbeddingsAndLogits
from solutions.networks.state import load_exactly


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.norm(x))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = Head()
        self.spare = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.head(self.body(x))


def other_state() -> dict[str, torch.Tensor]:
    return {key: value + 1 if value.is_floating_point() else value + 7 for key, value in Network().state_dict().items()}


def refused(tensors: dict[str, torch.Tensor], **options) -> str:
    network = Network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(SolutionError) as caught:
        load_exactly(network, tensors, source="some weights", **options)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    return str(caught.value)


def test_every_parameter_and_buffer_is_set():
    network, tensors = Network(), other_state()
    load_exactly(network, tensors, source="some weights")
    assert all(torch.equal(value, tensors[key]) for key, value in network.state_dict().items())


def test_a_missing_name_is_refused():
    tensors = other_state()
    del tensors["body.0.weight"]
    message = refused(tensors)
    assert "the weights of some weights are not those of Network; found 1 missing: body.0.weight" in message
    assert "expected 16 tensors with its names and shapes" in message


def test_an_unexpected_name_is_refused():
    assert "found 1 unexpected: module.extra" in refused({**other_state(), "module.extra": torch.zeros(3)})


@pytest.mark.parametrize("shape", [(3, 4), (2,), (2, 4, 1), (4, 2), ()])
def test_another_shape_is_refused(shape):
    """Also where it could be broadcast, or has as many numbers."""
    message = refused({**other_state(), "head.fc.weight": torch.zeros(shape)})
    assert f"found 1 of another shape: head.fc.weight {shape}, expected (2, 4)" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value):
    tensors = other_state()
    tensors["body.1.running_var"][2] = value
    assert "found 1 with values that are no numbers: body.1.running_var" in refused(tensors)


def test_all_that_is_wrong_is_counted_and_the_first_is_named():
    tensors = {f"net.{key}": value for key, value in other_state().items()}
    message = refused({**tensors, "head.fc.bias": torch.zeros(9)})
    assert "13 missing: body.0.weight, body.0.bias, body.1.weight, …" in message
    assert "16 unexpected: net.body.0.weight, net.body.0.bias, net.body.1.weight, …" in message
    assert "1 of another shape: head.fc.bias (9,), expected (2,)" in message


def test_counters_of_a_batchnorm_may_be_missing():
    """Files older than torch 0.4.1 have none, and evaluation does not read them."""
    tensors = {key: value for key, value in other_state().items() if not key.endswith("num_batches_tracked")}
    network = Network()
    load_exactly(network, tensors, source="some weights")
    assert torch.equal(network.body[1].running_mean, tensors["body.1.running_mean"])


def test_what_nothing_hangs_on_may_be_missing_but_not_wrong():
    tensors = {key: value for key, value in other_state().items() if not key.startswith("spare.")}
    assert "missing: spare.weight" in refused(tensors)
    load_exactly(Network(), tensors, source="some weights", unused=("spare.",))
    assert "spare.bias (5,)" in refused({**tensors, "spare.bias": torch.zeros(5)}, unused=("spare.",))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_another_precision_is_converted(dtype):
    network, tensors = Network(), {k: v.to(dtype) if v.is_floating_point() else v for k, v in other_state().items()}
    load_exactly(network, tensors, source="some weights")
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert torch.equal(network.head.fc.bias, tensors["head.fc.bias"].float())


def test_embeddings_are_what_the_classifier_sees():
    network, images = Network().eval(), torch.rand(5, 3, 8, 8)
    with torch.inference_mode():
        logits = network(images)
        embeddings = network.head.norm(network.body(images))
        both = EmbeddingsAndLogits(network, "head.fc")(images)
    assert torch.equal(both, torch.cat([embeddings, logits], 1))


def test_a_classifier_at_the_top():
    network = nn.Sequential()
    network.body, network.fc = nn.Flatten(), nn.Linear(12, 2)
    images = torch.rand(1, 3, 2, 2)
    with torch.inference_mode():
        assert torch.equal(EmbeddingsAndLogits(network, "fc")(images)[:, :12], images.flatten(1))
