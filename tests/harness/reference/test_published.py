"""Published numbers: each with its evidence, and a baseline to stand beside for every task."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.reference.published import published_results
from harness.tasks import TASKS

# sums of two or three scores, as the competition defines them
ABOVE_ONE = {"p_mtl"}


@pytest.mark.parametrize(
    ("task", "split"),
    # of AHV the organisers published none on validation
    [(task, split) for task in TASKS for split in ("val", "test") if (task, split) != ("AHV", "val")],
)
def test_every_task_has_a_cited_baseline(task, split):
    assert [r for r in published_results() if (r.task, r.split, r.kind) == (task, split, "baseline") and r.source]


def test_every_number_has_evidence_and_a_source():
    for result in published_results():
        assert result.evidence in ("official", "paper", "secondary"), result
        assert len(result.source) > 10, result


def test_every_number_is_of_a_known_kind():
    assert {result.kind for result in published_results()} == {"baseline", "paper", "leaderboard"}


def test_values_are_fractions():
    for result in published_results():
        assert -1 <= result.value <= (3 if result.metric in ABOVE_ONE else 1), result


def test_only_leaderboards_have_ranks_and_each_rank_is_one_teams():
    for result in published_results():
        assert result.rank is None or result.kind == "leaderboard", result
    places = {}
    for r in published_results():
        if r.rank:
            places.setdefault((r.edition, r.task, r.split, r.rank), set()).add(r.team)
    assert all(len(teams) == 1 for teams in places.values())


def test_a_better_rank_has_a_better_score():
    boards = {}
    for r in published_results():
        if r.rank and r.target == "all":
            boards.setdefault((r.edition, r.task, r.split, r.metric), []).append((r.rank, r.value))
    for board in boards.values():
        values = [value for _, value in sorted(board)]
        assert values == sorted(values, reverse=True)


def test_no_number_stands_twice():
    assert [row for row, n in Counter(published_results()).items() if n > 1] == []


def test_private_test_sets_of_two_editions_have_leaderboards():
    rows = [r for r in published_results() if (r.task, r.split) == ("AHV", "test_private")]
    assert {r.edition for r in rows if r.kind == "leaderboard"} == {10, 11}


@pytest.mark.parametrize(
    ("key", "metric", "target", "value"),
    [
        # three of the numbers that were added later, read in their sources
        ((11, "MTL", "val", "Sun & Gao"), "p_mtl", "all", 1.6341),
        ((10, "AHV", "test", "Fennec"), "macro_f1", "all", 0.694),
        ((5, "AU", "val", "Yin et al. (USC)"), "mean_binary_f1", "all", 0.523),
    ],
)
def test_later_editions_numbers_are_there(key, metric, target, value):
    rows = [r for r in published_results() if (r.edition, r.task, r.split, r.team) == key]
    assert value in [r.value for r in rows if (r.metric, r.target) == (metric, target)]


def test_sums_of_multi_task_learning_are_their_parts():
    """A total is the mean CCC of VA plus both F1 scores, where a system has all of them."""
    systems = {}
    for r in published_results():
        if r.task == "MTL":
            systems.setdefault((r.edition, r.split, r.team, r.system), {})[r.target] = r.value
    whole = [parts for parts in systems.values() if {"all", "va", "expr", "au"} <= parts.keys()]
    assert len(whole) >= 4
    for parts in whole:
        assert parts["va"] + parts["expr"] + parts["au"] == pytest.approx(parts["all"], abs=5.1e-3)


def test_means_of_valence_and_arousal_are_their_parts():
    systems = {}
    for r in published_results():
        if r.task == "VA":
            systems.setdefault((r.edition, r.split, r.team, r.system), {})[r.target] = r.value
    whole = [parts for parts in systems.values() if {"all", "valence", "arousal"} <= parts.keys()]
    assert len(whole) >= 8
    for parts in whole:
        assert (parts["valence"] + parts["arousal"]) / 2 == pytest.approx(parts["all"], abs=1.1e-3)
