"""Forecasts of submissions against brute force in NumPy and SciPy: the expected best, the luck of a choice, ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from harness.board.forecast import (
    BEST_BLEND,
    BEST_SINGLE,
    NEXT_BEST,
    ON_BOTH_SPLITS,
    OTHER_FAMILY,
    Candidate,
    choose_submissions,
    forecast,
    luck_of_choice,
)

REPLICATES = 10_000


def candidate(key: str, score: float, family: str = "", **more: bool) -> Candidate:
    return Candidate(key, score, frozenset((family or key).split("+")), **more)


def correlated(sd: float, rho: float, n: int, seed: int = 0) -> np.ndarray:
    """Return replicates ``(n, REPLICATES)`` of deviation ``sd`` of which any two are correlated by ``rho``."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=REPLICATES), rng.normal(size=(n, REPLICATES))
    return sd * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)


def expected_maximum(means: np.ndarray, sd: float, rho: float) -> float:
    """Return the mean of the highest of equally correlated normals, by integration of 1 - F over the own parts."""
    own = sd * np.sqrt(1 - rho)  # the shared part has mean 0 and moves all alike
    low, high = means.min() - 10 * own, means.max() + 10 * own
    integral, _ = quad(lambda x: 1 - np.prod(norm.cdf((x - means) / own)), low, high, limit=500)
    return float(low + integral)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_expected_maximum_equals_the_integral(rho, share):
    means = np.array([0.40, 0.39, 0.37, 0.36, 0.30])
    found = forecast(means, np.zeros(5), list(0.2 + correlated(0.02, rho, 5)), share)
    expected = expected_maximum(means, 0.02 * np.sqrt(1 + share), rho)
    # standard error of a mean of so many replicates, five times; half of them are used twice
    assert found.maximum == pytest.approx(expected, abs=5 * 0.02 * np.sqrt(1 + share) / np.sqrt(REPLICATES))


def test_the_best_of_equal_copies_is_one_of_them():
    draws = correlated(0.02, 0.0, 1)[0]
    found = forecast(np.full(3, 0.4), np.zeros(3), [draws] * 3)
    assert found.maximum == pytest.approx(0.4, abs=1e-12)
    assert found.adds == pytest.approx((0.4, 0.0, 0.0), abs=1e-12)
    assert found.best_share == pytest.approx((1 / 3,) * 3)
    assert len(set(found.intervals)) == 1
    assert found.maximum_interval == pytest.approx(found.intervals[0])


def test_a_copy_of_what_was_sent_before_adds_nothing():
    sent, other = correlated(0.02, 0.0, 2)
    outlook = forecast(np.array([0.4, 0.39]), np.array([0.01, 0.0]), [sent, other], before=[(0.4, sent)])
    of_both = forecast(np.array([0.4, 0.39]), np.zeros(2), [sent, other])
    assert outlook.adds[0] == pytest.approx(0.0, abs=1e-12)
    assert outlook.adds[1] == pytest.approx(of_both.adds[1])
    assert outlook.maximum == pytest.approx(of_both.maximum)
    assert outlook.best_share == pytest.approx((0.0, of_both.best_share[1]))


def test_independent_copies_raise_the_expected_best():
    found = forecast(np.full(5, 0.4), np.zeros(5), list(correlated(0.02, 0.0, 5)), test_share=0.0)
    assert found.maximum == pytest.approx(0.4 + 0.02 * 1.16296, abs=1e-3)  # mean of the highest of five normals
    assert found.best_share == pytest.approx((0.2,) * 5, abs=0.02)
    assert all(step > 0 for step in found.adds)
    assert sum(found.adds) == pytest.approx(found.maximum)


def test_intervals_hold_val_and_test_being_samples():
    found = forecast(np.array([0.4]), np.array([0.01]), [0.35 + correlated(0.02, 0.0, 1)[0]], test_share=0.5)
    half = norm.ppf(0.975) * 0.02 * np.sqrt(1.5)
    assert found.expected == pytest.approx([0.39])
    assert found.intervals[0] == pytest.approx((0.39 - half, 0.39 + half), abs=2e-3)
    assert found.maximum == pytest.approx(0.39)


def test_without_replicates_there_is_no_interval_and_no_best():
    found = forecast(np.array([0.4, 0.3]), np.zeros(2), [None, correlated(0.02, 0.0, 1)[0]])
    assert found.intervals[0] is None
    assert found.intervals[1] is not None
    assert (found.maximum, found.maximum_interval, found.adds) == (None, None, ())
    assert forecast(np.array([0.4]), np.zeros(1), [None]).maximum == 0.4


