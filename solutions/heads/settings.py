"""Kinds of heads and the settings of their training, as plain data."""

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
"""Losses by kind of task."""
PAIR_LOSSES: tuple[Loss, ...] = ("bce", "balanced-bce")
"""Losses of two classes that have one output, the probability of the second class."""
SHARE_LOSSES: tuple[Loss, ...] = ("pearson", "weighted-pearson")
"""Losses of values in [0, 1]; the second one is only for EMI's six intensities."""


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
            From abaw10's authors' code: ``weighted-cross-entropy`` (weights of eq. 1, with a weighted mean over the
            batch), ``class-balanced-focal`` (weights by effective numbers of examples), ``positive-weighted-bce``
            (positives weigh negatives / positives, at most 20).
        hidden: units of the single hidden layer, with ReLU (abaw8, section 3.1: 128); 0 for a linear model (abaw10,
            section 3.2, for valence and arousal).
        epochs: passes over the training rows.
        batch_size: rows per batch; 256 is that of the authors' code for expressions.
        learning_rate: Adam's step size; 1e-3 is that of the authors' code for expressions.
        weight_decay: factor of the parameter that Adam adds to its gradient; the authors use 0.
        dropout: share of hidden units that are dropped in training; the authors use 0.
        l2: penalty on squared weights, without biases, as Keras adds it to the loss.
        gamma: exponent of the focal loss.
        standardise: True to bring features to zero mean and unit variance; the authors leave features as they are.
        keep: ``last`` for the last epoch's weights; ``best`` for those of the epoch that is best on labels, chosen by
            cross-fitting over the validation videos, as any other constant.
        select: number by which the best epoch is chosen: the task's ``score``; ``pieces``, the mean of that score over
            unshuffled pieces of 512 rows, as Keras averages its batches; ``positive-f1``, F1 of the second class at .5;
            ``accuracy`` of classes; ``loss``, the lowest ``balanced-bce`` of units.
        keras: True for Glorot's uniform weights, biases of zero, and epsilon 1e-7 at the place where Keras 2.13 adds
            it; False for torch's defaults.
        beta: parameter of the effective numbers in ``class-balanced-focal``.
        per_class: rows of each class in a batch, drawn without replacement; the batch size is then their sum over the
            classes. 0 for batches in which each row occurs once per epoch.
        batch_norm: True to normalise the hidden layer over the batch, before ReLU.
        plateau: epochs without a lower training loss after which the learning rate is halved; 0 for a constant rate.
        patience: number of epochs in a row that improve the selected number by at most 1e-4, after which later epochs
            are ignored; 0 to choose among all epochs.
        raw: True if scores of binaries are the network's outputs before the sigmoid.
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
        """Short name for lists."""
        kind = f"mlp-{self.hidden}" if self.hidden else "linear"
        return kind + {"focal": " focal", "class-balanced-focal": " focal", "mse-ccc": " MSE-CCC"}.get(self.loss, "")


@dataclass(frozen=True)
class Pretrained:
    """Head without training: the encoder's logits, as the task's classes or as valence and arousal."""

    kind: ClassVar = "pretrained"
    words: ClassVar = "pretrained"
    keep: Keep = "last"


@dataclass(frozen=True)
class BoostedTrees:
    """Gradient boosting on binned features, one model per output (scikit-learn's HistGradientBoosting).

    Attributes:
        iterations: rounds of boosting.
        learning_rate: shrinkage of each round.
        max_rows: largest number of training rows; if there are more, this many are drawn at random.
        keep: ``last``: there are no epochs to choose from.
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
        balanced: True to give both classes the same total weight.
        scale: ``none``: rows as they are; ``unit``: rows of length 1; ``standard``: columns of mean 0 and deviation 1.
        keep: ``last``: there are no epochs to choose from.
    """

    kind: ClassVar = "kernel-machine"
    kernel: Literal["rbf", "linear"] = "rbf"
    c: float = 1.1
    balanced: bool = True
    scale: Literal["none", "unit", "standard"] = "none"
    keep: Keep = "last"

    @property
    def words(self) -> str:
        """Short name for lists."""
        return "SVM" if self.kernel == "rbf" else "linear SVM"


@dataclass(frozen=True)
class LinearModel:
    """Linear model solved to its optimum, so that it is the same for every seed.

    For values it is ridge regression, whose outputs may leave the official range; for two classes logistic regression.

    Attributes:
        l2: penalty on squared weights: ridge's alpha; for logistic regression the inverse of scikit-learn's C.
        balanced: True to give both classes the same total weight; only for two classes.
        scale: scaling of features, as in :class:`KernelMachine`.
        keep: ``last``: there are no epochs to choose from.
    """

    kind: ClassVar = "linear-model"
    words: ClassVar = "linear model"
    l2: float = 1.0
    balanced: bool = False
    scale: Literal["none", "unit", "standard"] = "standard"
    keep: Keep = "last"


HeadSettings = MlpSettings | Pretrained | BoostedTrees | AutoMl | KernelMachine | LinearModel


def describe_head(settings: HeadSettings) -> dict[str, Any]:
    """Return the settings of a head as plain data, with its kind."""
    return {"kind": settings.kind, **described(settings)}
