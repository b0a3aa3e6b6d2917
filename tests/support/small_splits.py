"""Small splits to tune on: drawn at random, with everything in them that real ones have, and the slow way to decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.tasks import AU, EXPR, VA, Task
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import SplitScores


@dataclass(frozen=True)
class Split:
    """Scores with their labels; some videos may be empty, or without a single label."""

    task: Task
    scores: SplitScores
    labels: np.ndarray
    groups: list[str]


def drawn(
    task: Task,
    seed: int,
    *,
    videos: int = 7,
    streams: int = 2,
    epochs: int = 1,
    longest: int = 60,
    coarse: bool = False,
) -> Split:
    """A split whose scores lean to the labels. ``coarse`` scores are few different numbers: ties, zeros and ones."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest + 1, videos)
    n, outputs = int(lengths.sum()), task.n_outputs
    labels = drawn_labels(rng, task, n)
    if videos > 2:  # nobody annotated the second video
        labels[lengths[0] : lengths[:2].sum()] = task.invalid

    def stream() -> np.ndarray:
        noise = rng.normal(0, 1.5, (n, outputs))
        if task.kind == "classes":
            noise[np.arange(n), labels] += 2 * (labels >= 0)
            scores = np.exp(noise) / np.exp(noise).sum(1, keepdims=True)
        elif task is AU:
            scores = 1 / (1 + np.exp(-noise - (labels - 0.5)))
        else:
            scores = np.tanh(noise / 2 + np.maximum(labels, -1))
        return np.round(scores * 4) / 4 if coarse else scores.astype(np.float32)

    made = [np.stack([stream() for _ in range(epochs)]) for _ in range(streams)]
    priors = [rng.dirichlet(np.ones(outputs)) for _ in range(streams)]
    classifier = stream() if task is EXPR else None
    return Split(task, SplitScores(lengths, made, priors, classifier), labels, [f"v{k}" for k in range(videos)])


def drawn_labels(rng: np.random.Generator, task: Task, n: int) -> np.ndarray:
    """One frame in ten, or so, is not annotated."""
    if task is VA:
        labels = np.round(np.tanh(rng.normal(0, 0.5, (n, 2))), 3)
        labels[rng.random(n) < 0.1] = VA.invalid
        return labels
    if task is AU:
        return np.where(rng.random((n, 12)) < 0.01, -1, rng.random((n, 12)) < np.linspace(0.05, 0.6, 12)).astype(int)
    return rng.integers(-1, task.n_outputs, n)


def decided_slowly(split: Split, plan: PostProcess, constants: Constants) -> np.ndarray:
    """Frame by frame, as one reads it in the paper: mean or median of slices, then a choice for each frame."""
    scores, task = split.scores, split.task
    factors = [np.ones(task.n_outputs) if b is None else np.exp(b) for b in constants.log_biases]
    blended = sum(
        w * (f * stream[epoch].astype(float))
        for w, f, stream, epoch in zip(constants.weights, factors, scores.streams, constants.epochs, strict=True)
    )
    classifier = None if scores.classifier is None else scores.classifier.astype(float)
    kind = plan.smoothing.kind if plan.smoothing else "box"
    out, start = [], 0
    for n in scores.lengths:
        for i in range(n):
            window = slice(start + max(0, i - constants.half_width), start + min(n, i + constants.half_width + 1))
            average = np.mean if kind == "box" else np.median
            row = average(blended[window], 0)
            if task is VA:
                out.append(np.clip(row, -1, 1))
            elif task is AU:
                out.append((row >= np.array(constants.thresholds)).astype(int))
            elif constants.thresholds:
                share = row[1] / row.sum() if row.sum() else 0.0
                out.append(int(share >= constants.thresholds[0]))
            else:
                out.append(int(np.argmax(row)))
                if plan.filter and classifier is not None:
                    said = average(classifier[window], 0)
                    among = said if plan.filter.contempt == "wins" else said[:7]
                    if np.argmax(among) < 7 and min(among.max(), 1) > constants.filter_threshold:
                        out[-1] = int(np.argmax(among))
        start += n
    return np.array(out).reshape(split.labels.shape)
