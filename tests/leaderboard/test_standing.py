"""What a board knows beyond its scores: places, ties, means over seeds, classes; all without Streamlit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from harness.board.board import Board, load_board
from harness.board.entries import RUN, Filters, View, filtered, frame_of
from harness.board.rank_intervals import leader, rank_intervals
from harness.board.seeds import summarise
from harness.board.tables.board import board_table
from harness.metrics.compare import compare
from harness.records.run import HEADLINE, RunRecord
from harness.store.store import Store
from harness.tables.forms import write_csv
from harness.tasks import EXPR
from tests.support.scored_runs import record, scored_run

pytestmark = pytest.mark.slow

VIEW = View(EXPR, "val", "Aff-Wild2")
LAB = {"name": "lab", "fingerprint": "1" * 64, "videos": 12, "frames": 480}


def runs_of(board: Board) -> pd.DataFrame:
    """Runs of a board by name, best first."""
    return frame_of(board.runs).set_index("name")


# --- places


def test_places_are_those_of_ranking_every_replicate() -> None:
    # few values, so that many are equal
    replicates = np.random.default_rng(3).integers(0, 6, (9, 2_000)).astype(np.float32) + np.arange(9)[:, None] / 2
    ranks = rankdata(-replicates, method="min", axis=0)
    low, high = rank_intervals(replicates)
    expected = np.quantile(ranks, [0.025, 0.975], axis=1, method="inverted_cdf")
    np.testing.assert_array_equal([low, high], expected)


def test_equal_runs_share_ranks_despite_rare_replicates() -> None:
    steady = np.full(1_000, 0.5, np.float32)
    seldom_best = np.where(np.arange(1_000) < 20, 0.9, 0.1).astype(np.float32)
    low, high = rank_intervals(np.stack([steady, steady, seldom_best]))
    assert (list(low), list(high)) == ([1, 1, 3], [1, 1, 3])
    often_best = np.where(np.arange(1_000) < 30, 0.9, 0.1).astype(np.float32)
    assert list(rank_intervals(np.stack([steady, often_best]))[0]) == [1, 1]


def test_of_a_great_many_runs_fewer_replicates_say_the_same() -> None:
    skill = np.linspace(0, 1, 400)[:, None]
    replicates = (skill + np.random.default_rng(1).normal(0, 0.1, (400, 7_000))).astype(np.float32)
    expected = np.quantile(rankdata(-replicates, method="min", axis=0), [0.025, 0.975], axis=1, method="inverted_cdf")
    assert np.abs(np.array(rank_intervals(replicates)) - expected).max() <= 5


def test_a_lone_run_is_first() -> None:
    low, high = rank_intervals(np.zeros((1, 50), np.float32))
    assert (list(low), list(high)) == ([1], [1])


# --- against the best run


@pytest.fixture(scope="module")
def four() -> list[RunRecord]:
    """One clearly best but for one that is nearly its equal, one below, one far below."""
    return [scored_run(f"expr/{name}", skill) for name, skill in (("a", 0.7), ("b", 0.69), ("c", 0.58), ("d", 0.1))]


def test_p_values_are_those_of_the_comparison(store: Store, four: list[RunRecord]) -> None:
    record(store, *four)
    found = runs_of(load_board(store, VIEW))
    assert found["standing"].iloc[0] == "best"
    best = next(run for run in four if run.name == found.index[0])
    for run in four:
        if run is not best:
            comparison = compare(best.scored(), run.scored())
            assert found.loc[run.name, "p_value"] == comparison.p_value
            assert found.loc[run.name, "tied"] == (comparison.p_value >= 0.05)
    assert list(found["tied"]) == [False, True, False, False]
    assert found.loc["expr/d", "standing"] == "below, p < 0.001"
    assert found.loc["expr/d", ["rank_low", "rank_high"]].tolist() == [4, 4]
    assert found.loc["expr/a", "rank_low"] == 1


def test_published_results_take_no_place_and_have_no_standing(store: Store, four: list[RunRecord]) -> None:
    record(store, *four)
    entries = frame_of(load_board(store, VIEW).entries)
    published = entries[entries["kind"] != RUN]
    assert len(published) > 5
    assert published[["rank_low", "p_value", "standing", "low"]].isna().all(axis=None)


def test_two_videos_can_not_tell_any_two_runs_apart(store: Store) -> None:
    record(store, *(scored_run(f"expr/{name}", skill, videos=2) for name, skill in (("a", 1.0), ("b", 0.0))))
    assert [entry.tied for entry in load_board(store, VIEW).runs] == [False, True]


def test_runs_without_replicates_have_ranks_alone(store: Store, four: list[RunRecord]) -> None:
    record(store, *(replace(run, statistics={}) for run in four))
    board = load_board(store, VIEW)
    assert all(entry.rank_low is None and entry.p_value is None for entry in board.runs)
    assert board.runs[0].standing == "best"
    assert leader(board.entries).endswith("].")


def test_runs_that_can_not_be_ranked_say_why(store: Store, four: list[RunRecord]) -> None:
    cheat = replace(four[0], run_id="cheat", name="expr/cheat", trained_on="train+val")
    partial = replace(four[0], run_id="partial", name="expr/partial", status="partial")
    blind = replace(four[0], run_id="blind", name="expr/blind", scores=[], statistics={})
    record(store, *four[1:], cheat, partial, blind)
    found = runs_of(load_board(store, VIEW))
    assert found.loc["expr/cheat", "standing"] == "trained on val"
    assert found.loc["expr/partial", "standing"] == "not whole"
    assert found.loc["expr/blind", "standing"] == "not scored"
    assert found.loc[["expr/cheat", "expr/partial", "expr/blind"], ["rank", "score", "rank_low"]].isna().all(axis=None)
    assert found["rank_high"].max() == 3


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        ({"a": 0.7}, "]."),
        ({"a": 0.7, "d": 0.1}, "It is better than the other run (p < 0.05)."),
        ({"a": 0.7, "b": 0.69}, "The other run is tied with it: these videos can't tell it from the best"),
        ({"a": 0.7, "b": 0.69, "e": 0.7}, "All 2 others are tied with it: these videos can't tell them from the best"),
        ({"a": 0.7, "c": 0.2, "d": 0.1}, "It is better than each of the 2 others (p < 0.05)."),
        ({"a": 0.7, "b": 0.69, "d": 0.1}, "Of the 2 others, 1 is tied with it"),
    ],
)
def test_the_leader_is_named_and_whether_it_really_leads(store: Store, skills: dict[str, float], said: str) -> None:
    record(store, *(scored_run(f"expr/{name}", skill) for name, skill in skills.items()))
    board = load_board(store, VIEW)
    text = leader(board.entries)
    assert text.startswith(f"Best run: {board.runs[0].label}, {board.runs[0].score:.3f} [")
    assert said in text


def test_without_runs_nobody_leads(store: Store) -> None:
    assert leader(load_board(store, VIEW).entries) == ""


# --- seeds


def test_seeds_of_a_setup_are_one_entry_equal_to_their_summary(store: Store) -> None:
    seeds = [scored_run("expr/a", 0.6 - seed / 20, seed=seed, tuned=0.7) for seed in (2, 0, 1)]
    record(store, *seeds, scored_run("expr/b", 0.5))
    board, summary = load_board(store, VIEW), summarise(seeds)
    assert summary is not None
    found = runs_of(board)
    assert list(found["seeds"].sort_index()) == [3, 1]
    mean = found.loc["expr/a"]
    exact = [summary.mean, summary.sd, summary.tuned_on_all, summary.optimism, summary.constant]
    assert mean[["score", "sd", "tuned", "optimism", "constant"]].tolist() == pytest.approx(exact, abs=1e-12)
    # the store's replicates are single precision
    assert mean[["low", "high"]].tolist() == pytest.approx([summary.low, summary.high], abs=1e-6)
    assert mean["label"] == "expr/a, 3 seeds"
    assert mean["run_id"] == seeds[1].run_id
    assert set(mean["members"]) == {run.run_id for run in seeds}
    assert found["rank_high"].max() == 2


def test_each_seed_is_an_entry_on_demand(store: Store) -> None:
    seeds = [scored_run("expr/a", 0.6, seed=seed) for seed in range(3)]
    record(store, *seeds)
    board = load_board(store, VIEW, each_seed=True)
    assert sorted(entry.label for entry in board.runs) == [f"expr/a, seed {k}" for k in range(3)]
    heads = {run.run_id: run.score() for run in seeds}
    for entry in map(asdict, board.runs):
        head = heads[entry["key"]]
        assert (entry["score"], entry["low"], entry["high"]) == (head["value"], head["low"], head["high"])


def test_runs_that_differ_in_more_than_the_seed_stay_apart(store: Store) -> None:
    runs = [scored_run("expr/a", 0.6, seed=seed, recipe={"window": seed}) for seed in range(2)]
    elsewhere = [scored_run("theirs", 0.6, seed=seed, run_id=f"theirs-{seed}") for seed in range(2)]
    record(store, *runs, *(replace(run, seed=None) for run in elsewhere))
    assert len(load_board(store, VIEW).runs) == 4


def test_a_seed_that_was_run_twice_counts_once(store: Store) -> None:
    runs = [scored_run("expr/a", 0.6, seed=seed) for seed in range(2)]
    older = replace(scored_run("expr/a", 0.1, seed=1), run_id="older", created="2026-01-01T00:00:00+00:00")
    record(store, *runs, older)
    found = frame_of(load_board(store, VIEW).runs).set_index("run_id")
    assert found.loc[runs[0].run_id, "seeds"] == 2
    assert found.loc["older", "seeds"] == 1


def test_tuned_on_val_is_no_mean_where_a_seed_lacks_it(store: Store) -> None:
    record(store, scored_run("expr/a", 0.6, seed=0, tuned=0.7), scored_run("expr/a", 0.6, seed=1))
    assert all(entry.tuned is None and entry.optimism is None for entry in load_board(store, VIEW).runs)


# --- classes


def test_classes_stand_in_the_tasks_order(store: Store) -> None:
    runs = [scored_run("expr/a", 0.7 - seed / 10, seed=seed) for seed in range(2)]
    record(store, *runs)
    values = {
        run.run_id: [next(row["value"] for row in run.scores if row["target"] == name) for name in EXPR.targets]
        for run in runs
    }
    assert len(set(next(iter(values.values())))) == 8
    for entry in map(asdict, load_board(store, VIEW, each_seed=True).runs):
        assert entry["classes"] == values[entry["key"]]
    mean = load_board(store, VIEW).runs[0].classes
    assert mean == pytest.approx(np.mean(list(values.values()), axis=0).tolist())


# --- filters


def test_runs_are_told_by_the_day_they_were_made(store: Store, four: list[RunRecord]) -> None:
    days = ("2026-11-01T23:59:59+00:00", "2026-11-02T00:00:00+00:00", "2026-11-03T08:00:00+00:00")
    record(store, *(replace(run, created=day) for run, day in zip(four, days, strict=False)))
    entries = load_board(store, VIEW).entries

    def names(**days: str) -> set[str]:
        shown = filtered(entries, Filters({}, **days))
        assert [entry for entry in shown if not entry.is_run] == [entry for entry in entries if not entry.is_run]
        return {entry.name for entry in shown if entry.is_run}

    assert names(since="2026-11-02") == {"expr/b", "expr/c"}
    assert names(until="2026-11-02") == {"expr/a", "expr/b"}
    assert names(since="2026-11-02", until="2026-11-02") == {"expr/b"}


def test_a_team_narrows_published_results_and_leaves_runs(store: Store, four: list[RunRecord]) -> None:
    record(store, *four)
    shown = filtered(load_board(store, VIEW).entries, Filters({"team": ["HSEmotion"]}))
    assert {entry.team for entry in shown if not entry.is_run} == {"HSEmotion"}
    assert sum(entry.is_run for entry in shown) == len(four)


def test_a_search_finds_every_seed_of_a_mean(store: Store) -> None:
    runs = [scored_run("expr/a", 0.6, seed=seed, run_id=f"run-{seed}") for seed in range(2)]
    record(store, *runs)
    assert [entry.name for entry in filtered(load_board(store, VIEW).entries, Filters({}, "run-1"))] == ["expr/a"]


# --- the table to take along


def test_the_table_marks_ties_and_holds_every_class(store: Store, four: list[RunRecord]) -> None:
    record(store, *four)
    entries = load_board(store, VIEW).entries
    table = board_table(entries, VIEW)
    assert [table.rows[k]["kind"] for k in table.tied] == [RUN]
    assert [(entries[k].standing or "")[:5] for k in table.tied] == ["tied,"]
    lines = write_csv(table).splitlines()
    header = lines[0].split(",")
    assert set(EXPR.targets) | {"low", "high", "p_value", "run_id"} <= set(header)
    assert len(lines) == 1 + len(entries)


def test_the_table_of_seeds_gives_mean_and_spread(store: Store) -> None:
    record(store, *(scored_run("expr/a", 0.6, seed=seed, data=LAB) for seed in range(2)))
    board = load_board(store, View(EXPR, "val", "lab"))
    table = board_table(board.entries, board.view)
    row, keys = table.rows[0], {column.key for column in table.columns}
    assert {"seeds", "sd", "rank_interval"} <= keys
    assert not {"edition", "evidence", "tuned"} & keys
    assert (row["seeds"], row["rank_interval"]) == (2, "1")
    assert row["interval"] == (board.entries[0].low, board.entries[0].high)


@pytest.mark.process
def test_what_is_shown_needs_no_streamlit() -> None:
    code = "import sys, harness.board.board, harness.board.tables.board; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_headline_statistics_are_what_draws_come_from(store: Store, four: list[RunRecord]) -> None:
    """The interval of a run's replicates is the one in its record: places and intervals tell one story."""
    record(store, four[0])
    low, high = np.quantile(store.replicates([four[0].run_id])[four[0].run_id], [0.025, 0.975])
    head = four[0].score(HEADLINE)
    assert (low, high) == pytest.approx((head["low"], head["high"]), abs=1e-6)
