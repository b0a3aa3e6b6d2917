"""Losses and heads of EMI and AH, beside NumPy written from the audit's equations and torch's autograd, in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import SolutionError
from harness.tasks import AH, EMI, EXPR, VA, Task
from solutions.heads.adam import Adam
from solutions.heads.losses import (
    INTENSITY_WEIGHTS,
    balanced_bce_gradients,
    balanced_weights,
    bce_gradients,
    pearson_gradients,
)
from solutions.heads.mlp import MlpHead, make_layers
from solutions.heads.settings import MlpSettings, losses_of
from solutions.heads.train import load_head, train_head
from tests.support.keras_adam import KerasAdam

MLP = MlpSettings("weighted-pearson", 64, 20, 512, standardise=False, keep="best", select="pieces", keras=True)
LINEAR = MlpSettings("pearson", 0, 100, 512, l2=1 / 512, standardise=False, keep="best", select="pieces", keras=True)


def batch(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels of a batch; most labels are 0, as EMI's are."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((n, 6)) < 0.3, rng.choice([1, 0.5, 1 / 3, 0.4], (n, 6)), 0)
    return rng.normal(0, 2, (n, 6)), labels


def pearson_loss(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Return the audit's ``1 - sum w rho``, target by target: population deviations, 1e-7 in the denominator."""
    loss = 1.0
    for z, y, w in zip(logits.T, labels.T, weights, strict=True):
        p = 1 / (1 + np.exp(-z))
        covariance = np.mean((p - p.mean()) * (y - y.mean()))
        loss -= w * covariance / (np.std(y) * np.std(p) + 1e-7)
    return loss


def torch_pearson_loss(z: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(z)
    covariance = ((p - p.mean(0)) * (y - y.mean(0))).mean(0)
    rho = covariance / (y.std(0, correction=0) * p.std(0, correction=0) + 1e-7)
    return 1 - (w * rho).sum()


def test_intensity_weights_are_those_of_the_audit():
    by_hand = np.array([1, 1 / 8, 1 / 4, 1 / 2, 1 / 8, 1 / 8])
    np.testing.assert_allclose(INTENSITY_WEIGHTS, by_hand / (17 / 8), rtol=1e-15)
    printed = [0.470588, 0.058824, 0.117647, 0.235294, 0.058824, 0.058824]
    np.testing.assert_allclose(INTENSITY_WEIGHTS, printed, atol=5e-7)


@pytest.mark.parametrize("weights", [INTENSITY_WEIGHTS, np.full(6, 1 / 6)], ids=["weighted", "mean"])
@pytest.mark.parametrize("n", [2, 392, 512])
def test_pearson_gradients_equal_autograd(weights, n):
    logits, labels = batch(n, seed=n)
    z, y, w = torch.tensor(logits, requires_grad=True), torch.tensor(labels), torch.tensor(weights)
    loss = torch_pearson_loss(z, y, w)
    assert loss.item() == pytest.approx(pearson_loss(logits, labels, weights), abs=1e-12)
    loss.backward()
    gradients = pearson_gradients(z.detach(), y, w)
    assert gradients.dtype == torch.float64
    np.testing.assert_allclose(gradients, z.grad, rtol=0, atol=1e-9)


def test_pearson_gradients_equal_differences_of_the_loss():
    logits, labels = batch(9)
    gradients = pearson_gradients(torch.tensor(logits), torch.tensor(labels), torch.tensor(INTENSITY_WEIGHTS)).numpy()
    step = 1e-6
    for place in np.ndindex(*logits.shape):
        moved = [logits.copy(), logits.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (pearson_loss(z, labels, INTENSITY_WEIGHTS) for z in moved)
        assert gradients[place] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_constant_columns_have_no_gradient():
    logits, labels = batch(20)
    logits[:, 1] = 0.3
    labels[:, 2] = 0.0
    gradients = pearson_gradients(torch.tensor(logits), torch.tensor(labels), torch.tensor(INTENSITY_WEIGHTS))
    assert torch.isfinite(gradients).all()
    assert gradients[:, 2].abs().max() == 0
    assert gradients[:, 0].abs().max() > 0
    alone = pearson_gradients(torch.zeros(1, 6), torch.zeros(1, 6), torch.ones(6))
    assert alone.abs().max() == 0


@pytest.mark.parametrize("balanced", [False, True], ids=["plain", "class weights"])
def test_bce_gradients_of_a_pair_equal_autograd(balanced):
    rng = np.random.default_rng(1)
    z = torch.tensor(rng.normal(0, 3, (392, 1)), requires_grad=True)
    y = torch.tensor((rng.random((392, 1)) < 0.2).astype(np.float64))
    weights = (0.62349, 2.52447) if balanced else (1.0, 1.0)
    by_row = torch.where(y > 0, weights[1], weights[0])
    torch.nn.functional.binary_cross_entropy(torch.sigmoid(z), y, by_row).backward()
    if balanced:
        sides = [torch.tensor([weight], dtype=torch.float64) for weight in weights]
        gradients = balanced_bce_gradients(z.detach(), y, *sides)
    else:
        gradients = bce_gradients(z.detach(), y)
    np.testing.assert_allclose(gradients, z.grad, rtol=0, atol=1e-9)


def test_class_weights_of_bah_are_the_printed_ones():
    """205,926 training frames, 40,786 of them positive."""
    labels = np.repeat([0, 1], [205_926 - 40_786, 40_786])[:, None]
    (negative,), (positive,) = balanced_weights(labels)
    assert (round(negative, 5), round(positive, 5)) == (0.62349, 2.52447)


def test_keras_layers_start_as_glorot_says():
    torch.manual_seed(0)
    layers = make_layers(768, 6, MLP)
    hidden, output = layers.hidden, layers.output
    for layer, limit in ((hidden, np.sqrt(6 / (768 + 64))), (output, np.sqrt(6 / (64 + 6)))):
        assert layer.bias.abs().max() == 0
        assert 0.97 * limit < layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / np.sqrt(3), rel=0.1)


def test_keras_adam_follows_the_equations_of_keras():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3))
    ours, theirs = torch.tensor(start), KerasAdam(start.copy(), learning_rate=1e-3)
    adam = Adam([ours], learning_rate=1e-3, keras=True)
    for step in range(30):
        gradient = rng.normal(size=(5, 3)) * 10.0 ** -(step % 9)  # small ones show where epsilon stands
        adam.step([torch.tensor(gradient)])
        theirs.step(gradient)
        np.testing.assert_allclose(ours, theirs.parameter, rtol=0, atol=1e-12)


