"""How clips make up an optimiser's steps, and the learning rate and the momentum of each of these."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from solutions.clips.sampling import Drawn
from solutions.clips.settings import ClipTraining

DIVISOR, FINAL_DIVISOR = 25.0, 1e4
"""The highest rate over the first one, and the first one over the last: torch's own, and the authors'."""


@dataclass(frozen=True)
class Plan:
    """An epoch's passes and steps.

    In mode ``paper`` (the authors' notebook) clips that fill no batch are left out, the passes left over
    at an epoch's end never make a step, and the schedule counts on a step for them all the same: of 103 clips in
    batches of 2, 8 to a step, 96 are used, in 6 steps of 7 that are scheduled, so that the rate never comes down: 18
    such epochs end at 8.7 % of the highest. Passes that make no step are not done at all here; there, they still moved
    BatchNorm's running means.

    In mode ``fixed`` the last batch and the last step are shorter, and the schedule is over the steps that happen.

    Attributes:
        batch: clips a pass; ``accumulate``: passes a step.
        steps: that happen in an epoch; ``scheduled``: that the schedule counts on.
        note: what is not as the settings say, because there are too few clips; empty if nothing.
    """

    n_clips: int
    batch: int
    accumulate: int
    steps: int
    scheduled: int
    note: str = ""

    @classmethod
    def of(cls, training: ClipTraining, n_clips: int) -> Plan:
        """The plan for epochs of ``n_clips``.

        In mode ``paper`` a small data set would give no step at all: then all of its clips make one.
        """
        batch, accumulate, note = training.batch, training.accumulate, ""
        if training.mode == "fixed":
            steps = math.ceil(n_clips / (batch * accumulate))
            return cls(n_clips, batch, accumulate, steps, steps)
        if n_clips < batch * accumulate:
            batch = min(batch, n_clips)
            accumulate = n_clips // batch
            note = (
                f"{n_clips} training clips an epoch are fewer than the {training.batch * training.accumulate} of an "
                f"optimiser's step: a step takes {batch * accumulate}"
            )
        passes = n_clips // batch
        return cls(n_clips, batch, accumulate, passes // accumulate, math.ceil(passes / accumulate), note)

    @property
    def n_used(self) -> int:
        """Clips that are trained on in an epoch."""
        return min(self.n_clips, self.steps * self.accumulate * self.batch)

    def passes(self, drawn: Drawn) -> Iterator[list[Drawn]]:
        """An epoch's steps, each as its passes."""
        a_step = self.accumulate * self.batch
        for first in range(0, self.n_used, a_step):
            last = min(first + a_step, self.n_used)
            yield [drawn.take(slice(at, min(at + self.batch, last))) for at in range(first, last, self.batch)]


def learning_rate(step: int, total: int, warm_up: float) -> float:
    """Share of the highest rate at a step: a cosine up from 1/25 of it, and one down to 1/250,000.

    The values of torch's ``OneCycleLR``, but for fewer than ``1 / warm_up`` steps: these start at the highest rate,
    where torch's start somewhere on the way down, or divide by zero.

    Args:
        step: from 0.
        total: steps that the schedule counts on.
        warm_up: share of them until the highest rate.
    """
    rising, progress = _phase(step, total, warm_up)
    first = 1 / DIVISOR
    return _cosine(first, 1.0, progress) if rising else _cosine(1.0, first / FINAL_DIVISOR, progress)


def momentum(step: int, total: int, warm_up: float, cycle: tuple[float, float]) -> float:
    """Momentum at a step, highest where the rate is lowest.

    Args:
        cycle: lowest and highest.
    """
    low, high = cycle
    rising, progress = _phase(step, total, warm_up)
    return _cosine(high, low, progress) if rising else _cosine(low, high, progress)


def _phase(step: int, total: int, warm_up: float) -> tuple[bool, float]:
    """Whether the rate rises, and how far the rise, or the fall, has come."""
    top = max(warm_up * total - 1, 0.0)
    if step <= top:
        return True, step / top if top else 1.0
    return False, (step - top) / (total - 1 - top)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))
