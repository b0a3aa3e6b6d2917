"""The multi-task challenge: three metrics on one file, each on the frames that it has labels for."""

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
    """Sum of mean CCC, macro-F1 over 8 expressions and mean F1 of 12 units, each on the frames that it has labels for.

    Statistics: frames with any label, then those of the three parts. Source: the 11th competition's page.
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
        """See :class:`Metric`; labels and decisions are ``(n, 15)``: valence, arousal, expression, 12 units.

        Without a label are: valence and arousal where one is -5, the expression at -1, the units where one is -1.
        """
        if not labels.shape == decisions.shape == (len(labels), 15):
            raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be {(len(labels), 15)}")
        tables, any_label = [], np.zeros(len(labels), bool)
        for _, metric, columns, _ in self.parts:
            own = labels[:, columns]
            tables.append(metric.by_video(own, decisions[:, columns], lengths))
            any_label |= valid_rows(own, metric.task)
        frames, *_ = counted(any_label, lengths)
        return np.concatenate([frames[:, None], *tables], axis=1)

    def split(self, statistics: Float) -> dict[str, tuple[Metric, Float]]:
        """Metric and statistics ``(..., k)`` of each part, by its name: ``va``, ``expr``, ``au``."""
        out, start = {}, 1
        for name, metric, _, width in self.parts:
            out[name] = metric, statistics[..., start : start + width]
            start += width
        return out

    def headline(self, statistics: Float) -> Float:
        """The sum, at most 3."""
        return np.asarray(sum(metric.headline(part) for metric, part in self.split(statistics).values()))

    def details(self, statistics: Float) -> Scores:
        """The sum, the three parts, and all that these keep."""
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
        """A row for each expression, with the same valence and arousal and every unit throughout."""
        rows = {name: metric.constants(part) for name, (metric, part) in self.split(statistics).items()}
        return np.array([
            np.concatenate([statistics[:1], rows["va"][0], expression, rows["au"][0]]) for expression in rows["expr"]
        ])  # fmt: skip

    def n_frames(self, statistics: Float) -> Float:
        """Frames with a label for any part."""
        return np.asarray(statistics[..., 0])

    def label_part(self, statistics: Float) -> Float:
        """Of the three parts, one after the other."""
        return np.concatenate([metric.label_part(part) for metric, part in self.split(statistics).values()], axis=-1)