# luck


def test_the_luck_of_the_best_equals_that_of_equal_normals():
    """Of n equally good solutions the chosen one's deviation is the mean of the highest of n normals."""
    runs = [candidate(f"r{k}", 0.4, "one") for k in range(4)]
    draws = 0.4 + correlated(0.02, 0.0, 4)
    luck = luck_of_choice(runs, draws, 1)
    highest = draws[:, :2000] - draws[:, :2000].mean(1, keepdims=True)
    assert luck == pytest.approx([highest.max(0).mean()])
    assert luck[0] == pytest.approx(0.02 * 1.02938, abs=0.002)


def test_a_choice_that_is_clear_has_no_luck():
    runs = [candidate("good", 0.6), candidate("bad", 0.2)]
    assert luck_of_choice(runs, np.array([[0.6], [0.2]]) + correlated(0.02, 0.0, 2), 2) == pytest.approx(
        [0, 0], abs=1e-3
    )


def test_a_single_run_has_no_luck():
    luck = luck_of_choice([candidate("only", 0.4)], 0.4 + correlated(0.02, 0.0, 1), 5)
    assert luck == pytest.approx([0.0], abs=1e-12)


def test_the_forecast_of_the_best_of_many_is_unbiased():
    """Simulated: 12 equally good solutions, the best on val is chosen; the forecast is to hit its true score."""
    rng, errors, naive = np.random.default_rng(5), [], []
    for _ in range(80):
        val = 0.4 + rng.normal(0, 0.02, 12)
        draws = val[:, None] + rng.normal(0, 0.02, (12, 200))
        runs = [candidate(f"r{k}", float(score), "one") for k, score in enumerate(val)]
        best = int(val.argmax())
        errors.append(val[best] - luck_of_choice(runs, draws, 1)[0] - 0.4)
        naive.append(val[best] - 0.4)
    assert abs(np.mean(errors)) < 0.5 * np.mean(naive)
    assert np.mean(errors) > -0.002  # the luck is not taken off twice


# which


def why(picks) -> list[tuple[int, str]]:
    return [(pick.index, pick.why) for pick in picks]


def chosen(runs: list[Candidate], n: int = 5) -> list[tuple[int, str]]:
    return why(choose_submissions(runs, [run.score for run in runs], n))


def test_the_five_differ_by_role():
    runs = [
        candidate("a", 0.40, "x", on_both=True),
        candidate("a2", 0.39, "x", on_both=True),
        candidate("mix", 0.42, "x+y", is_blend=True, on_both=True),
        candidate("b", 0.35, "y", on_both=True),
        candidate("c", 0.30, "z"),
    ]
    assert chosen(runs) == [
        (2, BEST_BLEND),
        (0, BEST_SINGLE),
        (2, ON_BOTH_SPLITS),
        (3, OTHER_FAMILY),
        (4, OTHER_FAMILY),
    ]
    assert chosen(runs, 1) == [(2, BEST_BLEND)]
    assert chosen(runs, 9)[5:] == [(1, NEXT_BEST), (0, ON_BOTH_SPLITS), (1, ON_BOTH_SPLITS), (3, ON_BOTH_SPLITS)]


def test_of_equal_scores_the_first_candidate_is_chosen():
    runs = [candidate(key, 0.4, key) for key in "abc"]
    assert chosen(runs, 2) == [(0, BEST_SINGLE), (1, OTHER_FAMILY)]


def test_fewer_candidates_than_slots_leave_slots_empty():
    assert chosen([candidate("a", 0.4, on_both=True)]) == [(0, BEST_SINGLE), (0, ON_BOTH_SPLITS)]
    assert chosen([candidate("a", 0.4)]) == [(0, BEST_SINGLE)]
    assert chosen([]) == []


def test_the_train_and_val_slot_is_the_best_ones_alone():
    runs = [candidate("a", 0.4, "x"), candidate("b", 0.3, "y", on_both=True)]
    assert chosen(runs) == [(0, BEST_SINGLE), (1, OTHER_FAMILY), (1, ON_BOTH_SPLITS)]


def test_what_was_sent_as_it_is_may_be_sent_on_both():
    runs = [candidate("a", 0.4, "x", on_both=True, as_it_is=False), candidate("b", 0.3, "y")]
    assert chosen(runs) == [(1, BEST_SINGLE), (0, ON_BOTH_SPLITS)]
