"""Kinds of heads and how they are trained, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from harness.tasks import EMI, Task
from solutions.described import LATER, described

Loss = Literal[
    "weighted-softmax", "weighted-cross-entropy", "focal", "class-balanced-focal", "mse-ccc", "ccc", "weighted-bce",
    "balanced-bce", "positive-weighted-bce", "pearson", "weighted-pearson", "bce",
]  # fmt: skip
Keep = Literal["last", "best"]
Select = Literal["score", "pieces", "positive-f1", "accuracy", "loss"]

LOSSES: dict[str, tuple[Loss, ...]] = {
    "classes": ("weighted-softmax", "weighted-cross-entropy", "focal", "class-balanced-focal"),
    "values": ("mse-ccc", "ccc"),
    "binaries": ("weighted-bce", "balanced-bce", "positive-weighted-bce", "bce"),
}
"""Losses by a task's kind."""
PAIR_LOSSES: tuple[Loss, ...] = ("bce", "balanced-bce")
"""Losses of two classes that have one output, the probability of the second class."""
SHARE_LOSSES: tuple[Loss, ...] = ("pearson", "weighted-pearson")
"""Losses of values in [0, 1]; the second one for the six intensities alone."""


def losses_of(task: Task) -> tuple[Loss, ...]:
    """Return the losses that a head of a task may be trained on."""
    losses = LOSSES.get(task.kind, ())
    if task.kind == "values" and task.low == 0:
        losses += SHARE_LOSSES if task.n_outputs == len(EMI.targets) else SHARE_LOSSES[:1]
    return losses + (PAIR_LOSSES if task.is_pair else ())


@dataclass(frozen=True)
class MlpSettings:
    """A perceptron on frozen features.

    Outputs: softmax for classes, tanh for values in [-1, 1], sigmoid for values in [0, 1] and binaries. Two classes on
    a binary loss have one sigmoid output, the probability of the second class.

    Attributes:
        loss: ``weighted-softmax`` (abaw10, eq. 1), ``focal`` (the same with ``(1 - p)^gamma``); ``mse-ccc`` (abaw10,
            eq. 5), ``ccc`` (``1 - mean CCC``, the authors' code); ``weighted-bce`` (abaw10, eq. 6), ``balanced-bce``
            (both classes weighted, the authors' code), ``bce`` (plain cross-entropy); ``pearson`` (``1 - mean Pearson``
            over the batch), ``weighted-pearson`` (the six intensities weighted by hand, abaw8's authors' code).
            Of abaw10's authors' code: ``weighted-cross-entropy`` (weights of eq. 1, the batch's mean weighted too),
            ``class-balanced-focal`` (weights by effective numbers of examples), ``positive-weighted-bce`` (positives
            weigh negatives / positives, at most 20).
        hidden: units of the one hidden layer, with ReLU (abaw8, section 3.1: 128); 0 for none (abaw10, section 3.2, for
            valence and arousal).
        epochs, batch_size, learning_rate: Adam. 256 and 1e-3 are those of the authors' code for expressions.
        weight_decay, dropout: regularisation; the authors use none.
        l2: penalty on squared weights, biases left out, as Keras adds it to the loss.
        gamma: of the focal loss.
        standardise: features to zero mean and unit variance; the authors don't.
        keep: ``last`` epoch's weights; ``best``, the epoch that is best on labels: chosen by cross-fitting over the
            validation videos, as any other constant.
        select: number by which the best epoch is chosen: the task's ``score``; ``pieces``, the mean of that score over
            unshuffled pieces of 512 rows, as Keras averages its batches; ``positive-f1``, F1 of the second class at .5;
            ``accuracy`` of classes; ``loss``, the lowest ``balanced-bce`` of units.
        keras: Glorot's uniform weights, biases of zero, and epsilon 1e-7 where Keras 2.13 adds it, instead of torch's
            defaults.
        beta: of the effective numbers in ``class-balanced-focal``.
        per_class: rows of each class in a batch, drawn without replacement; ``batch_size`` is then their sum over the
            classes. 0 for batches in which each row is seen once per epoch.
        batch_norm: normalise the hidden layer over the batch, before ReLU.
        plateau: epochs without a lower training loss after which the learning rate is halved; 0 for one rate.
        patience: the best epoch is chosen among those before so many in a row that improve its number by 1e-4 or
            less; 0 for all epochs.
        raw: binaries' scores are the network's outputs before the sigmoid.
    """

    kind: ClassVar = "mlp"
    loss: Loss = "weighted-softmax"
    hidden: int = 128
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.0
    l2: float = 0.0
    gamma: float = 2.0
    standardise: bool = True
    keep: Keep = "last"
    select: Select = field(default="score", metadata=LATER)
    keras: bool = field(default=False, metadata=LATER)
    beta: float = field(default=0.99, metadata=LATER)
    per_class: int = field(default=0, metadata=LATER)
    batch_norm: bool = field(default=False, metadata=LATER)
    plateau: int = field(default=0, metadata=LATER)
    patience: int = field(default=0, metadata=LATER)
    raw: bool = field(default=False, metadata=LATER)

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        kind = f"mlp-{self.hidden}" if self.hidden else "linear"
        return kind + {"focal": " focal", "class-balanced-focal": " focal", "mse-ccc": " MSE-CCC"}.get(self.loss, "")


