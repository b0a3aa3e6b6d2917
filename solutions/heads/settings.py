"""Kinds of heads and how they are trained, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Loss = Literal["weighted-softmax", "focal", "mse-ccc", "ccc", "weighted-bce", "balanced-bce"]
Keep = Literal["last", "best"]

LOSSES: dict[str, tuple[Loss, ...]] = {
    "classes": ("weighted-softmax", "focal"),
    "values": ("mse-ccc", "ccc"),
    "binaries": ("weighted-bce", "balanced-bce"),
}
"""Losses by a task's kind."""


@dataclass(frozen=True)
class MlpSettings:
    """A perceptron on frozen features. Outputs: softmax for classes, tanh for values, sigmoid for binaries.

    Attributes:
        loss: ``weighted-softmax`` (abaw10, eq. 1), ``focal`` (the same with ``(1 - p)^gamma``); ``mse-ccc`` (abaw10,
            eq. 5), ``ccc`` (``1 - mean CCC``, the authors' code); ``weighted-bce`` (abaw10, eq. 6), ``balanced-bce``
            (both classes weighted, the authors' code).
        hidden: units of the one hidden layer, with ReLU (abaw8, section 3.1: 128); 0 for none (abaw10, section 3.2, for
            valence and arousal).
        epochs, batch_size, learning_rate: Adam. 256 and 1e-3 are those of the authors' code for expressions.
        weight_decay, dropout: regularisation; the authors use none.
        l2: penalty on squared weights, biases left out, as Keras adds it to the loss.
        gamma: of the focal loss.
        standardise: features to zero mean and unit variance; the authors don't.
        keep: ``last`` epoch's weights; ``best``, the epoch that is best on labels: chosen by cross-fitting over the
            validation videos, as any other constant.
    """

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

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        kind = f"mlp-{self.hidden}" if self.hidden else "linear"
        return kind + {"focal": " focal", "mse-ccc": " MSE-CCC"}.get(self.loss, "")


@dataclass(frozen=True)
class Pretrained:
    """No training: the encoder's own logits, as the task's classes or as valence and arousal."""

    keep: Keep = "last"

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        return "pretrained"


@dataclass(frozen=True)
class BoostedTrees:
    """Gradient boosting on binned features, one model an output (scikit-learn's HistGradientBoosting).

    Attributes:
        max_rows: training rows drawn at random if there are more.
    """

    iterations: int = 100
    learning_rate: float = 0.1
    max_rows: int = 200_000
    keep: Keep = "last"

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        return "boosted trees"


@dataclass(frozen=True)
class AutoMl:
    """LightAutoML's tabular preset (abaw8, section 4.2; 600 seconds in the authors' code); extra ``lightautoml``."""

    seconds: int = 600
    keep: Keep = "last"

    @property
    def words(self) -> str:
        """In a word or two, for lists."""
        return "LightAutoML"


HeadSettings = MlpSettings | Pretrained | BoostedTrees | AutoMl


def describe_head(settings: HeadSettings) -> dict[str, Any]:
    """Plain data."""
    kinds = {MlpSettings: "mlp", Pretrained: "pretrained", BoostedTrees: "boosted-trees", AutoMl: "lightautoml"}
    return {"kind": kinds[type(settings)], **asdict(settings)}
