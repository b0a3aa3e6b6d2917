"""Each loss, or its gradients, beside its equation, written out frame by frame; no NaN at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from solutions.heads import losses
from solutions.heads.losses import balanced_weights, class_weights, gradients_of, make_gradients, positive_rates
from solutions.heads.settings import LOSSES, MlpSettings

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (7, 4))
CLASSES = np.array([0, 1, 1, 3, 0, 3, 1])
WEIGHTS = np.array([1.0, 2.5, 0.0, 4.0])
PREDICTIONS = np.tanh(RNG.normal(size=(9, 2)))
VALUES = RNG.uniform(-1, 1, (9, 2))
UNITS = (RNG.random((7, 4)) < 0.4).astype(np.float64)


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def softmax(row):
    return [math.exp(z) / sum(math.exp(other) for other in row) for z in row]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def concordance(x, y):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / len(x)
    spread = sum((a - mean_x) ** 2 for a in x) / len(x) + sum((b - mean_y) ** 2 for b in y) / len(y)
    return 2 * covariance / (spread + (mean_x - mean_y) ** 2)


def test_class_weights_follow_equation_1():
    labels = np.repeat([0, 1, 2, 3], [600, 300, 40, 1])
    counts = [600, 300, 40, 1]
    assert class_weights(labels, 4).tolist() == [max(counts) / n for n in counts]


def test_class_weights_equal_those_that_the_authors_print():
    counts = [177198, 16573, 10771, 9080, 95463, 78751, 31615, 165866]
    printed = [1.0, 10.692, 16.451, 19.515, 1.856, 2.250, 5.605, 1.068]
    np.testing.assert_allclose(class_weights(np.repeat(np.arange(8), counts), 8), printed, atol=5e-4)


def test_the_most_frequent_class_weighs_1_wherever_it_stands():
    assert class_weights(np.array([2, 2, 2, 0, 1, 1]), 3).tolist() == [3.0, 1.5, 1.0]


def test_a_class_without_examples_weighs_nothing():
    assert class_weights(np.array([0, 0, 2]), 4).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_positive_rates_are_frames_with_the_unit_relative_to_all():
    assert positive_rates(np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 1]])).tolist() == [0.25, 0.25, 1.0]


def test_balanced_weights_give_both_sides_the_same_sum():
    labels = np.repeat([[1, 0], [0, 0], [0, 1]], [10, 60, 30], axis=0)
    negative, positive = balanced_weights(labels)
    np.testing.assert_allclose(negative, [100 / 180, 100 / 140])
    np.testing.assert_allclose(positive, [100 / 20, 100 / 60])


def test_a_unit_that_never_or_always_occurs_has_one_side_only():
    negative, positive = balanced_weights(np.array([[0, 1], [0, 1]]))
    assert negative.tolist() == [0.5, 0.0]
    assert positive.tolist() == [0.0, 0.5]


def differences(loss, outputs, step=1e-6):
    """Gradients of a loss written in plain Python, by central differences."""
    found = np.empty(outputs.shape)
    for place in np.ndindex(outputs.shape):
        above, below = outputs.copy(), outputs.copy()
        above[place] += step
        below[place] -= step
        found[place] = (loss(above) - loss(below)) / (2 * step)
    return found


def test_weighted_softmax():
    def loss(logits):
        return sum(-WEIGHTS[y] * math.log(softmax(row)[y]) for row, y in zip(logits, CLASSES, strict=True)) / 7

    found = losses.weighted_softmax_gradients(tensor(LOGITS), torch.from_numpy(CLASSES), tensor(WEIGHTS))
    np.testing.assert_allclose(found, differences(loss, LOGITS), atol=1e-8)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal(gamma):
    p = [softmax(row)[y] for row, y in zip(LOGITS, CLASSES, strict=True)]
    expected = [-WEIGHTS[y] * (1 - q) ** gamma * math.log(q) for y, q in zip(CLASSES, p, strict=True)]
    found = losses.focal(tensor(LOGITS), torch.from_numpy(CLASSES), tensor(WEIGHTS), gamma)
    assert found.item() == pytest.approx(sum(expected) / 7)


def test_mse_ccc():
    squared = [sum((z - y) ** 2 for z, y in zip(*rows, strict=True)) for rows in zip(PREDICTIONS, VALUES, strict=True)]
    ccc = [concordance(PREDICTIONS[:, k], VALUES[:, k]) for k in range(2)]
    found = losses.mse_ccc(tensor(PREDICTIONS), tensor(VALUES))
    assert found.item() == pytest.approx(sum(squared) / 9 - sum(ccc), abs=1e-6)


def test_ccc():
    expected = 1 - (concordance(PREDICTIONS[:, 0], VALUES[:, 0]) + concordance(PREDICTIONS[:, 1], VALUES[:, 1])) / 2
    assert losses.ccc(tensor(PREDICTIONS), tensor(VALUES)).item() == pytest.approx(expected, abs=1e-6)


def test_ccc_is_0_at_agreement_and_2_at_the_opposite():
    centred = tensor(VALUES - VALUES.mean(0))
    assert losses.ccc(centred, centred).item() == pytest.approx(0, abs=1e-6)
    assert losses.ccc(-centred, centred).item() == pytest.approx(2, abs=1e-6)


def test_weighted_bce():
    positive = [0.1, 0.9, 0.5, 0.0]

    def loss(logits):
        total = 0.0
        for row, truth in zip(logits, UNITS, strict=True):
            for z, y, weight in zip(row, truth, positive, strict=True):
                total -= weight * y * math.log(sigmoid(z)) + (1 - y) * math.log(1 - sigmoid(z))
        return total / 7

    found = losses.weighted_bce_gradients(tensor(LOGITS), tensor(UNITS), tensor(positive))
    np.testing.assert_allclose(found, differences(loss, LOGITS), atol=1e-8)


def test_balanced_bce():
    negative, positive = [0.5, 0.6, 2.0, 1.0], [4.0, 3.0, 0.7, 1.0]

    def loss(logits):
        total = 0.0
        for row, truth in zip(logits, UNITS, strict=True):
            for z, y, w0, w1 in zip(row, truth, negative, positive, strict=True):
                total -= w0 ** (1 - y) * w1**y * (y * math.log(sigmoid(z)) + (1 - y) * math.log(1 - sigmoid(z)))
        return total / 28

    found = losses.balanced_bce_gradients(tensor(LOGITS), tensor(UNITS), tensor(negative), tensor(positive))
    np.testing.assert_allclose(found, differences(loss, LOGITS), atol=1e-8)


CASES = [
    *((loss, torch.from_numpy(CLASSES), CLASSES, LOGITS) for loss in LOSSES["classes"]),
    *((loss, tensor(VALUES), VALUES, PREDICTIONS) for loss in LOSSES["values"]),
    *((loss, tensor(UNITS), UNITS, LOGITS) for loss in LOSSES["binaries"]),
]


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (lambda z, y: losses.focal(z, y, tensor(WEIGHTS), 2.0), LOGITS, torch.from_numpy(CLASSES)),
        (losses.mse_ccc, PREDICTIONS, tensor(VALUES)),
        (losses.ccc, PREDICTIONS, tensor(VALUES)),
    ],
)
def test_gradients_by_autograd_are_those_of_small_differences(loss, outputs, targets):
    expected = differences(lambda z: loss(tensor(z), targets).item(), outputs)
    np.testing.assert_allclose(gradients_of(loss)(tensor(outputs), targets), expected, atol=1e-8)


@pytest.mark.parametrize(("name", "targets", "labels", "outputs"), CASES)
def test_extreme_outputs_have_finite_gradients(name, targets, labels, outputs):
    gradients = make_gradients(MlpSettings(loss=name, gamma=0.5), labels, outputs.shape[1], "cpu")
    targets = targets if name in LOSSES["classes"] else targets.float()
    for z in (torch.tensor(1e3 * outputs).float(), torch.zeros(outputs.shape), torch.full(outputs.shape, 1e4)):
        found = gradients(z, targets)
        assert found.shape == outputs.shape
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("loss", [losses.ccc, losses.mse_ccc])
@pytest.mark.parametrize("n", [1, 5])
def test_two_constants_have_a_concordance_of_0(loss, n):
    x = torch.full((n, 2), 0.3, requires_grad=True)
    value = loss(x, torch.full((n, 2), 0.3))
    value.backward()
    assert value.item() == (1 if loss is losses.ccc else 0)
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", LOSSES["values"])
def test_values_are_squashed_before_they_are_compared(name):
    loss = {"ccc": losses.ccc, "mse-ccc": losses.mse_ccc}[name]
    expected = differences(lambda z: loss(torch.tanh(tensor(z)), tensor(VALUES)).item(), PREDICTIONS)
    found = make_gradients(MlpSettings(loss=name), VALUES, 2, "cpu")(tensor(PREDICTIONS), tensor(VALUES))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_weights_are_those_of_the_labels():
    by_class = make_gradients(MlpSettings(), CLASSES, 4, "cpu")(tensor(LOGITS).float(), torch.from_numpy(CLASSES))
    weights = tensor(class_weights(CLASSES, 4))
    np.testing.assert_allclose(
        by_class, losses.weighted_softmax_gradients(tensor(LOGITS), torch.from_numpy(CLASSES), weights), atol=1e-6
    )
    for name, function, sides in (
        ("weighted-bce", losses.weighted_bce_gradients, [positive_rates(UNITS)]),
        ("balanced-bce", losses.balanced_bce_gradients, balanced_weights(UNITS)),
    ):
        by_unit = make_gradients(MlpSettings(loss=name), UNITS, 4, "cpu")(tensor(LOGITS).float(), tensor(UNITS).float())
        expected = function(tensor(LOGITS), tensor(UNITS), *map(tensor, sides))
        np.testing.assert_allclose(by_unit, expected, atol=1e-6)
