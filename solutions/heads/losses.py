"""Training losses of the papers and of their authors' code, one function each.

``logits`` and ``predictions`` are float32 ``(n, n_outputs)`` of a batch. Training needs only the gradients of a loss. A
function named ``…_gradients`` returns these, float32 ``(n, n_outputs)``, where they are simpler than the loss, which
stands in the docstring; other functions return the loss, and autograd computes its gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from solutions.heads.head import Array
from solutions.heads.settings import MlpSettings

Gradients = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Function from the last layer's outputs and the labels to the gradients by these outputs, ``(n, n_outputs)``."""
Watch = Callable[[float, int], None]
"""Function that receives the loss of each batch and its number of rows."""
Weights = npt.NDArray[np.float64]

EPSILON = 1e-7
"""Keras' epsilon: it makes the CCC of two constants, and Pearson's coefficient of a constant, 0."""
LARGEST_POSITIVE_WEIGHT = 20.0
"""Cap on the weight of a unit's positives in the loss of abaw10's authors."""
INTENSITY_WEIGHTS = np.array([8, 1, 2, 4, 1, 1]) / 17
"""Weights of the six intensities in the loss of abaw8's authors: 1, 1/8, 1/4, 1/2, 1/8, 1/8 divided by their sum."""


def class_weights(labels: npt.NDArray[np.int64], n_classes: int) -> Weights:
    """Return the weight of each class in the loss, ``max_j N_j / N_c`` (abaw10, eq. 1).

    Args:
        labels: int64 ``(n,)``.
        n_classes: number of classes.

    Returns:
        float64 ``(n_classes,)``: 1 for the most frequent class, 0 for a class without examples.
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    return np.divide(counts.max(), counts, out=np.zeros(n_classes), where=counts > 0)


def effective_weights(labels: npt.NDArray[np.int64], n_classes: int, beta: float) -> Weights:
    """Return weights by effective numbers, ``(1 - beta) / (1 - beta^N_c)``, scaled to a mean of 1 (abaw10's code).

    Args:
        labels: int64 ``(n,)``.
        n_classes: number of classes.
        beta: from 0, where all classes weigh the same, towards 1, where weights become inverse frequencies.

    Returns:
        float64 ``(n_classes,)``; 0 for a class without examples, which the mean leaves out.
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    present = counts > 0
    weights = np.where(present, (1 - beta) / (1 - beta**counts + 1e-12), 0.0)
    return np.asarray(weights / weights.sum() * present.sum())


def positive_weights(labels: Array) -> Weights:
    """Return negatives over positives of each unit, at most 20 (abaw10's code).

    Args:
        labels: 0 or 1, ``(n, n_units)``.
    """
    positive = labels.sum(0, dtype=np.float64)
    negative = len(labels) - positive
    return np.asarray(np.minimum((negative + 1e-6) / (positive + 1e-6), LARGEST_POSITIVE_WEIGHT))


def positive_rates(labels: Array) -> Weights:
    """Return ``w_c^pos`` of abaw10, eq. 6: the share of frames with each unit, float64 ``(n_units,)``.

    Args:
        labels: 0 or 1, ``(n, n_units)``.
    """
    return labels.mean(0, dtype=np.float64)  # type: ignore[no-any-return]


def balanced_weights(labels: Array) -> tuple[Weights, Weights]:
    """Return ``w0 = T / (2 neg)`` and ``w1 = T / (2 pos)``, which balance both sides of a unit (the authors' code).

    Args:
        labels: 0 or 1, ``(T, n_units)``.

    Returns:
        float64 ``(n_units,)`` each; 0 for a side without examples.
    """
    positive = labels.sum(0, dtype=np.float64)
    sides = np.stack([len(labels) - positive, positive])
    negative_weights, positive_weights = np.divide(len(labels) / 2, sides, out=np.zeros(sides.shape), where=sides > 0)
    return negative_weights, positive_weights


def weighted_softmax_gradients(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the gradients of ``mean_n -w_{y_n} log softmax(z_n)_{y_n}`` (abaw10, eq. 1).

    They are ``w_{y_n} (softmax(z_n) - 1_{y_n}) / n``.

    Args:
        logits: float32 ``(n, n_classes)``.
        labels: int64 ``(n,)``.
        weights: float32 ``(n_classes,)``, see :func:`class_weights`.
    """
    truth = labels[:, None]
    gradients = torch.softmax(logits, 1)
    gradients.scatter_add_(1, truth, gradients.new_full((), -1.0).expand(truth.shape))
    return gradients.mul_(weights[truth] / len(labels))


def weighted_cross_entropy_gradients(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the gradients of ``sum_n -w_{y_n} log softmax(z_n)_{y_n} / sum_n w_{y_n}`` (abaw10's code).

    The mean over the batch is weighted, too, as in ``torch.nn.CrossEntropyLoss``.

    Args:
        logits: float32 ``(n, n_classes)``.
        labels: int64 ``(n,)``.
        weights: float32 ``(n_classes,)``, see :func:`class_weights`.
    """
    return weighted_softmax_gradients(logits, labels, weights * (len(labels) / weights[labels].sum()))


def focal(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return the focal loss ``mean_n -w_{y_n} (1 - p_n)^gamma log p_n``, ``p_n = softmax(z_n)_{y_n}``.

    Source: Lin et al. 2017, eq. 5. abaw10, table 1, names this loss without an equation; the weights are those of
    abaw10's eq. 1.

    Args:
        logits: float32 ``(n, n_classes)``.
        labels: int64 ``(n,)``.
        weights: float32 ``(n_classes,)``, see :func:`class_weights` and :func:`effective_weights`.
        gamma: focusing exponent; 0 gives the weighted cross-entropy.
    """
    log_p = functional.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    # keep 1 - p above 0, because a power below 1 has an infinite gradient there
    rest = -torch.expm1(log_p.clamp(max=-EPSILON))
    return (-weights[labels] * rest**gamma * log_p).mean()


def concordance(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the concordance correlation of each column, ``2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2)``.

    Moments are population moments over the batch. The result is 0 if predictions or targets are constant.

    Args:
        predictions: float32 ``(n, n_targets)``.
        targets: float32 ``(n, n_targets)``.

    Returns:
        ``(n_targets,)``
    """
    mean_x, mean_y = predictions.mean(0), targets.mean(0)
    x, y = predictions - mean_x, targets - mean_y
    spread = x.square().mean(0) + y.square().mean(0) + (mean_x - mean_y).square()
    return 2 * (x * y).mean(0) / (spread + EPSILON)


def mse_ccc(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return squared errors minus concordances, ``mean_n sum_t (z_nt - y_nt)^2 - sum_t CCC_t`` (abaw10, eq. 5)."""
    return (predictions - targets).square().mean(0).sum() - concordance(predictions, targets).sum()


def ccc(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return ``1 - mean_t CCC_t`` (the authors' code)."""
    return 1 - concordance(predictions, targets).mean()


def weighted_bce_gradients(logits: torch.Tensor, labels: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Return the gradients of ``mean_n -sum_c (w_c y_nc log s(z_nc) + (1 - y_nc) log(1 - s(z_nc)))``.

    ``s`` is the sigmoid. The loss is abaw10's eq. 6; its gradients are ``(s(z_nc) - y_nc) / n``, times ``w_c`` where
    the unit is present.

    Args:
        logits: float32 ``(n, n_units)``.
        labels: float32 ``(n, n_units)``, 0 or 1.
        positive: float32 ``(n_units,)``, see :func:`positive_rates`.
    """
    return torch.sigmoid(logits).sub_(labels).mul_(torch.where(labels > 0, positive, 1.0)).div_(len(labels))


def balanced_bce_gradients(
    logits: torch.Tensor, labels: torch.Tensor, negative: torch.Tensor, positive: torch.Tensor
) -> torch.Tensor:
    """Return the gradients of ``mean_nc w0_c^(1 - y_nc) w1_c^y_nc BCE(s(z_nc), y_nc)``, ``s`` the sigmoid.

    The loss is that of the authors' code. Its gradients are ``w0_c^(1 - y_nc) w1_c^y_nc (s(z_nc) - y_nc)``, divided by
    the number of units and frames.

    Args:
        logits: float32 ``(n, n_units)``.
        labels: float32 ``(n, n_units)``, 0 or 1.
        negative: float32 ``(n_units,)``, ``w0`` of :func:`balanced_weights`.
        positive: float32 ``(n_units,)``, ``w1`` of :func:`balanced_weights`.
    """
    return torch.sigmoid(logits).sub_(labels).mul_(torch.where(labels > 0, positive, negative)).div_(labels.numel())


def positive_weighted_bce(logits: torch.Tensor, labels: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Return ``mean_nc -(w_c y_nc log s(z_nc) + (1 - y_nc) log(1 - s(z_nc)))``, ``s`` the sigmoid (abaw10's code).

    Args:
        logits: float32 ``(n, n_units)``.
        labels: float32 ``(n, n_units)``, 0 or 1.
        positive: float32 ``(n_units,)``, see :func:`positive_weights`.
    """
    return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=positive)


def pearson_gradients(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the gradients of ``1 - sum_t w_t rho_t`` over the batch, where predictions are the sigmoid of the logits.

    ``rho_t = cov_t / (sigma_y sigma_p + 1e-7)`` with population moments (abaw8's authors' code). A prediction that is
    constant in the batch has a gradient of 0.

    Args:
        logits: float32 ``(n, n_targets)``.
        targets: float32 ``(n, n_targets)``, values in [0, 1].
        weights: float32 ``(n_targets,)``.
    """
    predictions = torch.sigmoid(logits)
    x, y = predictions - predictions.mean(0), targets - targets.mean(0)
    deviation_x, deviation_y = x.square().mean(0).sqrt(), y.square().mean(0).sqrt()
    scale = deviation_x * deviation_y + EPSILON
    # d rho / d p_i = (y_i - cov deviation_y / (deviation_x scale) x_i) / (n scale)
    shrunk = torch.where(deviation_x > 0, (x * y).mean(0) * deviation_y / (deviation_x * scale), 0.0)
    by_prediction = (y - shrunk * x) * (-weights / (scale * len(targets)))
    return by_prediction * predictions * (1 - predictions)


def bce_gradients(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the gradients of ``mean_nc BCE(s(z_nc), y_nc)``, ``s`` the sigmoid.

    They are ``s(z_nc) - y_nc``, divided by the number of labels.

    Args:
        logits: float32 ``(n, n_units)``.
        labels: float32 ``(n, n_units)``, 0 or 1, or values between.
    """
    return torch.sigmoid(logits).sub_(labels).div_(labels.numel())


def gradients_of(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], watch: Watch | None = None) -> Gradients:
    """Return a function that computes the gradients of a loss by autograd.

    Args:
        loss: function from the last layer's outputs and the labels to a number.
        watch: function that receives the loss of each batch.
    """

    def gradients(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            outputs = outputs.requires_grad_(True)
            value = loss(outputs, labels)
            by_output = torch.autograd.grad(value, outputs)[0]
        if watch:
            watch(float(value.detach()), len(labels))
        return by_output

    return gradients


def make_gradients(
    settings: MlpSettings,
    labels: Array,
    n_outputs: int,
    device: str,
    squash: Callable[[torch.Tensor], torch.Tensor] = torch.tanh,
    watch: Watch | None = None,
) -> Gradients:
    """Return a function that computes the gradients of the settings' loss, weighted by all training labels.

    Args:
        settings: the loss and its constants.
        labels: labels of all training rows; for two classes with one output 0 or 1, ``(n, 1)``.
        n_outputs: outputs of the last layer.
        device: torch device of the weights.
        squash: function that brings the last layer's outputs to the task's range of values.
        watch: function that receives the loss of each batch; only for ``positive-weighted-bce``.

    Raises:
        ValueError: ``watch`` is passed for another loss.
    """
    if watch and settings.loss != "positive-weighted-bce":
        raise ValueError(f"a schedule watches positive-weighted-bce alone, got {settings.loss}")

    def on_device(weights: Weights) -> torch.Tensor:
        return torch.tensor(weights, dtype=torch.float32, device=device)

    match settings.loss:
        case "weighted-softmax":
            weights = on_device(class_weights(labels, n_outputs))
            return lambda z, y: weighted_softmax_gradients(z, y, weights)
        case "weighted-cross-entropy":
            weights = on_device(class_weights(labels, n_outputs))
            return lambda z, y: weighted_cross_entropy_gradients(z, y, weights)
        case "focal":
            weights = on_device(class_weights(labels, n_outputs))
            return gradients_of(lambda z, y: focal(z, y, weights, settings.gamma))
        case "class-balanced-focal":
            weights = on_device(effective_weights(labels, n_outputs, settings.beta))
            return gradients_of(lambda z, y: focal(z, y, weights, settings.gamma))
        case "mse-ccc":
            return gradients_of(lambda z, y: mse_ccc(squash(z), y))
        case "ccc":
            return gradients_of(lambda z, y: ccc(squash(z), y))
        case "pearson":
            equal = on_device(np.full(n_outputs, 1 / n_outputs))
            return lambda z, y: pearson_gradients(z, y, equal)
        case "weighted-pearson":
            by_hand = on_device(INTENSITY_WEIGHTS)
            return lambda z, y: pearson_gradients(z, y, by_hand)
        case "weighted-bce":
            positive = on_device(positive_rates(labels))
            return lambda z, y: weighted_bce_gradients(z, y, positive)
        case "balanced-bce":
            negative, positive = map(on_device, balanced_weights(labels))
            return lambda z, y: balanced_bce_gradients(z, y, negative, positive)
        case "positive-weighted-bce":
            positive = on_device(positive_weights(labels))
            return gradients_of(lambda z, y: positive_weighted_bce(z, y, positive), watch)
        case "bce":
            return bce_gradients
