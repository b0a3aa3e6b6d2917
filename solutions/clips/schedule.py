"""Schedule of training: the clips of each optimiser step, its learning rate and its momentum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from harness.system.counts import counted, verb_for
from solutions.clips.sampling import Drawn
from solutions.clips.settings import ClipTraining

DIVISOR, FINAL_DIVISOR = 25.0, 1e4
"""Highest rate over the first one, and first rate over the last one: torch's defaults, which the authors use."""


@dataclass(frozen=True)
class Plan:
    """Passes and steps of an epoch.

    In mode ``paper`` (the authors' notebook) an incomplete last batch is left out. The passes that remain after the
    last complete step are left out, too, but the schedule includes a step for them. With 103 clips in batches of 2 and
    8 batches per step, 96 clips are used, in 6 of 7 scheduled steps. The rate therefore stays high: 18 such epochs end
    at 8.7 % of the highest rate. Here the passes without a step are skipped; in the authors' code they still update
    BatchNorm's running means.

    In mode ``fixed`` the last batch and the last step are shorter, and the schedule covers the steps that happen.

    Attributes:
        n_clips: clips of an epoch.
        batch: clips per pass.
        accumulate: passes per step.
        steps: steps that happen in an epoch.
        scheduled: steps per epoch in the schedule.
        note: deviation from the settings because of too few clips; empty if there is none.
    """

    n_clips: int
    batch: int
    accumulate: int
    steps: int
    scheduled: int
    note: str = ""

    @classmethod
    def of(cls, training: ClipTraining, n_clips: int) -> Plan:
        """Return the plan for epochs of ``n_clips``.

        In mode ``paper`` a data set may be too small for one step; then all of its clips make one.
        """
        batch, accumulate, note = training.batch, training.accumulate, ""
        if training.mode == "fixed":
            steps = math.ceil(n_clips / (batch * accumulate))
            return cls(n_clips, batch, accumulate, steps, steps)
        if n_clips < batch * accumulate:
            batch = min(batch, n_clips)
            accumulate = n_clips // batch
            note = (
                f"{counted(n_clips, 'training clip')} an epoch {verb_for(n_clips, 'are')} fewer than the "
                f"{training.batch * training.accumulate} of an optimiser's step: a step takes {batch * accumulate}"
            )
        passes = n_clips // batch
        return cls(n_clips, batch, accumulate, passes // accumulate, math.ceil(passes / accumulate), note)

    @property
    def n_used(self) -> int:
        """Number of clips that an epoch trains on."""
        return min(self.n_clips, self.steps * self.accumulate * self.batch)

    def passes(self, drawn: Drawn) -> Iterator[list[Drawn]]:
        """Yield the steps of an epoch, each as a list of its passes."""
        per_step = self.accumulate * self.batch
        for first in range(0, self.n_used, per_step):
            last = min(first + per_step, self.n_used)
            yield [drawn.take(slice(at, min(at + self.batch, last))) for at in range(first, last, self.batch)]


def learning_rate(step: int, total: int, warm_up: float) -> float:
    """Return the learning rate at a step, relative to the highest: a cosine up from 1/25, then one down to 1/250,000.

    The values are those of torch's ``OneCycleLR``. A schedule of fewer than ``1 / warm_up`` steps is the exception:
    here it starts at the highest rate, while torch starts after it, or divides by zero.

    Args:
        step: number of the step, from 0.
        total: number of scheduled steps.
        warm_up: share of the steps until the highest rate.
    """
    rising, progress = _phase(step, total, warm_up)
    first = 1 / DIVISOR
    return _cosine(first, 1.0, progress) if rising else _cosine(1.0, first / FINAL_DIVISOR, progress)


def momentum(step: int, total: int, warm_up: float, cycle: tuple[float, float]) -> float:
    """Return the momentum at a step, which is highest where the learning rate is lowest.

    Args:
        step: number of the step, from 0.
        total: number of scheduled steps.
        warm_up: share of the steps until the highest learning rate.
        cycle: lowest and highest momentum.
    """
    low, high = cycle
    rising, progress = _phase(step, total, warm_up)
    return _cosine(high, low, progress) if rising else _cosine(low, high, progress)


def _phase(step: int, total: int, warm_up: float) -> tuple[bool, float]:
    """Return True while the rate rises, and the progress of the rise or the fall, from 0 to 1."""
    top = max(warm_up * total - 1, 0.0)
    if step <= top:
        return True, step / top if top else 1.0
    return False, (step - top) / (total - 1 - top)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))
