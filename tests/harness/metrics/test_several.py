"""Several runs against one base: Holm's correction, verdicts that go by it, and runs that can't be compared."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import abaw
from harness.errors import DataError
from harness.metrics.compare import ScoredRun, compare
from harness.metrics.several import compare_several, holm
from harness.tasks import EXPR

RNG = np.random.default_rng(3)
VIDEOS = [f"v{k:02}" for k in range(24)]
LABELS = {name: RNG.integers(0, 8, 80) for name in VIDEOS}


def answers(share_right: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {y: np.where(rng.random(80) < share_right, LABELS[y], rng.integers(0, 8, 80)) for y in VIDEOS}


def scored(name: str, share_right: float, seed: int, videos: list[str] = VIDEOS) -> ScoredRun:
    statistics = {}
    for video, decided in answers(share_right, seed).items():
        confusion = np.zeros((8, 8))
        np.add.at(confusion, (LABELS[video], decided), 1)
        statistics[video] = confusion.ravel().tolist()
    return ScoredRun(name, EXPR, "val", "", {video: statistics[video] for video in videos})


def closed_testing(p_values: list[float]) -> list[float]:
    """Correct p-values by the closure principle over Bonferroni tests, from which Holm derives his method."""
    corrected = []
    for k in range(len(p_values)):
        sets = [
            s for n in range(1, len(p_values) + 1) for s in itertools.combinations(range(len(p_values)), n) if k in s
        ]
        corrected.append(max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in sets))
    return corrected


@pytest.mark.parametrize("seed", range(20))
def test_holm_equals_closed_testing_over_bonferroni(seed):
    p_values = np.random.default_rng(seed).random(1 + seed % 6).round(2) ** 2
    assert holm(p_values.tolist()) == pytest.approx(closed_testing(p_values.tolist()), abs=1e-12)


def test_holm_of_a_printed_example():
    # p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm") in R
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []


def test_each_row_is_the_comparison_of_two():
    base, others = scored("base", 0.5, 1), {"a": scored("a", 0.6, 2), "b": scored("b", 0.51, 3)}
    several = compare_several(base, others)
    assert (several.base, [row.name for row in several.rows]) == ("base", ["a", "b"])
    for row in several.rows:
        assert row.comparison is not None
        alone = compare(others[row.name], base)
        assert row.comparison.differences == alone.differences
        assert row.comparison.p_value == alone.p_value
    p_values = [row.comparison.p_value for row in several.rows]
    assert [row.corrected_p for row in several.rows] == pytest.approx(closed_testing(p_values))
    assert several.rows[0].verdict == f"better by {several.rows[0].comparison.headline.difference:.3f}"
    assert several.rows[1].verdict == "not separable on these videos"


def test_worse_run_is_called_worse():
    several = compare_several(scored("base", 0.7, 1), {"low": scored("low", 0.3, 2)})
    assert several.rows[0].verdict.startswith("worse by 0.")


def test_a_verdict_goes_by_the_corrected_p_value():
    base = scored("base", 0.5, 1)
    runs = {f"run{seed}": scored(f"run{seed}", 0.52, seed) for seed in (15, 3, 4, 5)}
    alone = compare_several(base, {"run15": runs["run15"]}).rows[0]
    assert alone.separable
    assert 0.0125 < alone.corrected_p < 0.05  # times four, that is above 0.05
    assert "worse by" in alone.verdict or "better by" in alone.verdict
    among = compare_several(base, runs).rows[0]
    assert among.comparison.separable
    assert (among.separable, among.verdict) == (False, "not separable after the correction")


def test_a_run_on_other_videos_is_listed_with_the_reason():
    base = scored("base", 0.5, 1)
    others = {"a": scored("a", 0.6, 2), "few": scored("few", 0.6, 2, VIDEOS[:5])}
    with pytest.raises(DataError, match="few and base can't be compared: they are on different videos"):
        compare_several(base, others)
    several = compare_several(base, others, skip=True)
    assert several.rows[1].verdict.startswith("not comparable: few and base can't be compared")
    assert several.rows[0].corrected_p == several.rows[0].comparison.p_value  # only what was tested counts
    assert several.to_frame()["difference"].isna().tolist() == [False, True]
    with pytest.raises(DataError, match="few and base"):
        compare_several(base, {"few": others["few"]}, skip=True)
    with pytest.raises(DataError, match="the base stands alone"):
        compare_several(base, {})


def test_means_over_seeds_are_compared():
    base = [scored(f"base{s}", 0.5, s) for s in (1, 2)]
    several = compare_several(base, {"mean": [scored(f"m{s}", 0.6, s) for s in (3, 4, 5)]})
    assert several.base_ids == ("base1", "base2")
    assert several.rows[0].run_ids == ("m3", "m4", "m5")


def test_the_public_function_takes_cards():
    cards = {name: abaw.score("EXPR", answers(share, seed), LABELS)
             for name, share, seed in (("base", 0.5, 1), ("a", 0.6, 2), ("b", 0.51, 3))}  # fmt: skip
    several = abaw.compare_several(cards["base"], {"a": cards["a"], "b": cards["b"]})
    frame = several.to_frame()
    assert frame["name"].tolist() == ["a", "b"]
    assert frame["difference"].tolist() == pytest.approx(
        [cards[name].headline.value - cards["base"].headline.value for name in "ab"], abs=1e-12
    )
    assert frame["p_value"].tolist() == [abaw.compare(cards[name], cards["base"]).p_value for name in "ab"]
    assert "not separable" in repr(several)
    page = several._repr_html_()
    assert "Holm 1979" in page
    assert "better by" in page


def test_correction_counts_a_single_comparison():
    several = compare_several(scored("base", 0.5, 1), {"a": scored("a", 0.6, 2)})
    assert "corrected for 1 comparison (Holm" in several.correction
