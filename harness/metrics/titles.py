"""Text of scores: titles of metrics, and numbers with their intervals."""

from __future__ import annotations

METRIC_TITLES = {
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "mean_binary_f1": "mean F1",
    "f1": "F1",
    "accuracy": "accuracy",
    "mean_ccc": "mean CCC",
    "ccc": "CCC",
    "mean_pearson": "mean Pearson",
    "pearson": "Pearson",
    "mean_absolute_error": "mean absolute error",
    "p_mtl": "sum of three",
    "average_precision": "AP",
    "official_average_precision": "AP, official",
}


def score_title(metric: str, target: str = "all") -> str:
    """Return the title of a score, such as ``macro-F1`` or ``F1 Fear``."""
    title = METRIC_TITLES.get(metric, metric)
    return title if target == "all" else f"{title} {target}"


def interval_text(value: float, low: float | None, high: float | None, *, sign: str = "") -> str:
    """Return ``0.412 [0.371, 0.447]``; with ``sign="+"``, for differences, ``+0.012 [-0.003, +0.031]``."""
    interval = f" [{low:{sign}.3f}, {high:{sign}.3f}]" if low is not None and high is not None else ""
    return f"{value:{sign}.3f}{interval}"
