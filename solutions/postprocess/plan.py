"""Plan of the steps between a head's scores and the decisions, as plain data. A value is fixed, or chosen on labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from solutions.columns import Columns
from solutions.described import LATER, described
from solutions.heads.settings import KernelMachine

# Half widths in frames, the simplest first. The papers use 50 on Aff-Wild2's 30 frames per second (EmotiEffLib's
# notebooks); the best one depends on how long an expression lasts in the data, so it is chosen by cross-fitting.
HALF_WIDTHS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500)
WEIGHTS = tuple(k / 10 for k in range(11))
FILTER_THRESHOLDS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
RISING_UNIT_THRESHOLDS = tuple(k / 10 for k in range(1, 10))  # abaw10's authors' code takes the lowest of equals
UNIT_THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)
# steps of .05, beginning at equal shares; for several streams all shares in such steps
FINE_WEIGHTS = tuple(sorted((k / 20 for k in range(21)), key=lambda w: (abs(round(w - 0.5, 9)), w)))
# candidates of abaw8's notebook for AH, on 24 frames per second
AH_HALF_WIDTHS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 150)
AH_THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
PAIR_THRESHOLDS = tuple(sorted((k / 20 for k in range(2, 19)), key=lambda t: (abs(round(t - 0.5, 9)), t)))


@dataclass(frozen=True)
class Choose:
    """A value that is chosen on validation labels, by cross-fitting; the first candidate wins a tie."""

    candidates: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError without candidates."""
        if not self.candidates:
            raise ValueError("nothing to choose from")


@dataclass(frozen=True)
class Smoothing:
    """Mean or median of the scores over ``2 * half_width + 1`` frames, truncated at a video's ends (abaw10, sec. 3.1).

    Attributes:
        half_width: frames on each side, fixed or chosen.
        kind: ``box`` for the mean, as in the papers; ``median``.
        over: ``frames``: all official frames. ``crops``: as abaw10's authors on train and val, scores of frames with a
            crop, interpolated between them, up to the last one (:mod:`solutions.postprocess.crops`); on test the
            authors smooth over all frames, too.
    """

    half_width: int | Choose
    kind: Literal["box", "median"] = "box"
    over: Literal["frames", "crops"] = field(default="frames", metadata=LATER)

    def __post_init__(self) -> None:
        """Raise ValueError for a half width that is negative or fractional."""
        widths = self.half_width.candidates if isinstance(self.half_width, Choose) else (self.half_width,)
        if min(widths) < 0 or any(width != int(width) for width in widths):
            raise ValueError(f"half widths are whole numbers from 0 up, got {widths}")


@dataclass(frozen=True)
class Gla:
    """Generalised logit adjustment (abaw10, section 3.1 and eq. 3): one bias per class, searched on labels.

    Adjusted scores are ``p_c * b_c``. The search starts at the class priors, tries a grid of log-biases for one class
    after the other, and takes a value that raises the F1 score. Each stream is adjusted by itself, before blending.

    Attributes:
        low: lowest log-bias of the grid.
        high: highest log-bias of the grid.
        step: distance between log-biases of the grid.
        start: ``priors`` as the paper says; ``none`` for log-biases of 0; ``inverse`` for the log of the most frequent
            class's prior over each class's prior, as in the authors' code.
        relative: True to add the grid to the class's bias at the beginning of its turn, as in the authors' code.
        passes: largest number of turns of each class; the authors' code has 3.
        scaled: True to divide ``(p_c + 1e-12) b_c`` of each frame by their sum before all other steps, as in the
            authors' code. Smoothing and blending then act on these shares, with different results.
    """

    low: float = -2.0
    high: float = 2.0
    step: float = 0.1
    start: Literal["priors", "none", "inverse"] = "priors"
    relative: bool = field(default=False, metadata=LATER)
    passes: int = field(default=20, metadata=LATER)
    scaled: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        """Raise ValueError for an empty grid."""
        if not (self.low < self.high and self.step > 0):
            raise ValueError(f"not a grid: from {self.low} to {self.high} in steps of {self.step}")

    @property
    def grid(self) -> npt.NDArray[np.float64]:
        """All log-biases that are tried, rising."""
        steps = int((self.high - self.low) / self.step + 1e-9)
        return np.round(self.low + self.step * np.arange(steps + 1), 9)


