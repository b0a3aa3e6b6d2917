"""Data of the competition's size and shape, drawn: lengths are Aff-Wild2's, labels and scores are made up."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib import resources

import numpy as np

from harness.tasks import EXPR


def official_frames(column: str) -> dict[str, int]:
    """Frames of every video for which the table of frame counts has ``column``, by name."""
    text = (resources.files("harness") / "reference" / "affwild2_frame_counts.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["name"]: int(row[column]) for row in rows if row[column]}


def videos_like(n_videos: int, n_frames: int) -> dict[str, int]:
    """Names and frames of so many videos with so many frames in all, short and long as Aff-Wild2's are."""
    counts = sorted((frames, name) for name, frames in official_frames("cap_frames").items())
    chosen = [counts[int(k)] for k in (np.arange(n_videos) + 0.5) / n_videos * len(counts)]
    total = sum(frames for frames, _ in chosen)
    lengths = {name: max(round(frames * n_frames / total), 2) for frames, name in chosen}
    longest = chosen[-1][1]
    lengths[longest] += n_frames - sum(lengths.values())
    return dict(sorted(lengths.items()))


def drawn_labels(lengths: Mapping[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """EXPR labels that change every few seconds, one frame in twenty not annotated."""
    rng = np.random.default_rng(seed)
    labels = {}
    for name, n in lengths.items():
        runs = rng.choice([-1, *range(8)], size=n // 20 + 1, p=[0.05, *[0.95 / 8] * 8])
        labels[name] = np.repeat(runs, rng.integers(20, 200, len(runs)))[:n]
    return labels


def drawn_scores(labels: Mapping[str, np.ndarray], seed: int = 1) -> dict[str, np.ndarray]:
    """Noisy probabilities ``(n, 8)`` that lean to the label, as a head's do."""
    rng = np.random.default_rng(seed)
    scores = {}
    for name, truth in labels.items():
        logits = rng.normal(0, 2, (len(truth), EXPR.n_outputs))
        logits[np.arange(len(truth)), truth] += 1.5 * (truth >= 0)
        scores[name] = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return scores
