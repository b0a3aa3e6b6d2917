"""Expected scores of a few submissions, and of the best of them, from the paired bootstrap replicates of runs on val.

Two things make a submission's expected score lower than the score that it was chosen by, or less certain. The best of
many runs is partly the luckiest: the choice is repeated on every replicate, and the score that it wins by luck is taken
off. The test set is a sample as val is: its score spreads by the drawing of val's videos and by that of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.interval import SEED, percentile_interval

Float = npt.NDArray[np.float64]

REPEATED = 2_000
"""Replicates on which the choice is repeated: enough to know the luck of the best to a thousandth."""

BEST_SINGLE, BEST_BLEND, ON_BOTH_SPLITS = "best single solution", "best blend", "trained on train and val"
OTHER_FAMILY, NEXT_BEST = "best of another family", "next best"


@dataclass(frozen=True)
class Candidate:
    """A solution that was run on val, for which a test file can be made.

    Attributes:
        key: name of the run that would be made again for test.
        score: on val, cross-fitted; the mean over seeds where there are several.
        family: encoders that it sees; solutions with the same ones err alike.
        is_blend: True for a blend of runs.
        on_both: True if it can still be sent with heads for test that are trained on train and val.
        as_it_is: True if it can still be sent as it is; False once it was.
    """

    key: str
    score: float
    family: frozenset[str]
    is_blend: bool = False
    on_both: bool = False
    as_it_is: bool = True


@dataclass(frozen=True)
class Pick:
    """A submission: which candidate, and why.

    Attributes:
        index: of the candidate.
        why: one of the roles of this module.
    """

    index: int
    why: str


@dataclass(frozen=True)
class Forecast:
    """Expected test scores of submissions that are sent together.

    Attributes:
        expected: float64 ``(n,)``: score on val less the luck of the choice.
        luck: float64 ``(n,)``: amount that was subtracted from the score on val.
        intervals: 95 % interval of each test score; ``None`` for those without replicates.
        maximum: expected score of the best of them and of those sent before; ``None`` where one has no replicates.
        maximum_interval: 95 % interval of the best submission's score; ``None`` where one has no replicates.
        adds: gain in the expected maximum from each submission over those before it; empty where one has no replicates.
        best_share: share of replicates in which each is the best, ties split evenly, those sent before included;
            empty where one has no replicates.
    """

    expected: Float
    luck: Float
    intervals: tuple[tuple[float, float] | None, ...]
    maximum: float | None
    maximum_interval: tuple[float, float] | None
    adds: tuple[float, ...] = ()
    best_share: tuple[float, ...] = ()


def choose_submissions(candidates: Sequence[Candidate], scores: npt.ArrayLike, n: int) -> list[Pick]:
    """Return up to ``n`` submissions that differ: the best first, then the others by role.

    The best solution; the best of the other kind (a blend beside a single solution, or the other way round); the best
    of all trained on train and val, if it can be; the best of each family that is not among them; then the next best,
    and others trained on train and val. Of equal scores the first candidate wins.

    Args:
        candidates: all of one task, split and version of the labels.
        scores: of the candidates, by which they are chosen.
        n: number of slots.
    """
    order: list[int] = np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist()
    unsent = [k for k in order if candidates[k].as_it_is]
    picks: list[Pick] = []
    for is_blend in (candidates[unsent[0]].is_blend, not candidates[unsent[0]].is_blend) if unsent else ():
        best = next((k for k in unsent if candidates[k].is_blend == is_blend), None)
        if best is not None:
            picks.append(Pick(best, BEST_BLEND if is_blend else BEST_SINGLE))
    if order and candidates[order[0]].on_both:
        picks.append(Pick(order[0], ON_BOTH_SPLITS))
    taken = {pick.index for pick in picks if pick.why != ON_BOTH_SPLITS}
    families = {candidates[pick.index].family for pick in picks}
    rest: list[Pick] = []
    for k in unsent:
        if k in taken:
            continue
        new_family = candidates[k].family not in families
        families.add(candidates[k].family)
        (picks if new_family else rest).append(Pick(k, OTHER_FAMILY if new_family else NEXT_BEST))
    again = [Pick(k, ON_BOTH_SPLITS) for k in order if candidates[k].on_both]
    return [*picks, *rest, *(pick for pick in again if pick not in picks)][:n]


def luck_of_choice(candidates: Sequence[Candidate], replicates: Float, n: int) -> Float:
    """Return by how much the score of each pick is expected to exceed what the same solution scores elsewhere.

    On each replicate the choice is made again by the replicate's scores. What the chosen one scores there, less what it
    scores on all of val, is its luck; the mean over replicates is that of the rule.

    Args:
        candidates: as for :func:`choose_submissions`.
        replicates: scores by which they are chosen, paired, ``(n_candidates, r)``; a candidate's mean is taken for its
            score on all of val, so that the bootstrap's own bias drops out.
        n: number of slots.

    Returns:
        float64 ``(m,)``, one per pick, 0 and above.
    """
    deviations = replicates[:, :REPEATED] - replicates[:, :REPEATED].mean(1, keepdims=True)
    scores = np.array([candidate.score for candidate in candidates])
    n_picks = len(choose_submissions(candidates, scores, n))
    total = np.zeros(n_picks)
    for deviation in deviations.T:
        chosen = choose_submissions(candidates, scores + deviation, n)
        total += deviation[[pick.index for pick in chosen]]
    luck: Float = np.maximum(total / deviations.shape[1], 0.0)
    return luck


def forecast(
    scores: Float,
    luck: Float,
    replicates: Sequence[npt.NDArray[Any] | None],
    test_share: float = 1.0,
    before: Sequence[tuple[float, npt.NDArray[Any]]] = (),
) -> Forecast:
    """Return the expected test score of each submission, and that of the best of them and of those sent before.

    The expected score is the score on val, less the amount by which choosing the submissions on val has raised it. The
    interval adds two random deviations: one because val is a sample, one because the test set is a sample. Both are
    deviations of replicates from their mean, with the same replicate for all submissions; the second comes from another
    replicate than the first and is scaled by the square root of ``test_share``.

    Args:
        scores: scores on val, ``(n,)``.
        luck: amount to subtract from each score, from :func:`luck_of_choice`, ``(n,)``.
        replicates: scores of each submission on bootstrap samples of val, ``(r,)``, the same samples for all
            submissions; ``None`` where there are none.
        test_share: number of videos of val, divided by that of test.
        before: score on val and replicates of each submission that was sent already: the best of all counts, so that a
            copy of one of them adds nothing.
    """
    expected = np.asarray(scores, np.float64) - luck
    pairs = zip(expected, replicates, strict=True)
    drawn = [None if draws is None else _predicted(center, draws, test_share) for center, draws in pairs]
    intervals = tuple(None if draws is None else percentile_interval(draws) for draws in drawn)
    known = [draws for draws in drawn if draws is not None]
    if not known or len(known) < len(drawn):
        alone = float(expected[0]) if len(expected) == 1 else None
        return Forecast(expected, luck, intervals, alone, None)
    earlier = [_predicted(score, draws, test_share) for score, draws in before]
    table = np.stack([*earlier, *known])
    running = np.maximum.accumulate(table, axis=0).mean(1)
    first = table == table.max(0)
    share = (first / first.sum(0)).mean(1)
    best = table.max(0)
    return Forecast(
        expected,
        luck,
        intervals,
        float(best.mean()),
        percentile_interval(best),
        tuple(float(step) for step in np.diff(running, prepend=0.0)[len(earlier) :]),
        tuple(map(float, share[len(earlier) :])),
    )


def _predicted(center: float, replicates: npt.NDArray[Any], test_share: float) -> Float:
    """Return replicates of a test score around its expected value."""
    deviation = np.asarray(replicates, np.float64) - replicates.mean(dtype=np.float64)
    other = np.random.default_rng(SEED).permutation(len(deviation))  # the same pairs for all submissions
    predicted: Float = center + deviation + np.sqrt(test_share) * deviation[other]
    return predicted
