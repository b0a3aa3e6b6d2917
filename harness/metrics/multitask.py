"""Metric of the multi-task challenge: three metrics on one file, each on the frames with its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.metrics.binary import MeanBinaryF1
from harness.metrics.classification import MacroF1
from harness.metrics.coefficients import MeanConcordance
from harness.metrics.frames import counted
from harness.metrics.interface import Float, Metric, Scores
from harness.metrics.moments import MOMENTS
from harness.tasks import AU, EXPR, VA, Task, valid_rows


@dataclass(frozen=True)
class MultiTask(Metric):
    """Sum of mean CCC, macro-F1 over 8 expressions and mean F1 of 12 units, each on the frames with its labels.

    Statistics: number of frames with any label, then the statistics of the three parts.

    Source: the 11th competition's page.
    """

    task: Task
    name: ClassVar[str] = "p_mtl"
    constant_names: ClassVar[tuple[str, ...]] = tuple(f"{name} with every unit" for name in EXPR.targets)
    parts: ClassVar[tuple[tuple[str, Metric, slice | int, int], ...]] = (
        ("va", MeanConcordance(VA), slice(0, 2), 2 * MOMENTS),
        ("expr", MacroF1(EXPR), 2, EXPR.n_outputs**2),
        ("au", MeanBinaryF1(AU), slice(3, 15), 4 * AU.n_outputs),
    )

    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of each video, as :meth:`Metric.by_video`.

        Labels and decisions are ``(n, 15)``: valence, arousal, expression, 12 units. Invalid labels are valence and
        arousal if one is -5, the expression -1, and all units if one is -1.
        """
        if not labels.shape == decisions.shape == (len(labels), 15):
            raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be {(len(labels), 15)}")
        tables, any_label = [], np.zeros(len(labels), bool)
        for _, metric, columns, _ in self.parts:
            part_labels = labels[:, columns]
            tables.append(metric.by_video(part_labels, decisions[:, columns], lengths))
            any_label |= valid_rows(part_labels, metric.task)
        frames, *_ = counted(any_label, lengths)
        return np.concatenate([frames[:, None], *tables], axis=1)

    def split(self, statistics: Float) -> dict[str, tuple[Metric, Float]]:
        """Return metric and statistics ``(..., k)`` of each part, by its name: ``va``, ``expr``, ``au``."""
        out, start = {}, 1
        for name, metric, _, width in self.parts:
            out[name] = metric, statistics[..., start : start + width]
            start += width
        return out

    def headline(self, statistics: Float) -> Float:
        """Return the sum, at most 3."""
        return np.asarray(sum(metric.headline(part) for metric, part in self.split(statistics).values()))

    def details(self, statistics: Float) -> Scores:
        """Return the sum, the scores of the three parts, and all their details."""
        parts: dict[tuple[str, str], Float] = {}
        targets: dict[tuple[str, str], Float] = {}
        for name, (metric, part) in self.split(statistics).items():
            for (score, target), value in metric.details(part).items():
                if target == "all":
                    parts[score, name] = value
                else:
                    targets[score, target] = value
        total = sum(parts[metric.name, name] for name, metric, _, _ in self.parts)
        return {(self.name, "all"): np.asarray(total), **parts, **targets}

    def constants(self, statistics: Float) -> Float:
        """Return statistics of constant predictions: each expression, with constant valence, arousal and every unit."""
        rows = {name: metric.constants(part) for name, (metric, part) in self.split(statistics).items()}
        return np.array([
            np.concatenate([statistics[:1], rows["va"][0], expression, rows["au"][0]]) for expression in rows["expr"]
        ])  # fmt: skip

    def n_frames(self, statistics: Float) -> Float:
        """Return the number of frames with a label for any part."""
        return np.asarray(statistics[..., 0])

    def label_part(self, statistics: Float) -> Float:
        """Return the label parts of the three metrics, one after the other."""
        return np.concatenate([metric.label_part(part) for metric, part in self.split(statistics).values()], axis=-1)