@dataclass(frozen=True)
class Blend:
    """Weighted mean of the streams' scores (abaw10, eq. 4).

    Attributes:
        weights: fixed: one per stream, summing to 1; for tasks with values a stream may have one per target. Chosen:
            candidates for the first stream's share of two; for more streams, all shares in steps.
        by_target: True to choose weights per target, each by the target's own score; only for tasks with values.
        steps: number of steps from 0 to 1 for the shares of three streams and more.
        standardised: True to bring streams to mean 0 and deviation 1 over the training split first, so that a weight
            means the same for every stream. The blend is then ``middle + z / 16`` of the task's range, far from its
            ends: correlations don't depend on the scale, and clipping would tie values.
        logs: True for the mean of the scores' logarithms, as in the authors' code for classes without smoothing.
    """

    weights: tuple[float | tuple[float, ...], ...] | Choose
    by_target: bool = field(default=False, metadata=LATER)
    steps: int = field(default=10, metadata=LATER)
    standardised: bool = field(default=False, metadata=LATER)
    logs: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        """Raise ValueError unless fixed weights sum to 1 and match across streams."""
        if isinstance(self.weights, Choose):
            return
        # if one stream has a weight per target, all others need them too; zip would hide a missing one
        rows = [weight if isinstance(weight, tuple) else (weight,) for weight in self.weights]
        if len({len(row) for row in rows}) > 1:
            raise ValueError(f"all streams need weights for the same targets, got {self.weights}")
        if any(abs(sum(column) - 1) > 1e-9 for column in zip(*rows, strict=True)):
            raise ValueError(f"weights must sum to 1, got {self.weights}")


@dataclass(frozen=True)
class ConfidenceFilter:
    """Override of the decision by a pretrained classifier where it is sure (abaw10, eq. 2; abaw8, section 3.1).

    The classifier's probabilities are smoothed as the scores are. A threshold of 1 switches the filter off.

    Attributes:
        classifier: encoder whose logits are AffectNet's eight expressions.
        threshold: ``p0`` of abaw10, ``t`` of abaw8; fixed or chosen.
        contempt: treatment of Contempt, an AffectNet class that Aff-Wild2 lacks. ``wins`` as abaw10 says: the filter
            does not act on frames where Contempt is the most probable class. ``ignored`` as in the authors' code: the
            most probable of the other seven counts. For thresholds from 0.5 up both are the same.
    """

    classifier: str
    threshold: float | Choose
    contempt: Literal["wins", "ignored"] = "wins"


