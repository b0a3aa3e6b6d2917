"""What runs a network changes its speed, not its numbers; a precision is what was asked for, and is written down."""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from harness.errors import MissingDependencyError, UsageError
from harness.settings import Settings
from solutions.cache.features_file import FeatureCache
from solutions.cache.images import extract_features
from solutions.encoders.backends import export as export_module
from solutions.encoders.backends import fusion
from solutions.encoders.backends import openvino as openvino_backend
from solutions.encoders.backends import torch as torch_backend
from solutions.encoders.backends.export import export, export_graph
from solutions.encoders.backends.fusion import (
    drop_dropouts,
    fold_batch_norms,
    fold_pads,
    fold_scales,
    fuse_convolutions,
    fuse_linears,
    fuse_sums,
)
from solutions.encoders.backends.layout import channels_first
from solutions.encoders.backends.torch import TorchForward
from solutions.encoders.encoder import Part
from solutions.encoders.forward import Forward, make_forward
from solutions.encoders.images.emotiefflib import NETWORKS, build
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.outputs import EmbeddingsAndLogits
from solutions.networks.preprocessing import Preprocessing
from solutions.networks.timm_networks import hash_weights
from tests.support.digests import digests
from tests.support.places import REPOSITORY
from tests.support.published_files import small_networks

pytestmark = pytest.mark.slow

SMALL = Preprocessing((32, 48))

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra 'openvino' is not installed"
)


class Squeezed(nn.Module):
    """A bit of everything: what can be folded and fused, and what looks like it and can't."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU(inplace=True))
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.BatchNorm2d(8), nn.Hardswish())
        self.plain = nn.Sequential(nn.Conv2d(8, 12, 3, dilation=2), nn.ReLU())
        self.bare = nn.Sequential(nn.Conv2d(12, 12, 1), nn.BatchNorm2d(12, affine=False))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 4, 1), nn.SiLU(), nn.Conv2d(4, 12, 1))
        self.twice = nn.Conv2d(12, 12, 1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.alone = nn.BatchNorm2d(12)
        self.parametric = nn.Sequential(nn.Conv2d(12, 12, 3, padding="same"), nn.PReLU(12))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.bare(self.plain(self.depthwise(self.stem(images))))
        x = x * torch.sigmoid(self.gate(x))
        seen_twice = self.twice(x)
        x = self.alone(self.norm(seen_twice) + seen_twice)
        return self.parametric(nn.functional.pad(x, (0, 1, 0, 1))).mean((2, 3))


def lived(network: nn.Module, size: tuple[int, int]) -> nn.Module:
    """With batch norms that have seen something: fresh ones do next to nothing."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
    with torch.no_grad():
        network.train()(Preprocessing(size).normalise(torch.from_numpy(crops(8, size))))
    return network.eval()


def squeezed() -> nn.Module:
    torch.manual_seed(0)
    return lived(Squeezed(), SMALL.size)


def crops(n: int, size: tuple[int, int] = SMALL.size) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *size, 3), dtype=np.uint8)


def exact(network: nn.Module, preprocessing: Preprocessing, images: np.ndarray) -> np.ndarray:
    """In float64, as it is."""
    with torch.inference_mode():
        batch = preprocessing.normalise(torch.from_numpy(images)).double()
        return copy.deepcopy(network).double().eval()(batch).numpy()


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


_PROGRAMS: dict[object, torch.export.ExportedProgram] = {}


