"""The clip net: as large as the authors' own, and training what should learn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from harness.errors import MissingDependencyError, SolutionError, UnknownNameError
from harness.settings import Settings
from solutions.clips.network import ClipNet, make_clip_net
from solutions.clips.settings import ClipNetwork

CONVNEXT, EFFICIENTNET = "convnext_tiny.in12k_ft_in1k", "efficientnet_b0.ra_in1k"
POSE = {"pose:paper": 406}
TWO = ClipNetwork(rgb=CONVNEXT, flow=EFFICIENTNET)
SKELETON = ClipNetwork(rgb=CONVNEXT, features=("pose:paper",), fusion="cross-attention")
TCN = {"head": "tcn", "layers": 5}

# Parameters of every row of table 4 that could be counted: ours exactly, the authors' in millions as the audit of their
# code measured them on their own modules; and of these, for frozen encoders, those that learn.
ROWS = [
    (ClipNetwork(rgb="r3d_18.kinetics400", head="conv1d"), 33_167_298, 33.17),
    (ClipNetwork(rgb="s3d.kinetics400", head="conv1d"), 7_912_098, 7.91),
    (ClipNetwork(rgb="r2plus1d_18.kinetics400", head="conv1d"), 31_301_151, 31.30),
    (ClipNetwork(rgb="s3d.kinetics400"), 12_113_570, 12.11),
    (ClipNetwork(rgb="r2plus1d_18.kinetics400"), 34_455_071, 34.46),
    (ClipNetwork(rgb="resnet18.tv_in1k", head="conv1d"), 11_177_538, 11.18),
    (ClipNetwork(rgb="swin3d_t.kinetics400", head="conv1d"), 27_852_008, 27.85),
    (ClipNetwork(rgb=EFFICIENTNET), 8_735_358, 8.74),
    (ClipNetwork(rgb=CONVNEXT), 31_499_362, 31.50),
    (ClipNetwork(rgb="convnext_tiny.fb_in1k"), 31_499_362, 31.50),
    (ClipNetwork(rgb=CONVNEXT, **TCN), 29_004_386, 29.00),
    (TWO, 36_032_734, 36.03),
    (replace(TWO, fusion="gated"), 37_082_334, 37.08),
    (ClipNetwork(rgb=CONVNEXT, features=("pose:paper",), fusion="early"), 32_496_092, 32.50),
    (replace(SKELETON, **TCN), 32_198_286, 32.20),
    (SKELETON, 34_234_510, 34.24),
    (replace(SKELETON, fused=768, attention_heads=8, hidden=384), 41_714_574, 41.72),
]
TRAINABLE = [
    (replace(SKELETON, **TCN), 4_378_158, 4.38),
    (SKELETON, 6_414_382, 6.41),
    (replace(SKELETON, fused=768, attention_heads=8, hidden=384), 13_894_446, 13.89),
]


def on_meta(network: ClipNetwork) -> ClipNet:
    """Shapes without numbers."""
    with torch.device("meta"):
        return make_clip_net(network, n_outputs=2, feature_dims=POSE, weights="random", seed=0)


def size(module: nn.Module, *, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


@pytest.mark.parametrize(("network", "parameters", "audited"), ROWS)
def test_parameters_are_those_of_the_authors_networks(network, parameters, audited):
    assert size(on_meta(network)) == parameters
    assert parameters / 1e6 == pytest.approx(audited, abs=0.0055)


@pytest.mark.parametrize(("network", "parameters", "audited"), TRAINABLE)
def test_parameters_that_learn_behind_a_frozen_encoder(network, parameters, audited):
    net = on_meta(network)
    net.freeze()
    assert size(net, trainable=True) == parameters
    assert parameters / 1e6 == pytest.approx(audited, abs=0.005)
    without = make_clip_net(network, n_outputs=2, feature_dims=POSE, weights="random", seed=0, encoders=False)
    assert size(without) == parameters


def test_the_tcn_head_with_its_statistics_is_what_was_measured():
    """1.19 million, of which 2,560 are running means and variances."""
    head = on_meta(ClipNetwork(rgb=CONVNEXT, **TCN)).head
    statistics = sum(b.numel() for name, b in head.named_buffers() if "running" in name)
    assert (size(head), statistics) == (1_184_258, 2_560)


def small(**settings) -> ClipNet:
    network = ClipNetwork(**{"rgb": "resnet18.tv_in1k", "size": 32, "hidden": 16, "fused": 16, **settings})
    return make_clip_net(network, n_outputs=2, feature_dims={"pose:paper": 12}, weights="random", seed=0)


def clip(b: int = 2, t: int = 8) -> torch.Tensor:
    return torch.randint(0, 256, (b, t, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def pose(b: int = 2, t: int = 8) -> torch.Tensor:
    return torch.randn(b, t, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def fused() -> ClipNet:
    return small(features=("pose:paper",), fusion="cross-attention")


def test_from_pictures_and_features_to_logits(fused):
    logits = fused({"rgb": clip(), "pose:paper": pose()})
    assert (logits.shape, logits.dtype) == ((2, 8, 2), torch.float32)


def test_deciding_on_encoded_rows_is_the_same(fused):
    fused.eval()
    with torch.inference_mode():
        rows = fused.encode("rgb", clip())
        expected = fused({"rgb": clip(), "pose:paper": pose()})
        assert rows.shape == (2, 8, fused.dims["rgb"])
        assert torch.equal(fused.decide({"rgb": rows, "pose:paper": pose()}), expected)
        assert torch.equal(fused({"rgb": rows, "pose:paper": pose()}), expected)


def test_in_bfloat16_too(fused):
    fused.eval()
    exact = fused({"rgb": clip(), "pose:paper": pose()})
    with torch.autocast("cpu", torch.bfloat16):
        rounded = fused({"rgb": clip(), "pose:paper": pose()})
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)  # encoders did run in it
    torch.testing.assert_close(rounded, exact, atol=0.1, rtol=0)
    rounded.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in fused.parameters())


@pytest.mark.parametrize("head", ["conv1d", "linear", "bilstm", "tcn"])
@pytest.mark.parametrize("fusion", ["concat", "gated", "early", "cross-attention", "side-by-side"])
def test_every_part_learns(fusion, head):
    network = ClipNetwork(rgb=CONVNEXT, features=("pose:paper",), fusion=fusion, head=head, fused=16, hidden=16)
    net = make_clip_net(network, n_outputs=2, feature_dims={"pose:paper": 12}, weights="random", seed=0, encoders=False)
    rows = torch.randn(2, 8, 768, requires_grad=True)
    net({"rgb": rows, "pose:paper": pose()}).square().sum().backward()
    assert {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()} == set()
    assert rows.grad.any()  # which goes on into the encoder


def test_frozen_encoder_keeps_weights_and_statistics():
    net = small()
    net.freeze()
    before = {name: value.clone() for name, value in net.encoders.state_dict().items()}
    net.train()
    rows = net.encode("rgb", clip())
    assert not rows.requires_grad
    net.decide({"rgb": rows}).sum().backward()
    assert all(p.grad is None for p in net.encoders.parameters())
    assert all(p.grad is not None for p in net.head.parameters())
    after = net.encoders.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert (net.training, net.encoders["rgb"].training, net.head.training) == (True, False, True)


def test_one_of_two_encoders_can_be_frozen():
    net = small(flow=EFFICIENTNET, fusion="gated")
    net.freeze(["rgb"])
    net({"rgb": clip(), "flow": clip()}).sum().backward()
    assert all(p.grad is None for p in net.encoders["rgb"].parameters())
    assert any(p.grad is not None and p.grad.any() for p in net.encoders["flow"].parameters())


def test_the_seed_is_that_of_what_is_behind_the_encoders():
    network = ClipNetwork(rgb="resnet18.tv_in1k", size=32)
    make = {"n_outputs": 2, "feature_dims": {}, "weights": "random"}
    first, again, other = (make_clip_net(network, seed=seed, **make).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    differing = {key.partition(".")[0] for key in first if not torch.equal(first[key], other[key])}
    assert differing == {"head"}


def test_making_one_leaves_the_generator_as_it_was():
    torch.manual_seed(99)
    before = torch.get_rng_state()
    small()
    assert torch.equal(torch.get_rng_state(), before)


def test_saved_and_loaded_it_is_the_same_to_the_bit(fused, tmp_path):
    save_file(fused.state_dict(), tmp_path / "net.safetensors")
    torch.manual_seed(7)
    again = small(features=("pose:paper",), fusion="cross-attention")
    for p in again.parameters():
        nn.init.zeros_(p)
    again.load_state_dict(load_file(tmp_path / "net.safetensors"))
    inputs = {"rgb": clip(), "pose:paper": pose()}
    with torch.inference_mode():
        assert torch.equal(again.eval()(inputs), fused.eval()(inputs))
    assert again.identity() == fused.identity()


def test_a_tuned_encoder_is_another_in_its_identity():
    net = small()
    before = net.identity()
    with torch.no_grad():
        next(net.encoders.parameters()).mul_(1.01)
    after = net.identity()
    assert before["rgb"].pop("weights") != after["rgb"].pop("weights")
    assert before == after


def test_moments_are_for_side_by_side_only():
    moments = {"rgb": (torch.zeros(512), torch.ones(512)), "pose:paper": (torch.zeros(12), torch.ones(12))}
    small(features=("pose:paper",), fusion="side-by-side").set_moments(moments)
    with pytest.raises(SolutionError, match="moments; found fusion concat, expected side-by-side"):
        small(features=("pose:paper",), fusion="concat").set_moments(moments)


def test_features_alone_make_a_network():
    network = ClipNetwork(features=("flow-statistics", "pose:clean"), fusion="side-by-side")
    dims = {"pose:clean": 5, "flow-statistics": 3, "not asked for": 9}
    net = make_clip_net(network, n_outputs=2, feature_dims=dims, weights="pretrained", seed=0)
    assert net.dims == {"flow-statistics": 3, "pose:clean": 5}
    assert len(net.encoders) == 0
    assert net({"flow-statistics": torch.zeros(1, 4, 3), "pose:clean": torch.zeros(1, 4, 5)}).shape == (1, 4, 2)


def test_what_goes_in_is_checked(fused):
    with pytest.raises(SolutionError, match=r"inputs of another network; found \{'rgb': 512\}, expected .*pose:paper"):
        fused({"rgb": clip()})
    with pytest.raises(SolutionError, match="'pose:paper': 11"):
        fused({"rgb": clip(), "pose:paper": pose()[..., :11]})
    with pytest.raises(SolutionError, match="no encoder of flow; found rgb"):
        fused.encode("flow", clip())


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (ClipNetwork(), SolutionError, "without any input"),
        (ClipNetwork(features=("pose:papre",)), SolutionError, "no columns known of pose:papre"),
        (ClipNetwork(rgb="convnext_tiny.fb_in1"), UnknownNameError, "Did you mean convnext_tiny.fb_in1k"),
        (ClipNetwork(flow="resnet18"), UnknownNameError, "unknown backbone 'resnet18'"),
    ],
)
@pytest.mark.parametrize("encoders", [True, False])
def test_what_can_not_be_made_is_said(network, error, message, encoders):
    with pytest.raises(error, match=message):
        make_clip_net(network, n_outputs=2, feature_dims={}, weights="random", seed=0, encoders=encoders)


def test_weights_are_looked_for_where_the_settings_say(tmp_path):
    network = ClipNetwork(rgb="r3d_18.kinetics400")
    settings = Settings(cache=tmp_path / "elsewhere", weights="random")  # what the call says counts
    with pytest.raises(MissingDependencyError, match=r"elsewhere.*abaw weights fetch r3d_18\.kinetics400"):
        make_clip_net(network, n_outputs=2, feature_dims={}, weights="pretrained", seed=0, settings=settings)