@dataclass(frozen=True)
class VideoFilter:
    """Classifier of whole videos: if it decides for absent, every frame's probability becomes 0 (abaw8, section 3.3).

    The filter acts after smoothing and is fitted on labels of the training videos alone. The paper calls it logistic
    regression; the authors' code has a support vector machine.

    Attributes:
        columns: features of a video, reduced over time: the classifier's input.
        head: settings of the classifier; those of the authors' code by default.
    """

    columns: Columns
    head: KernelMachine = field(default_factory=KernelMachine)


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of probabilities: an action unit, or the second of two classes, is present from its threshold up.

    Source: abaw10, sections 3.2 and 3.3.

    Attributes:
        values: for action units one number for all, or a tuple with one per unit; or chosen for each unit by its F1
            score, from candidates or (``exact``) from all values that occur. For two classes a number, or chosen from
            candidates by the task's score.
        raw: True to blend, smooth and compare outputs before the sigmoid. Chosen thresholds are then the best for
            probabilities of single frames, blended with the same weights, and are carried over unchanged, as in
            abaw10's authors' code: 0.5 there means a probability of .6225.
    """

    values: float | tuple[float, ...] | Choose | Literal["exact"] = 0.5
    raw: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class PostProcess:
    """Steps from scores to decisions, in this order: adjust, blend, fill gaps, smooth, filter, decide.

    All but the last two are linear in the scores, so that smoothing may precede or follow adjusting and blending. The
    exceptions are scaled adjustment and means of logarithms.
    """

    gla: Gla | None = None
    blend: Blend | None = None
    smoothing: Smoothing | None = None
    filter: ConfidenceFilter | None = None
    thresholds: Thresholds | None = None
    video_filter: VideoFilter | None = field(default=None, metadata=LATER)

    @property
    def raw(self) -> bool:
        """True where decisions are made on outputs before the sigmoid."""
        return self.thresholds is not None and self.thresholds.raw

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the fields of :class:`Constants` that are chosen on labels."""
        values = {
            "log_biases": self.gla and "searched",
            "weights": self.blend and self.blend.weights,
            "half_width": self.smoothing and self.smoothing.half_width,
            "filter_threshold": self.filter and self.filter.threshold,
            "thresholds": self.thresholds and self.thresholds.values,
        }
        return tuple(name for name, value in values.items() if isinstance(value, Choose | str))

    @property
    def chooses(self) -> bool:
        """True if any constant is chosen on labels."""
        return bool(self.chosen)

    def describe(self) -> dict[str, Any]:
        """Return plain data; steps that the plan lacks are left out."""
        return {name: value for name, value in described(self).items() if value is not None}

    def words(self) -> str:
        """Return a short text for lists of solutions."""
        parts = ["gaps filled"]
        if self.gla:
            parts.append("GLA")
        if self.blend:
            weights = self.blend.weights
            if self.blend.by_target or (not isinstance(weights, Choose) and isinstance(weights[0], tuple)):
                parts.append("blended by target")
            elif isinstance(weights, Choose):
                parts.append("blended")
            else:
                parts.append("blended " + "/".join(f"{weight:g}" for weight in weights))
        if self.smoothing:
            width = self.smoothing.half_width
            kind = "smoothed" if self.smoothing.kind == "box" else "median"
            parts.append(f"{kind}, " + ("window chosen" if isinstance(width, Choose) else f"half width {width}"))
        if self.filter:
            level = self.filter.threshold
            parts.append("filtered, " + ("threshold chosen" if isinstance(level, Choose) else f"threshold {level:g}"))
        if self.video_filter:
            parts.append("videos filtered")
        if self.thresholds:
            values = self.thresholds.values
            words = {float: f"threshold {values}", tuple: "thresholds given"}.get(type(values), "best thresholds")
            parts.append(words + (" on raw outputs" if self.thresholds.raw else ""))
        return ", ".join(parts)


@dataclass(frozen=True)
class Constants:
    """All values that post-processing needs, fixed by the plan or chosen.

    Attributes:
        epochs: index of the epoch of each stream's head.
        log_biases: log-biases of each stream, ``None`` without GLA.
        weights: weight of each stream, summing to 1; where weights differ by target, a tuple with one per target.
        half_width: frames on each side of the smoothing window; 0 for no smoothing.
        filter_threshold: threshold of the confidence filter, ``None`` without a filter.
        thresholds: one per action unit; one for two classes; ``None`` for tasks and plans without thresholds.
    """

    epochs: tuple[int, ...]
    log_biases: tuple[tuple[float, ...] | None, ...]
    weights: tuple[float | tuple[float, ...], ...]
    half_width: int = 0
    filter_threshold: float | None = None
    thresholds: tuple[float, ...] | None = None

    def describe(self) -> Mapping[str, Any]:
        """Return plain data for ``run.json``."""
        return asdict(self)
