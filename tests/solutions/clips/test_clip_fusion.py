"""Fusions are the formulas that they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.errors import SolutionError
from solutions.clips.fusion import make_fusion
from solutions.clips.settings import ClipNetwork

DIMS = {"rgb": 6, "flow": 10}
WITH_POSE = {"rgb": 6, "pose:paper": 10}


def fusion(kind: str, dims: dict[str, int] = DIMS, **settings):
    torch.manual_seed(0)
    return make_fusion(ClipNetwork(fusion=kind, fused=8, attention_heads=2, **settings), dims).eval()


def rows(dims: dict[str, int] = DIMS, t: int = 5) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {name: torch.randn(2, t, dim) for name, dim in dims.items()}


@pytest.mark.parametrize(
    ("kind", "dims", "dim"),
    [
        ("concat", DIMS, 8),
        ("concat", {**WITH_POSE, "flow-statistics": 3}, 8),
        ("gated", DIMS, 8),
        ("cross-attention", WITH_POSE, 8),
        ("early", WITH_POSE, 16),
        ("side-by-side", {"flow-statistics": 3, "pose:clean": 4}, 7),
    ],
)
def test_widths(kind, dims, dim):
    made = fusion(kind, dims)
    assert made.dim == dim
    assert made(rows(dims)).shape == (2, 5, dim)


@pytest.mark.parametrize("kind", ["concat", "gated", "early", "cross-attention"])
def test_one_input_needs_no_fusion(kind):
    made, given = fusion(kind, {"rgb": 6}), rows({"rgb": 6})
    assert made.dim == 6
    assert not list(made.parameters())
    torch.testing.assert_close(made(given), given["rgb"])


def test_gated_is_a_share_of_each_column():
    made, given = fusion("gated"), rows()
    both = torch.cat([given["rgb"], given["flow"]], 2)
    gate = torch.sigmoid(both @ made.gate.weight.T + made.gate.bias)
    mixed = gate * made.first(given["rgb"]) + (1 - gate) * made.second(given["flow"])
    torch.testing.assert_close(made(given), functional.layer_norm(mixed, (8,)))


def test_concat_is_a_layer_normalised_then_gelu():
    made, given = fusion("concat"), rows()
    linear = made.layer[0](torch.cat([given["rgb"], given["flow"]], 2))
    torch.testing.assert_close(made(given), functional.gelu(functional.layer_norm(linear, (8,))))


def test_early_leaves_pictures_as_they_are_and_rectifies_vectors():
    made, given = fusion("early", WITH_POSE), rows(WITH_POSE)
    fused = made(given)
    torch.testing.assert_close(fused[..., :6], given["rgb"])
    torch.testing.assert_close(fused[..., 6:], made.layers[1][0](given["pose:paper"]).relu())


def test_cross_attention_goes_both_ways():
    """A frame's output depends on every frame of both inputs; with one way cut, on that input's own frame alone."""
    made = fusion("cross-attention")
    given = {name: x.requires_grad_() for name, x in rows().items()}
    (made(given)[0, 2] * torch.arange(8)).sum().backward()  # a layer norm's plain sum never changes
    for x in given.values():
        assert (x.grad[0].abs().sum(1) > 0).all()
        assert not x.grad[1].any()
    torch.nn.init.zeros_(made.attentions[0].out_proj.weight)  # rgb no longer looks at flow
    for x in given.values():
        x.grad = None
    (made(given)[0, 2] * torch.arange(8)).sum().backward()
    assert given["flow"].grad[0].abs().sum(1).nonzero().flatten().tolist() == [2]
    assert (given["rgb"].grad[0].abs().sum(1) > 0).all()


def test_cross_attention_is_the_formula():
    made, given = fusion("cross-attention"), rows()
    first, second = made.projections[0](given["rgb"]), made.projections[1](given["flow"])

    def attended(k: int, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        module = made.attentions[k]
        weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
        query, key, value = (
            (x @ w.T + b).unflatten(2, (2, 4)).transpose(1, 2)
            for x, w, b in zip((own, other, other), weights, biases, strict=True)
        )
        mixed = (query @ key.transpose(2, 3) / 2).softmax(3) @ value
        return functional.layer_norm(own + module.out_proj(mixed.transpose(1, 2).flatten(2)), (8,))

    both = torch.cat([attended(0, first, second), attended(1, second, first)], 2)
    expected = functional.layer_norm(functional.gelu(made.output[0](both)), (8,))
    torch.testing.assert_close(made(given), expected)


def test_vectors_reach_attention_through_their_own_branch():
    made = fusion("cross-attention", {"rgb": 6, "pose:paper": 406})
    kinds = [type(module).__name__ for module in made.branches[1]]
    assert kinds == ["LayerNorm", "Linear", "GELU", "Dropout"]
    assert made.branches[1][1].weight.shape == (256, 406)
    assert fusion("cross-attention").branches[1](rows()["flow"]).shape == (2, 5, 10)  # pictures have none


VECTORS = {"flow-statistics": 3, "pose:clean": 4}


class TestSideBySide:
    def moments(self, given):
        return {name: (x.flatten(0, 1).mean(0), x.flatten(0, 1).std(0)) for name, x in given.items()}

    def test_every_column_gets_zero_mean_and_unit_deviation(self):
        made, given = fusion("side-by-side", VECTORS), rows(VECTORS, t=50)
        given["pose:clean"] = given["pose:clean"] * 100 + 7
        made.set_moments(self.moments(given))
        fused = made(given).flatten(0, 1)
        torch.testing.assert_close(fused.mean(0), torch.zeros(7), atol=1e-4, rtol=0)
        torch.testing.assert_close(fused.std(0), torch.ones(7))

    def test_moments_are_kept_with_the_weights_and_not_trained(self):
        made, given = fusion("side-by-side", VECTORS), rows(VECTORS)
        made.set_moments(self.moments(given))
        again = fusion("side-by-side", VECTORS)
        again.load_state_dict(made.state_dict())
        assert torch.equal(again(given), made(given))
        assert not list(made.parameters())

    def test_moments_may_come_from_numpy_in_float64(self):
        made, given = fusion("side-by-side", VECTORS), rows(VECTORS)
        made.set_moments({k: (m.double().numpy(), s.double().numpy()) for k, (m, s) in self.moments(given).items()})
        assert made(given).dtype == torch.float32

    def test_a_column_that_never_changes_is_centred_only(self):
        made = fusion("side-by-side", {"flow-statistics": 2})
        made.set_moments({"flow-statistics": (torch.tensor([5.0, 1.0]), torch.tensor([0.0, 2.0]))})
        fused = made({"flow-statistics": torch.tensor([[[5.0, 3.0]]])})
        assert fused.tolist() == [[[0.0, 1.0]]]

    @pytest.mark.parametrize(
        "moments",
        [
            {"flow-statistics": (np.zeros(3), np.ones(3))},
            {"flow-statistics": (np.zeros(4), np.ones(4)), "pose:clean": (np.zeros(4), np.ones(4))},
        ],
    )
    def test_moments_of_other_inputs_are_refused(self, moments):
        with pytest.raises(SolutionError, match=r"moments of other inputs; found .* expected .*'pose:clean': \(4, 4\)"):
            fusion("side-by-side", VECTORS).set_moments(moments)

    @pytest.mark.parametrize("bad", [np.array([np.nan, 1, 1]), np.array([np.inf, 1, 1]), np.array([-1.0, 1, 1])])
    def test_deviations_that_are_none_are_refused(self, bad):
        with pytest.raises(SolutionError, match="moments that are no numbers"):
            fusion("side-by-side", {"flow-statistics": 3}).set_moments({"flow-statistics": (np.zeros(3), bad)})


@pytest.mark.parametrize(
    ("kind", "dims"),
    [
        ("gated", {**DIMS, "pose:paper": 3}),
        ("cross-attention", {**DIMS, "pose:paper": 3}),
        ("early", DIMS),
        ("early", {"pose:paper": 3, "flow-statistics": 2}),
    ],
)
def test_inputs_that_a_fusion_does_not_take_are_refused(kind, dims):
    with pytest.raises(SolutionError, match=rf"{kind} fusion; found {', '.join(dims)}, expected "):
        fusion(kind, dims)
