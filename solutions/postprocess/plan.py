"""What may happen between a head's scores and the decisions, as plain data. A value is given, or chosen on labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from solutions.columns import Columns
from solutions.described import LATER, described
from solutions.heads.settings import KernelMachine

# Half widths in frames, the simplest first. The papers use 50 on Aff-Wild2's 30 frames a second (EmotiEffLib's
# notebooks); what fits depends on how long an expression lasts in the data, so it is chosen, by cross-fitting.
HALF_WIDTHS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500)
WEIGHTS = tuple(k / 10 for k in range(11))
FILTER_THRESHOLDS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
RISING_UNIT_THRESHOLDS = tuple(k / 10 for k in range(1, 10))  # of equals abaw10's authors' code takes the lowest
UNIT_THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)
# Steps of .05 from equal shares on; for several streams all shares in such steps.
FINE_WEIGHTS = tuple(sorted((k / 20 for k in range(21)), key=lambda w: (abs(round(w - 0.5, 9)), w)))
# Those of abaw8's notebook for AH, on 24 frames per second.
AH_HALF_WIDTHS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 150)
AH_THRESHOLDS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
PAIR_THRESHOLDS = tuple(sorted((k / 20 for k in range(2, 19)), key=lambda t: (abs(round(t - 0.5, 9)), t)))


@dataclass(frozen=True)
class Choose:
    """A value that is chosen on validation labels, by cross-fitting; the first candidate wins a tie."""

    candidates: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("nothing to choose from")


@dataclass(frozen=True)
class Smoothing:
    """Mean or median of the scores over ``2 * half_width + 1`` frames, truncated at a video's ends (abaw10, sec. 3.1).

    Attributes:
        half_width: frames on each side, given or chosen.
        kind: ``box`` for the mean, as the papers; ``median``.
        over: ``frames``, all official ones. ``crops``, as abaw10's authors on train and val: scores of frames with a
            crop, interpolated between them, up to the last one (:mod:`solutions.postprocess.crops`); on test they
            smooth over all frames, too.
    """

    half_width: int | Choose
    kind: Literal["box", "median"] = "box"
    over: Literal["frames", "crops"] = field(default="frames", metadata=LATER)

    def __post_init__(self) -> None:
        widths = self.half_width.candidates if isinstance(self.half_width, Choose) else (self.half_width,)
        if min(widths) < 0 or any(width != int(width) for width in widths):
            raise ValueError(f"half widths are whole numbers from 0 up, got {widths}")


@dataclass(frozen=True)
class Gla:
    """Generalised logit adjustment (abaw10, section 3.1 and eq. 3): a bias a class, searched on labels.

    ``p_c * b_c``, ``b`` starting at the class priors, coordinate by coordinate over a grid in log scale, keeping what
    raises the F1 score. Streams are adjusted each by itself, before they are blended.

    Attributes:
        low, high, step: the grid of log-biases.
        start: ``priors`` as the paper says, ``none`` for log-biases of 0; ``inverse``, log of the most frequent class's
            prior over each class's, as the authors' code.
        relative: the grid is added to the class's bias at the beginning of its turn, as in the authors' code.
        passes: turns of each class at most; the authors' code has 3.
        scaled: ``(p_c + 1e-12) b_c`` of each frame are divided by their sum before anything else is done with them,
            as in the authors' code. Smoothing and blending of adjusted scores are then others.
    """

    low: float = -2.0
    high: float = 2.0
    step: float = 0.1
    start: Literal["priors", "none", "inverse"] = "priors"
    relative: bool = field(default=False, metadata=LATER)
    passes: int = field(default=20, metadata=LATER)
    scaled: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
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
        weights: one per stream, summing to 1, given; or chosen: for two streams, candidates for the first one's share;
            for more, all shares in steps. Of values a stream may have a weight per target.
        by_target: weights are chosen per target, each by the target's own score; for values alone.
        steps: steps from 0 to 1 of the shares that are chosen for three streams and more.
        standardised: streams are first brought to mean 0 and deviation 1 over the training split, so that a weight
            means the same for every stream. The blend is then ``middle + z / 16`` of the task's range, far from its
            ends: correlations do not depend on that, and clipping would tie values.
        logs: the mean of the scores' logarithms instead, as the authors' code blends classes where nothing is smoothed.
    """

    weights: tuple[float | tuple[float, ...], ...] | Choose
    by_target: bool = field(default=False, metadata=LATER)
    steps: int = field(default=10, metadata=LATER)
    standardised: bool = field(default=False, metadata=LATER)
    logs: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        if isinstance(self.weights, Choose):
            return
        # a weight per target for one stream asks for the same of all others, and zip would hide a missing one
        rows = [weight if isinstance(weight, tuple) else (weight,) for weight in self.weights]
        if len({len(row) for row in rows}) > 1:
            raise ValueError(f"all streams need weights for the same targets, got {self.weights}")
        if any(abs(sum(column) - 1) > 1e-9 for column in zip(*rows, strict=True)):
            raise ValueError(f"weights must sum to 1, got {self.weights}")