@dataclass(frozen=True)
class Pretrained:
    """No training: the encoder's own logits, as the task's classes or as valence and arousal."""

    kind: ClassVar = "pretrained"
    words: ClassVar = "pretrained"
    keep: Keep = "last"


@dataclass(frozen=True)
class BoostedTrees:
    """Gradient boosting on binned features, one model an output (scikit-learn's HistGradientBoosting).

    Attributes:
        max_rows: training rows drawn at random if there are more.
    """

    kind: ClassVar = "boosted-trees"
    words: ClassVar = "boosted trees"
    iterations: int = 100
    learning_rate: float = 0.1
    max_rows: int = 200_000
    keep: Keep = "last"


@dataclass(frozen=True)
class AutoMl:
    """LightAutoML's tabular preset (abaw8, section 4.2; 600 seconds in the authors' code); extra ``lightautoml``."""

    kind: ClassVar = "lightautoml"
    words: ClassVar = "LightAutoML"
    seconds: int = 600
    keep: Keep = "last"


@dataclass(frozen=True)
class KernelMachine:
    """Support vector machine for two classes (scikit-learn's SVC); the sigmoid of its margin serves as probability.

    Attributes:
        kernel: ``rbf``, with gamma 1 / (columns x variance) as scikit-learn's "scale"; ``linear``.
        c: inverse strength of regularisation.
        balanced: both classes weigh the same.
        scale: ``none``: rows as they come; ``unit``: rows of length 1; ``standard``: columns of mean 0 and deviation 1.
    """

    kind: ClassVar = "kernel-machine"
    kernel: Literal["rbf", "linear"] = "rbf"
    c: float = 1.1
    balanced: bool = True
    scale: Literal["none", "unit", "standard"] = "none"
    keep: Keep = "last"

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        return "SVM" if self.kernel == "rbf" else "linear SVM"


@dataclass(frozen=True)
class LinearModel:
    """Linear model solved to its optimum, so that no seed matters: ridge regression or logistic regression.

    Ridge regression for values, whose outputs may leave the official range; logistic regression for two classes.

    Attributes:
        l2: penalty on squared weights: ridge's alpha; for logistic regression the inverse of scikit-learn's C.
        balanced: both classes weigh the same; for two classes alone.
        scale: as in :class:`KernelMachine`.
    """

    kind: ClassVar = "linear-model"
    words: ClassVar = "linear model"
    l2: float = 1.0
    balanced: bool = False
    scale: Literal["none", "unit", "standard"] = "standard"
    keep: Keep = "last"


HeadSettings = MlpSettings | Pretrained | BoostedTrees | AutoMl | KernelMachine | LinearModel


def describe_head(settings: HeadSettings) -> dict[str, Any]:
    """Plain data."""
    return {"kind": settings.kind, **described(settings)}
