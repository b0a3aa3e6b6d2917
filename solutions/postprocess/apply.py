"""Application of a post-processing plan and its constants: from the streams' scores to decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from harness.errors import SolutionError
from harness.system.counts import counted
from harness.tasks import EXPR, Task
from solutions.postprocess.blending import blend
from solutions.postprocess.calibration import FLOOR, scaled_shares
from solutions.postprocess.columns import by_column
from solutions.postprocess.crops import CropFrames
from solutions.postprocess.decisions import in_range, most_probable, present, shares
from solutions.postprocess.filtering import filtered, sure_of
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.smoothing import Kind, smooth
from solutions.postprocess.thresholds import DEFAULT

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Applied:
    """Result of post-processing.

    Attributes:
        scores: float64 ``(n, outputs)``, the numbers behind the decisions: probabilities, or values. For classes each
            row sums to 1, adjusted or not; in rows where the confidence filter overrides, it holds the classifier's
            probabilities without Contempt. The largest one is the decision, unless a threshold decides between two.
        decisions: official values: int64 ``(n,)`` classes, int64 ``(n, outputs)`` binaries, or float64
            ``(n, outputs)`` values in the task's range.
    """

    scores: Float
    decisions: npt.NDArray[Any]


@dataclass(frozen=True)
class Heard:
    """Predictions of the confidence filter's classifier for every row.

    Attributes:
        probabilities: float64 ``(n, 8)``, smoothed as the scores are, Contempt in the last column.
        classes: uint8 ``(n,)``, most probable class, from :func:`~solutions.postprocess.filtering.sure_of`.
        confidence: float64 ``(n,)``, probability of that class, from the same function.
        overrides: bool ``(n,)``, rows in which the filter takes the classifier's class.
    """

    probabilities: Float
    classes: npt.NDArray[np.uint8]
    confidence: Float
    overrides: npt.NDArray[np.bool_]


def heard(plan: PostProcess, scores: SplitScores, constants: Constants) -> Heard | None:
    """Return the predictions of the confidence filter's classifier; ``None`` without a filter.

    Args:
        plan: the post-processing; its kind of smoothing and its filter are used.
        scores: scores of a split, gaps filled.
        constants: half width, and threshold of the filter.
    """
    if not plan.filter or constants.filter_threshold is None or scores.classifier is None:
        return None
    kind = plan.smoothing.kind if plan.smoothing else "box"
    crops = crop_frames(plan, scores)
    probabilities = smooth(kind, by_column(scores.classifier), constants.half_width, scores.lengths, crops)
    classes, confidence = sure_of(probabilities, plan.filter.contempt)
    return Heard(probabilities, classes, confidence, confidence > constants.filter_threshold)


def apply(task: Task, plan: PostProcess, scores: SplitScores, constants: Constants) -> Applied:
    """Adjust, blend, smooth, filter, decide.

    Args:
        task: a task of the kind ``classes``, ``values`` or ``binaries``.
        plan: the post-processing; it gives the kind of each step, ``constants`` gives the values.
        scores: scores of a split, gaps filled.
        constants: constants from :func:`solutions.tuning.choose.fixed_constants` or
            :func:`~solutions.tuning.choose.choose`.

    Raises:
        SolutionError: the plan does not fit the task or the scores.
    """
    check(task, plan, scores, constants.epochs)
    return decide(task, plan, scores, constants, blended(plan, scores, constants), heard(plan, scores, constants))


def blended(plan: PostProcess, scores: SplitScores, constants: Constants) -> Float:
    """Return scores adjusted, blended and smoothed, float64 ``(n, outputs)``.

    Args:
        plan: the post-processing; its GLA, blend and kind of smoothing are used.
        scores: scores of a split, gaps filled.
        constants: epochs, log-biases, weights and half width.
    """
    kind = plan.smoothing.kind if plan.smoothing else "box"
    streams = [by_column(stream[epoch]) for stream, epoch in zip(scores.streams, constants.epochs, strict=True)]
    streams, left = adjusted_streams(plan, streams, constants.log_biases)
    factors, crops = stream_factors(constants.weights, left), crop_frames(plan, scores)
    return blend(*smoothed_parts(kind, constants.half_width, streams, factors, scores.lengths, crops))


def decide(
    task: Task,
    plan: PostProcess,
    scores: SplitScores,
    constants: Constants,
    blend_of_streams: Float,
    classifier: Heard | None,
) -> Applied:
    """Filter and decide.

    Args:
        task: as for :func:`apply`.
        plan: as for :func:`apply`.
        scores: scores of the split; only ``passing``, the verdict on whole videos, is used.
        constants: as for :func:`apply`.
        blend_of_streams: result of :func:`blended`; it is not changed.
        classifier: result of :func:`heard`.
    """
    final = blend_of_streams
    if task.kind == "values":
        return Applied(final, in_range(final, task.low, task.high))
    if task.kind == "binaries":
        thresholds = DEFAULT if constants.thresholds is None else constants.thresholds
        return Applied(expit(final) if plan.raw else final, present(final, thresholds).astype(np.int64))
    decisions = most_probable(final)
    logs = plan.blend is not None and plan.blend.logs
    final = np.exp(final - final.max(1, keepdims=True)) if logs else final.copy(order="K")
    if classifier is not None and constants.filter_threshold is not None:
        decisions = filtered(decisions, classifier.classes, classifier.confidence, constants.filter_threshold)
        sure = classifier.overrides
        final[sure, :-1], final[sure, -1] = classifier.probabilities[sure, :-1], 0
    final = shares(final)
    if scores.passing is not None:  # after smoothing, so that smoothing can't bring back a video that the filter stops
        final[~scores.passing] = (1.0, 0.0)
    if constants.thresholds is not None:
        decisions = present(final[:, 1], constants.thresholds).view(np.uint8)
    return Applied(final, decisions.astype(np.int64))


def crop_frames(plan: PostProcess, scores: SplitScores) -> CropFrames | None:
    """Return the frames with a crop if the plan smooths over these alone, else ``None``."""
    return scores.crop_frames if plan.smoothing and plan.smoothing.over == "crops" else None


def adjusted_streams(
    plan: PostProcess, streams: Sequence[Float], log_biases: Sequence[Sequence[float] | None]
) -> tuple[list[Float], Sequence[Sequence[float] | None]]:
    """Apply the steps of a plan that can't be written as a factor of the stream: scaled GLA and logarithms.

    Args:
        plan: the post-processing; its GLA and blend say which of these steps it has.
        streams: float64 ``(n, outputs)`` each, unsmoothed.
        log_biases: log-biases of each stream, ``None`` without GLA.

    Returns:
        The streams, and the log-biases that :func:`stream_factors` has yet to apply.
    """
    adjusted = list(streams)
    if plan.gla and plan.gla.scaled:
        adjusted = [
            stream if biases is None else scaled_shares(stream, biases)
            for stream, biases in zip(adjusted, log_biases, strict=True)
        ]
        log_biases = (None,) * len(adjusted)
    if plan.blend and plan.blend.logs:
        adjusted = [np.log(stream if plan.gla else stream + FLOOR) for stream in adjusted]
    return adjusted, log_biases


def stream_factors(
    weights: Sequence[float | tuple[float, ...]], log_biases: Sequence[Sequence[float] | None]
) -> list[float | Float]:
    """Return weight times bias (abaw10, eq. 3 and 4): one factor per stream, or one per output of a stream."""
    factors = [np.asarray(weight) if isinstance(weight, tuple) else weight for weight in weights]
    return [
        factor if biases is None else factor * np.exp(biases)
        for factor, biases in zip(factors, log_biases, strict=True)
    ]


def smoothed_parts(
    kind: Kind,
    half_width: int,
    streams: Sequence[Float],
    factors: Sequence[float | Float],
    lengths: npt.NDArray[np.int64],
    crops: CropFrames | None = None,
) -> tuple[list[Float], list[float | Float]]:
    """Return parts and factors whose :func:`blend` is the smoothed blend of the streams.

    A mean is linear: the parts are the smoothed streams, which serve every factor, and rounding is the same for all
    callers. A median is not linear: the only part is the smoothed blend, with factor 1.
    """
    if kind == "box":
        return [smooth(kind, stream, half_width, lengths, crops) for stream in streams], list(factors)
    return [smooth(kind, blend(streams, factors), half_width, lengths, crops)], [1.0]


def check(task: Task, plan: PostProcess, scores: SplitScores, epochs: Sequence[int] | None = None) -> None:
    """Raise an error unless task, plan and scores fit together.

    Args:
        task: the predicted task.
        plan: the post-processing.
        scores: scores of a split.
        epochs: index of the epoch of each stream whose scores are checked; all epochs by default.

    Raises:
        SolutionError: task, plan and scores don't fit together.
    """
    check_plan(task, plan, len(scores.streams))
    for k, stream in enumerate(scores.streams):
        if not len(stream):
            raise SolutionError(
                f"stream {k + 1} holds no scores", found="no epoch", expected="scores of one epoch or more"
            )
        for epoch in range(len(stream)) if epochs is None else (epochs[k],):
            _check_scores(task, scores, f"stream {k + 1}", stream[epoch], f", epoch {epoch}")
    if plan.filter:
        if scores.classifier is None:
            raise SolutionError("the confidence filter needs the classifier's probabilities", found="none")
        _check_scores(task, scores, "classifier", scores.classifier)
    if plan.video_filter and (scores.passing is None or len(scores.passing) != int(scores.lengths.sum())):
        raise SolutionError("the filter of whole videos has no verdict on these frames", found="none")


def _check_scores(task: Task, scores: SplitScores, name: str, values: npt.NDArray[Any], which: str = "") -> None:
    shape = int(scores.lengths.sum()), task.n_outputs
    if values.shape != shape:
        raise SolutionError(
            f"{name} does not hold the scores of these videos",
            found=f"(frames, outputs) of {values.shape}",
            expected=shape,
        )
    if not np.isfinite(values).all():
        frame, output = (int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise SolutionError(
            f"{name} holds a score that is no number",
            where=f"frame {frame}, {task.targets[output]}{which}, counted from 0",
            found=values[frame, output],
        )


def check_plan(task: Task, plan: PostProcess, n_streams: int) -> None:
    """Raise an error unless a plan fits a task and a number of streams.

    Raises:
        SolutionError: the plan does not fit.
    """
    if task.kind not in ("classes", "values", "binaries"):
        raise SolutionError("no post-processing for this task", found=task.name)
    if plan.gla and task.kind != "classes":
        raise SolutionError("generalised logit adjustment is for tasks with classes", found=f"{task.name}, {task.kind}")
    if plan.thresholds and task.kind != "binaries":
        if not task.is_pair:
            raise SolutionError("thresholds are for action units or two classes", found=f"{task.name}, {task.kind}")
        if plan.thresholds.values == "exact":
            raise SolutionError("of two classes a threshold is chosen from candidates", found="exact")
    if plan.raw and task.kind != "binaries":
        what = "thresholds on outputs before the sigmoid are for action units"
        raise SolutionError(what, found=f"{task.name}, {task.kind}")
    if plan.raw and plan.thresholds and plan.thresholds.values == "exact":
        what = "thresholds that are carried over from probabilities are chosen from candidates"
        raise SolutionError(what, found="exact")
    _check_logs(task, plan)
    if plan.filter and task.name != EXPR.name:
        raise SolutionError("the confidence filter knows EXPR's classes only", found=task.name)
    if plan.video_filter and not (task.is_pair and task.level == "frame" and plan.thresholds):
        what = "the filter of whole videos is for frames of two classes, decided by a threshold"
        raise SolutionError(what, found=f"{task.name}, {task.kind}, level {task.level}")
    if plan.video_filter and plan.video_filter.columns.pooling == "none":
        raise SolutionError("the filter of whole videos needs columns reduced over time", found="none")
    if plan.smoothing and task.level == "video":
        raise SolutionError("there is nothing to smooth: each video has one row", found=task.name)
    weights = plan.blend.weights if plan.blend else (1.0,)
    lists = [weight for weight in weights if isinstance(weight, tuple)] if isinstance(weights, tuple) else []
    by_target = plan.blend is not None and (plan.blend.by_target or plan.blend.standardised or bool(lists))
    if by_target and task.kind != "values":
        raise SolutionError("blending by target is for values", found=f"{task.name}, {task.kind}")
    if any(len(weight) != task.n_outputs for weight in lists):
        expected = f"{task.n_outputs}, one per target"
        raise SolutionError("a stream needs a weight per target", found=len(lists[0]), expected=expected)
    if isinstance(weights, tuple) and len(weights) != n_streams:
        raise SolutionError("a weight for each stream is needed", found=f"{counted(n_streams, 'stream')}, {weights}")


def _check_logs(task: Task, plan: PostProcess) -> None:
    """Raise an error if a plan that blends logarithms has a step that excludes this.

    Raises:
        SolutionError: the plan has such a step.
    """
    if not (plan.blend and plan.blend.logs):
        return
    if task.kind != "classes":
        raise SolutionError("logarithms are blended of classes", found=f"{task.name}, {task.kind}")
    if plan.smoothing:
        raise SolutionError("logarithms are blended where nothing is smoothed", found="smoothing")
    if plan.gla and not plan.gla.scaled:
        raise SolutionError("logarithms of adjusted scores are of scaled ones", found="GLA that is not scaled")