def examples(task: Task, n: int = 700, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return features that tell a task's labels, in two videos."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 16)).astype(np.float32)
    if task.is_pair:
        labels = (features[:, 0] + 0.3 * rng.normal(size=n) > 0.8).astype(np.int64)
    else:
        labels = np.clip(features[:, : task.n_outputs] * 0.5, 0, 1).astype(np.float64)
    return [features[:300], features[300:]], [labels[:300], labels[300:]]


@pytest.mark.parametrize("settings", [MLP, LINEAR], ids=["mlp", "linear"])
def test_a_pearson_head_learns_intensities(settings, tmp_path):
    fast = replace(settings, learning_rate=1e-2, batch_size=64, epochs=15)
    features, labels = examples(EMI)
    head = train_head(fast, features, labels, EMI, seed=0)
    scores, truth = head.scores(np.concatenate(features)), np.concatenate(labels)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert min(np.corrcoef(scores[:, k], truth[:, k])[0, 1] for k in range(6)) > 0.7
    head.save(tmp_path)
    loaded = load_head(tmp_path)
    for epoch in (0, 14):
        assert loaded.scores(features[0], epoch).tobytes() == head.scores(features[0], epoch).tobytes()


@pytest.mark.parametrize("loss", ["bce", "balanced-bce"])
def test_a_pair_on_cross_entropy_has_one_output(loss, tmp_path):
    features, labels = examples(AH)
    settings = MlpSettings(loss, 64, 10, 64, 1e-2, standardise=False, keras=True)
    head = train_head(settings, features, labels, AH, seed=0)
    assert isinstance(head, MlpHead)
    assert head.epochs[-1].output.out_features == 1
    scores, truth = head.scores(np.concatenate(features)), np.concatenate(labels)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    assert ((scores[:, 1] >= 0.5) == truth).mean() > 0.85
    assert head.prior.tolist() == [(truth == 0).mean(), (truth == 1).mean()]
    head.save(tmp_path)
    assert load_head(tmp_path).scores(features[0]).tobytes() == head.scores(features[0]).tobytes()


def test_training_of_a_linear_head_follows_the_audit():
    """One epoch of full batches beside NumPy: Glorot start, L2 of 1/512 on weights, Adam as Keras has it."""
    features, labels = examples(EMI, 64)
    settings = replace(LINEAR, epochs=3, batch_size=64, keep="last")
    head = train_head(settings, features, labels, EMI, seed=0)
    torch.manual_seed(0)
    start = make_layers(16, 6, settings).output
    rows, truth = np.concatenate(features).astype(np.float64), np.concatenate(labels)
    weight = KerasAdam(start.weight.detach().numpy().astype(np.float64), learning_rate=1e-3)
    bias = KerasAdam(np.zeros(6), learning_rate=1e-3)
    for _ in range(3):
        w = torch.tensor(weight.parameter, requires_grad=True)
        b = torch.tensor(bias.parameter, requires_grad=True)
        loss = torch_pearson_loss(torch.tensor(rows) @ w.T + b, torch.tensor(truth), torch.full((6,), 1 / 6))
        (loss + w.square().sum() / 512).backward()
        weight.step(w.grad.numpy())
        bias.step(b.grad.numpy())
    np.testing.assert_allclose(head.epochs[-1].output.weight, weight.parameter, atol=1e-6)
    np.testing.assert_allclose(head.epochs[-1].output.bias, bias.parameter, atol=1e-6)


def test_losses_are_offered_where_they_fit():
    assert losses_of(EMI) == ("mse-ccc", "ccc", "pearson", "weighted-pearson")
    assert losses_of(VA) == ("mse-ccc", "ccc")
    assert losses_of(AH) == (
        "weighted-softmax",
        "weighted-cross-entropy",
        "focal",
        "class-balanced-focal",
        "bce",
        "balanced-bce",
    )
    assert losses_of(replace(EMI, targets=EMI.targets[:3]))[2:] == ("pearson",)
    for task, loss in ((VA, "pearson"), (EXPR, "bce"), (EMI, "bce")):
        with pytest.raises(SolutionError, match=f"found {loss}"):
            train_head(MlpSettings(loss), [np.zeros((4, 2))], [np.zeros((4, task.n_outputs))], task, seed=0)