@dataclass(frozen=True)
class ConfidenceFilter:
    """A pretrained classifier's word is taken where it is sure (abaw10, eq. 2; abaw8, section 3.1).

    Its probabilities are smoothed as the scores are. It takes a threshold of 1 to never take its word.

    Attributes:
        classifier: encoder whose logits are AffectNet's eight expressions.
        threshold: ``p0`` of abaw10, ``t`` of abaw8; given or chosen.
        contempt: AffectNet's class that Aff-Wild2 lacks. ``wins`` as abaw10 says: where it is the most probable class
            the filter stays silent. ``ignored`` as the authors' code does: the most probable of the other seven
            counts. From thresholds of a half up there is no difference.
    """

    classifier: str
    threshold: float | Choose
    contempt: Literal["wins", "ignored"] = "wins"


@dataclass(frozen=True)
class VideoFilter:
    """A classifier of the whole video: where it says absent, every frame's probability becomes 0 (abaw8, section 3.3).

    It acts after smoothing. It is fitted on labels of the training videos alone. The paper calls it logistic
    regression; the authors' code has a support vector machine.

    Attributes:
        columns: what the classifier sees of a video, reduced over time.
        head: its settings; those of the authors' code by default.
    """

    columns: Columns
    head: KernelMachine = field(default_factory=KernelMachine)


@dataclass(frozen=True)
class Thresholds:
    """When a probability means that something is there: ``>=`` (abaw10, sections 3.2 and 3.3).

    Of action units, each unit's; of two classes, the second's (violence).

    Attributes:
        values: one for all units, given; or chosen for each unit by its F1 score, from candidates or (``exact``) from
            all values that occur. For two classes given, or chosen from candidates by the task's score. Of action
            units a tuple gives one for each.
        raw: thresholds are compared with outputs before the sigmoid, which are what is blended and smoothed; where they
            are chosen, they are the best for probabilities of single frames, blended with the same weights, and are
            carried over unchanged. That is abaw10's authors' code: 0.5 there means a probability of .6225.
    """

    values: float | tuple[float, ...] | Choose | Literal["exact"] = 0.5
    raw: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class PostProcess:
    """From scores to decisions, in this order: adjust, blend, fill gaps, smooth, filter, decide.

    All but the last two are linear in the scores, so that smoothing before or after adjusting and blending is the same;
    but for adjusted scores that are scaled, and for means of logarithms.
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
        """Names of the :class:`Constants` that are chosen on labels."""
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
        """Whether anything is chosen on labels."""
        return bool(self.chosen)

    def describe(self) -> dict[str, Any]:
        """Plain data; steps that are not taken are left out."""
        return {name: value for name, value in described(self).items() if value is not None}

    def words(self) -> str:
        """In a few words, for lists."""
        parts = ["gaps filled"]
        if self.gla:
            parts.append("GLA")
        if self.blend:
            given = self.blend.weights
            if self.blend.by_target or (not isinstance(given, Choose) and isinstance(given[0], tuple)):
                parts.append("blended by target")
            else:
                parts.append("blended" + ("" if isinstance(given, Choose) else " " + "/".join(f"{w:g}" for w in given)))
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
    """Every value that post-processing needs, given or chosen.

    Attributes:
        epochs: which epoch's head of each stream, as an index.
        log_biases: of each stream, ``None`` without GLA.
        weights: of each stream, summing to 1; of values a tuple with one per target, where they differ.
        half_width: 0 for no smoothing.
        filter_threshold: ``None`` without a filter.
        thresholds: one a unit; one for two classes; ``None`` for tasks and plans without.
    """

    epochs: tuple[int, ...]
    log_biases: tuple[tuple[float, ...] | None, ...]
    weights: tuple[float | tuple[float, ...], ...]
    half_width: int = 0
    filter_threshold: float | None = None
    thresholds: tuple[float, ...] | None = None

    def describe(self) -> Mapping[str, Any]:
        """Plain data, for ``run.json``."""
        return asdict(self)