def exported(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """Export a network; of the two that most tests are about, return what was exported of the same weights before."""
    if not isinstance(network, Squeezed | timm.models.ConvNeXt):
        return export(network, preprocessing)
    key = (type(network), preprocessing, hash_weights(network))
    if key not in _PROGRAMS:
        _PROGRAMS[key] = export(network, preprocessing)
    return _PROGRAMS[key]


@pytest.fixture(autouse=True)
def _exported_once(monkeypatch):
    monkeypatch.setattr("solutions.encoders.backends.torch.export", exported)
    monkeypatch.setattr("solutions.encoders.backends.openvino.export", exported)


@pytest.fixture(params=["torch", "openvino"])
def backend(request) -> str:
    if request.param == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("the extra 'openvino' is not installed")
    return request.param


def forward_by(backend: str, precision: str = "float32", workers: int = 1) -> Forward:
    """Return what runs the network, made once."""
    return _forward_by(backend, precision, workers)


@functools.cache
def _forward_by(backend: str, precision: str, workers: int) -> Forward:
    settings = Settings(device="cpu", backend=backend, precision=precision, workers=workers)
    return make_forward(squeezed(), SMALL, settings)


def targets(graph: torch.fx.GraphModule) -> list[str]:
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def test_folding_leaves_the_same_function():
    network = squeezed().double()
    graph = export(nn.Sequential(Double(), network), SMALL).module(check_guards=False)
    assert fold_batch_norms(graph) == 3
    assert targets(graph).count("aten.batch_norm.default") == 2  # behind a sum, and behind what is used twice
    with torch.inference_mode():
        found = graph(torch.from_numpy(crops(5))).numpy()
    assert_close(found, exact(network, SMALL, crops(5)), 1e-13)


class Double(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.double()


def test_folding_leaves_the_networks_own_weights_alone():
    network = squeezed()
    before = copy.deepcopy(network.state_dict())
    fold_batch_norms(exported(network, SMALL).module(check_guards=False))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")
def test_every_convolution_is_fused_with_its_activation():
    graph = exported(squeezed(), SMALL).module(check_guards=False)
    fold_batch_norms(graph)
    assert fuse_convolutions(graph, 4) == 7
    left = targets(graph)
    assert left.count("mkldnn._convolution_pointwise.default") == 7
    assert not {"aten.conv2d.default", "aten.silu.default", "aten.silu_.default", "aten.relu.default"} & set(left)
    assert left.count("aten.sigmoid.default") == 0
    assert left.count("aten.conv2d.padding") == 1  # what asks for "same" keeps to torch
    with torch.inference_mode():
        assert_close(graph(torch.from_numpy(crops(5))).numpy(), exact(squeezed(), SMALL, crops(5)), 1e-5)


class Residual(nn.Module):
    """Sums of convolutions with other maps: some may be computed in the other map's memory, some may not."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, 2, 1)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 1 + k % 2 * 2, padding=k % 2) for k in range(9))
        self.column = nn.Conv2d(channels, channels, (16, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        relu, layers = nn.functional.relu, self.layers
        x = relu(self.stem(images))
        x = relu(x + layers[0](relu(layers[1](x))))  # fused, ReLU included
        x = layers[2](nn.functional.max_pool2d(x, 3, 1, 1)) + x  # fused
        x = layers[3](x) + x  # the convolution reads the map that it would overwrite
        used_later = relu(layers[4](x))
        x = used_later + layers[5](x)
        x = torch.cat([x, used_later], 1)[:, : x.shape[1]] * 0.5
        x = torch.add(x, layers[6](relu(x)), alpha=2)  # another sum
        viewed = relu(layers[7](x))
        view = viewed[:, :, ::2]
        x = layers[8](x) + viewed  # what looks at the other map's memory is read later
        x = self.column(x) + relu(x)  # a map of one row and a larger one
        return (x.mean((2, 3)) + view.mean((2, 3))) / 10


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_sums_are_fused_where_memory_is_free(layout):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    torch.manual_seed(0)
    network = Residual()
    expected = exact(network, SMALL, crops(5))
    graph = export(nn.Sequential(InLayout(layout), network), SMALL).module(check_guards=False)
    fuse_convolutions(graph, 4)
    assert fuse_sums(graph) == 2
    left = targets(graph)
    assert left.count("mkldnn._convolution_pointwise_.binary") == 2
    assert left.count("aten.add.Tensor") == 6
    for _ in range(2):
        with torch.inference_mode():
            assert_close(graph(torch.from_numpy(crops(5))).numpy(), expected, 1e-5)


class InLayout(nn.Module):
    def __init__(self, layout: torch.memory_format) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=self.layout)


def test_sums_in_bfloat16_stay_as_they_are():
    if not fusion._onednn("_convolution_pointwise", torch.bfloat16):
        pytest.skip("neither this processor nor torch can do it")
    graph = TorchForward(Residual(), SMALL, precision="bfloat16")._run
    assert "mkldnn._convolution_pointwise_.binary" not in targets(graph)


class Padded(nn.Module):
    """Convolutions behind pads: some pads can become zeros in the kernel, some can not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2, bias=False)
        self.depthwise = nn.ModuleList(
            nn.Conv2d(8, 8, k, s, p, groups=8) for k, s, p in ((3, 1, 0), (5, 2, 1), (3, 1, 0))
        )
        self.dilated = nn.Conv2d(8, 8, 3, dilation=2, groups=8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pad = nn.functional.pad
        x = self.stem(pad(images, (0, 1, 0, 1)))  # folded
        x = self.depthwise[0](pad(x, (1, 0, 1, 2)))  # folded, other sides
        x = self.depthwise[1](pad(x, (1, 2, 2, 1)))  # folded, beside a padding of its own
        x = self.deep(pad(x, (0, 1, 0, 1)))  # too many channels
        x = self.depthwise[2](pad(x, (0, 1, 0, 1), value=1.0))  # something other than zeros
        x = self.depthwise[2](pad(x, (0, 2, 0, 2)))  # two columns more on one side
        x = self.dilated(pad(x, (2, 3, 2, 3)))
        used_twice = pad(x, (0, 1, 0, 1))
        return (self.depthwise[0](used_twice) + used_twice.mean()).mean((2, 3))


def test_pads_on_one_side_become_zeros_in_the_kernel():
    torch.manual_seed(0)
    network, size = Padded().double().eval(), Preprocessing((48, 64))
    graph = export(nn.Sequential(Double(), network), size).module(check_guards=False)
    assert fold_pads(graph) == 3
    assert targets(graph).count("aten.pad.default") == 5
    with torch.inference_mode():
        assert_close(
            graph(torch.from_numpy(crops(5, size.size))).numpy(), exact(network, size, crops(5, size.size)), 1e-13
        )


@functools.cache
def convnext() -> nn.Module:
    """Small, and with layer scales that let something through: timm starts with 1e-6."""
    torch.manual_seed(0)
    network = timm.models.ConvNeXt(num_classes=0, depths=(1, 2, 1, 1), dims=(8, 12, 16, 24), ls_init_value=1.0)
    for name, weight in network.named_parameters():
        if weight.ndim == 1:
            nn.init.normal_(weight, mean=0.0 if name.endswith("bias") else 0.5, std=0.3)
        else:
            nn.init.kaiming_normal_(weight, nonlinearity="linear")
    return network.eval()


CONVNEXT = Preprocessing((64, 96))


def test_a_convnext_is_a_chain_of_fused_layers():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    forward = TorchForward(convnext(), CONVNEXT)
    left = targets(forward._run)
    assert left.count("mkldnn._linear_pointwise.default") == 10
    assert left.count("mkldnn._convolution_pointwise.default") == 9
    assert not {"aten.linear.default", "aten.gelu.default", "aten.mul.Tensor", "aten.dropout.default"} & set(left)
    assert_close(forward(crops(5, CONVNEXT.size)), exact(convnext(), CONVNEXT, crops(5, CONVNEXT.size)), 1e-5)


def test_a_convnext_runs_the_same_by_any_backend(backend):
    forward = make_forward(convnext(), CONVNEXT, Settings(device="cpu", backend=backend))
    images = crops(3, CONVNEXT.size)
    assert_close(forward(images), exact(convnext(), CONVNEXT, images), 1e-5)


def test_permutations_go_and_the_function_stays():
    network = copy.deepcopy(convnext()).double()
    graph = export(nn.Sequential(Double(), network), CONVNEXT).module(check_guards=False)
    drop_dropouts(graph)
    assert channels_first(graph) == 10  # five blocks, the stem's norm, three before a reduction, the last
    left = targets(graph)
    assert left.count("aten.permute.default") == 1  # the pictures' own, which come with their colours last
    assert not {"aten.linear.default", "aten.layer_norm.default"} & set(left)
    again = export_graph(graph, CONVNEXT).module(check_guards=False)
    images = torch.from_numpy(crops(3, CONVNEXT.size))
    with torch.inference_mode():
        assert_close(again(images).numpy(), exact(convnext(), CONVNEXT, images.numpy()), 1e-12)


class Watched(nn.Module):
    """Works with the channels last, and with something in between that can't be done with the channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(3, 8), nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.wide(images.permute(0, 2, 3, 1))
        return self.narrow(x.cumsum(-1)).permute(0, 3, 1, 2).mean((2, 3)) + x.mean((1, 2))[:, :4]


def test_permutations_stay_where_they_are_needed():
    graph = export(Watched(), SMALL).module(check_guards=False)
    before = targets(graph)
    assert channels_first(graph) == 0
    assert targets(graph) == before


class Scaled(nn.Module):
    """Layers with a factor a channel behind them, and with factors that look like it."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.tokens, self.plain = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 8), nn.Linear(8, 8, bias=False)
        self.gated, self.narrow = nn.Linear(8, 8), nn.Linear(8, 1)
        self.of_mix = nn.Parameter(torch.randn(6, 1, 1))
        self.of_tokens, self.of_plain = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(1, 1, 8))
        self.of_rows = nn.Parameter(torch.randn(96, 1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = (self.mix(images) * self.of_mix).flatten(2).transpose(1, 2)
        x = self.of_tokens * self.tokens(x)
        x = x + self.dropout(self.plain(x)) * self.of_plain
        x = nn.functional.gelu(self.gated(x) * self.of_rows * 2.0, approximate="tanh")
        seen_twice = self.gated(x)
        return (seen_twice * self.of_tokens + seen_twice * torch.sigmoid(self.narrow(x))).mean(1)


def scaled() -> nn.Module:
    torch.manual_seed(0)
    return Scaled().eval()


def test_layer_scales_go_into_the_weights_before_them():
    network = scaled().double()
    graph = export(nn.Sequential(Double(), network), SMALL).module(check_guards=False)
    before = copy.deepcopy(network.state_dict())
    drop_dropouts(graph)
    assert fold_scales(graph) == 3
    assert targets(graph).count("aten.mul.Tensor") == 4  # a factor a row, a number, what is used twice
    assert "aten.dropout.default" not in targets(graph)
    with torch.inference_mode():
        assert_close(graph(torch.from_numpy(crops(5))).numpy(), exact(network, SMALL, crops(5)), 1e-13)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


class Approximate(nn.Module):
    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.linear, self.approximate = nn.Linear(3, 8), approximate

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.linear(images.mean((2, 3))), approximate=self.approximate)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_each_gelu_is_the_one_that_was_asked_for(approximate):
    torch.manual_seed(0)
    network = Approximate(approximate)
    forward = TorchForward(network, SMALL)
    assert "aten.gelu.default" not in targets(forward._run) or not torch.backends.mkldnn.is_available()
    expected = exact(network, SMALL, crops(9))
    assert_close(forward(crops(9)), expected, 1e-6)
    other = Approximate({"none": "tanh", "tanh": "none"}[approximate])
    other.load_state_dict(network.state_dict())
    assert np.abs(exact(other, SMALL, crops(9)) - expected).max() > 1e-5 * np.abs(expected).max()


class Conditional(nn.Module):
    """Makes the weights of a layer out of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Linear(3, 24)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        means = images.mean((2, 3))
        return nn.functional.linear(means, self.maker(means).mean(0).view(8, 3))


def test_weights_made_of_the_input_are_left_alone():
    torch.manual_seed(0)
    network = Conditional()
    graph = export(network, SMALL).module(check_guards=False)
    assert fold_scales(graph) == 0
    if torch.backends.mkldnn.is_available():
        assert fuse_linears(graph, 4) == 1
    with torch.inference_mode():
        assert_close(graph(torch.from_numpy(crops(5))).numpy(), exact(network, SMALL, crops(5)), 1e-5)


@pytest.mark.parametrize("make", [squeezed, convnext])
def test_without_onednn_the_rest_is_folded_all_the_same(monkeypatch, make):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    forward = TorchForward(make(), CONVNEXT)
    assert not any(target.startswith("mkldnn.") for target in targets(forward._run))
    images = crops(5, CONVNEXT.size)
    assert_close(forward(images), exact(make(), CONVNEXT, images), 1e-5)


def test_processor_without_bfloat16_uses_plain_torch(monkeypatch):
    monkeypatch.setattr(fusion, "_onednn", lambda operation, dtype: dtype == torch.float32)
    forward = TorchForward(squeezed(), SMALL, precision="bfloat16")
    assert not any(target.startswith("mkldnn.") for target in targets(forward._run))
    assert_close(forward(crops(5)), exact(squeezed(), SMALL, crops(5)), 0.1)


@pytest.mark.parametrize("n", [1, 2, 5, 33])
def test_any_number_of_crops_is_what_the_network_says_of_them(backend, n):
    found = forward_by(backend)(crops(n))
    assert found.dtype == np.float32
    assert_close(found, exact(squeezed(), SMALL, crops(n)), 1e-5)


def test_batches_on_a_cpu_have_the_size_that_was_given():
    forward = TorchForward(squeezed(), SMALL, cpu_batch=6)
    assert (forward.parallel, forward.batch_size) == ("batches", 6)
    assert_close(forward(crops(9)), exact(squeezed(), SMALL, crops(9)), 1e-5)


def test_columns_are_asked_of_the_network(backend):
    assert forward_by(backend).dim == 12


@pytest.fixture
def _networks_of_few_layers(repetitions) -> Iterator[None]:
    """Give the networks few layers; with ``--long`` they have all of them."""
    with contextlib.nullcontext() if repetitions(0, 1) else small_networks():
        yield


@pytest.mark.usefixtures("_networks_of_few_layers")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("enet_b0_8_va_mtl", (64, 64)),
        ("mobilevit_va_mtl", (64, 64)),
        ("mbf_va_mtl", (112, 112)),
        ("ddamfn_8", (112, 112)),
    ],
)
def test_face_networks_are_fused_and_say_the_same(name, size):
    row = NETWORKS[name]
    preprocessing = replace(row.preprocessing, size=size)
    network = lived(EmbeddingsAndLogits(build(row), row.classifier), size)
    images = crops(3, size)
    expected = exact(network, preprocessing, images)
    forward = TorchForward(network, preprocessing)
    assert isinstance(forward._run, torch.fx.GraphModule)
    assert_close(forward(images), expected, 1e-4)


def test_a_row_does_not_depend_on_the_batch(backend):
    forward = forward_by(backend)
    together = forward(crops(9))
    alone = np.concatenate([forward(crops(9)[k : k + 1]) for k in range(9)])
    assert_close(alone, together, 1e-6)


def test_threads_at_the_same_time_do_not_disturb_each_other(backend):
    forward = forward_by(backend, workers=3)
    assert forward.parallel == "batches"
    one_by_one = [forward(crops(n)) for n in range(1, 30)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda n: forward(crops(n)), range(1, 30)))
    for found, expected in zip(together, one_by_one, strict=True):
        assert_close(found, expected, 1e-6)


class Doubtful(nn.Module):
    """Looks at numbers before it decides what to do: no graph of it can be made."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) if images.mean() > -100 else images.amax((2, 3))


def test_what_can_not_be_exported_runs_as_it_is():
    forward = TorchForward(Doubtful(), SMALL)
    assert not isinstance(forward._run, torch.fx.GraphModule)
    assert_close(forward(crops(4)), exact(Doubtful(), SMALL, crops(4)), 1e-6)


def test_bfloat16_is_rounded_and_close(backend):
    expected = forward_by(backend)(crops(16))
    try:
        found = forward_by(backend, "bfloat16")(crops(16))
    except UsageError as error:
        pytest.skip(str(error))
    assert found.dtype == np.float32
    assert 1e-4 < np.abs(found - expected).max() / np.abs(expected).max() < 0.1


@pytest.mark.parametrize("make", ["squeezed", "convnext"])
def test_what_was_fused_in_bfloat16_computes_in_it(monkeypatch, make):
    """Not only with rounded weights: what a convolution or a linear layer gives is bfloat16."""
    if not fusion._onednn("_linear_pointwise", torch.bfloat16):
        pytest.skip("neither this processor nor torch can do it")
    network, size = (squeezed(), SMALL) if make == "squeezed" else (convnext(), CONVNEXT)
    monkeypatch.setattr(torch_backend, "fold_batch_norms", lambda graph: 0)
    graph = TorchForward(network, size, precision="bfloat16")._run
    kinds = []

    class Watch(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> object:
            value = super().run_node(node)
            if "convolution" in str(node.target) or "linear" in str(node.target):
                kinds.append(value.dtype)
            return value

    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        Watch(graph).run(torch.from_numpy(crops(2, size.size)))
    assert set(kinds) == {torch.bfloat16}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_backend_and_precision_are_part_of_the_identity(backend, precision):
    try:
        identity = forward_by(backend, precision).identity()
    except UsageError as error:
        pytest.skip(str(error))
    assert identity == {"backend": backend, "precision": precision, "device": "cpu"}


def encoder_by(backend: str, precision: str = "float32", workers: int = 1) -> ImageNetworkEncoder:
    part = Part("embeddings", 12, np.dtype(np.float16))
    return ImageNetworkEncoder("squeezed", (part,), SMALL, forward_by(backend, precision, workers), {"weights": "0"})


def test_features_of_two_precisions_never_lie_in_one_folder(album, tmp_path):
    folders = {
        FeatureCache(tmp_path, encoder_by("torch", precision), album.open()).folder
        for precision in ("float32", "bfloat16")
    }
    assert len(folders) == 2


def test_the_number_of_workers_does_not_change_a_byte(album, tmp_path, backend):
    made = []
    for workers in (1, 3):
        settings = Settings(cache=tmp_path / str(workers), device="cpu", workers=workers)
        extract_features(encoder_by(backend, workers=workers), album.open(), ["train"], settings)
        made.append(digests(settings.cache, "*.npy"))
    assert len(made[0]) == 3
    assert made[0] == made[1]


def test_without_openvino_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '.*\[openvino\]'"):
        make_forward(squeezed(), SMALL, Settings(device="cpu", backend="openvino"))


def test_openvino_is_not_asked_to_run_on_a_gpu():
    with pytest.raises(UsageError, match=r"CPU only; found device 'cuda:1'\. Give --device cpu"):
        make_forward(squeezed(), SMALL, Settings(device="cuda:1", backend="openvino"))


@needs_openvino
def test_openvino_keeps_to_the_precision_or_refuses():
    compiled = forward_by("openvino")._compiled
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert compiled.get_property("NUM_STREAMS") == 1


IN_A_FRESH_PROCESS = """
import importlib.util, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from torch import nn
from solutions.encoders.backends.torch import TorchForward
from solutions.networks.preprocessing import Preprocessing

def columns():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return TorchForward(network, Preprocessing((8, 8)))(np.zeros((2, 8, 8, 3), np.uint8)).shape

for _ in range(2):
    with ThreadPoolExecutor(1) as pool:
        print(pool.submit(columns).result(), flush=True)

if importlib.util.find_spec("openvino"):
    from solutions.encoders.backends.openvino import _openvino
    _openvino()
    from openvino.tools.ovc import convert_impl
    print(convert_impl.tm.__name__, [name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""


@pytest.fixture(scope="module")
def fresh() -> subprocess.CompletedProcess[str]:
    """Run a process that makes networks ready in two threads, then loads OpenVINO."""
    return subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
        check=False,
    )


def test_networks_are_made_ready_in_one_thread_after_another(request, repetitions, monkeypatch):
    """With ``--long`` in a process of its own: torch crashed there, and only where it was fresh."""
    if repetitions(0, 1):
        fresh = request.getfixturevalue("fresh")
        assert fresh.stdout.splitlines()[:2] == ["(2, 4)", "(2, 4)"], fresh.stderr[-2000:]
        assert fresh.returncode == 0, fresh.stderr[-2000:]
        return
    threads = []
    monkeypatch.setattr(export_module, "_export", lambda *arguments: threads.append(threading.get_ident()))
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(export, squeezed(), SMALL).result()
            asking = pool.submit(threading.get_ident).result()
    assert len(threads) == 2
    assert len({*threads}) == 1
    assert asking not in threads


@needs_openvino
def test_openvino_reports_its_use_to_nobody(request, repetitions):
    """With ``--long`` in a process of its own, into which nothing else has brought OpenVINO."""
    expected = "openvino.tools.ovc.telemetry_stub []"
    if repetitions(0, 1):
        fresh = request.getfixturevalue("fresh")
        assert fresh.stdout.splitlines()[2:] == [expected], fresh.stderr[-2000:]
        return
    openvino_backend._openvino()
    from openvino.tools.ovc import convert_impl

    loaded = [name for name in sys.modules if name.startswith("openvino_telemetry.")]
    assert f"{convert_impl.tm.__name__} {loaded}" == expected
