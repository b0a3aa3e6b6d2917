"""The board as a reader sees it, driven through Streamlit's own test client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harness.board.board import build_board, load_board
from harness.board.entries import (
    MARKS,
    RUN,
    Entries,
    Filters,
    View,
    data_with_entries,
    filtered,
    frame_of,
    published_entries,
    splits_with_entries,
)
from harness.records.failure import Failure
from harness.records.run import RunRecord
from harness.store.store import Store
from harness.tasks import AHV, EXPR, TASKS
from tests.support.app_pages import links_of, open_page, words_of
from tests.support.scored_runs import record, scored_run

pytestmark = pytest.mark.slow

RUN_MARK = [MARKS[RUN]]
RunFactory = Callable[..., RunRecord]


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    yield
    st.cache_data.clear()


def board_of(page: AppTest) -> pd.DataFrame:
    return page.dataframe[0].value


def is_run(board: pd.DataFrame) -> pd.Series:
    return board["kind"].map(lambda marks: list(marks) == RUN_MARK)


def entries_of(store: Store, split: str) -> pd.DataFrame:
    """What a page on Aff-Wild2 lists, without the page."""
    return frame_of(board_entries(store, split))


def board_entries(store: Store, split: str) -> Entries:
    """The same, as entries."""
    return load_board(store, View(TASKS["EXPR"], split, "Aff-Wild2")).entries


# --- what is listed with what


def test_affwild2_runs_and_published_results_rank_together(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=0.48, tuned=0.5))
    board = board_of(open_page(data="Aff-Wild2"))
    assert board["score"].is_monotonic_decreasing
    assert list(board["rank"]) == sorted(board["rank"])
    run = board[is_run(board)].iloc[0]
    assert run["interval"] == "[0.450, 0.510]"
    assert run["optimism"] == pytest.approx(0.02)
    assert run["constant_name"] == "always Happiness"
    published = board[~is_run(board)]
    assert len(published) > 5
    assert published["evidence"].notna().all()
    assert published["source"].str.len().min() > 10


def test_runs_on_other_data_stand_apart_from_published_results(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="our-lab", score=0.9))
    page = open_page()
    assert list(board_of(page)["name"]) == ["expr/landmarks-mlp-smooth"]
    assert "not comparable with runs on our-lab" in words_of(page)
    reference = page.dataframe[1].value
    assert not is_run(reference).any()


def test_synthetic_data_carry_a_notice_and_real_data_none(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="abaw-synth", split="test"), run_record())
    page = open_page(split="test", data="abaw-synth")
    assert "drawn by this program" in words_of(page)
    page.selectbox(key="data").set_value("Aff-Wild2").run()
    assert "drawn by this program" not in words_of(page)


def test_validation_and_test_never_share_a_table(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", 0.5), run_record("expr/b", 0.5, split="test"))
    val, test = entries_of(store, "val"), entries_of(store, "test")
    assert list(val.loc[val["kind"] == RUN, "name"]) == ["expr/a"]
    assert list(test.loc[test["kind"] == RUN, "name"]) == ["expr/b"]
    assert not set(val["key"]) & set(test["key"])


def test_private_test_set_is_a_board_of_its_own(store: Store) -> None:
    published = store.published()
    assert splits_with_entries((), published, AHV) == ["val", "test", "test_private"]
    assert "test_private" not in splits_with_entries((), published, EXPR)
    listed = frame_of(published_entries(published, View(AHV, "test_private", "BAH")))
    assert {10, 11} == set(listed["edition"])
    assert {"VisPBF", "Fennec"} <= set(listed["team"])


def test_a_run_without_labels_is_listed_but_not_ranked(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=None, split="test"))
    last = entries_of(store, "test").iloc[-1]
    assert last["kind"] == RUN
    assert pd.isna(last["rank"])
    assert last["standing"] == "not scored"


def test_a_run_that_is_not_whole_is_never_ranked(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=0.99, status="partial"))
    last = entries_of(store, "val").iloc[-1]
    assert last["kind"] == RUN
    assert pd.isna(last["rank"])


def test_ranks_stay_when_filters_narrow(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/best", 0.9), run_record("expr/second", 0.8))
    assert [entry.rank for entry in filtered(board_entries(store, "val"), Filters({}, "expr/second"))] == [2]


def test_two_runs_of_one_name_have_two_rows_in_the_chart(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record(run_id="again-12345678"), run_record(seed=1))
    for each_seed in (False, True):
        view = View(TASKS["EXPR"], "val", "Aff-Wild2")
        assert frame_of(load_board(store, view, each_seed=each_seed).entries)["label"].is_unique


def test_published_violence_results_are_not_called_affwild2(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(task="VD", data_name="lab"))
    page = open_page(task="VD")
    assert "on DVD; not comparable" in words_of(page)
    assert len(board_of(page)) == 1


def test_published_dvd_results_rank_beside_runs_on_dvd(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(task="VD", data_name="DVD"))
    page = open_page(task="VD")
    assert "not comparable" not in words_of(page)
    assert len(board_of(page)) > 1


def test_every_published_entry_has_a_row_of_its_own_in_the_chart(store: Store) -> None:
    published = store.published()
    for task in TASKS.values():
        for split in splits_with_entries((), published, task):
            for name in data_with_entries((), published, task, split):
                entries = frame_of(build_board(View(task, split, name), (), published, (), {}).entries)
                assert len(entries)
                assert entries["label"].is_unique
                assert entries["key"].is_unique


# --- filters and the address


def test_filters_narrow_runs_and_leave_published_results(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record("expr/other", encoder="enet_b0"))
    page = open_page(data="Aff-Wild2")
    page.multiselect(key="encoder").set_value(["enet_b0"]).run()
    board = board_of(page)
    assert list(board.loc[is_run(board), "name"]) == ["expr/other"]
    assert not is_run(board).all()
    page.multiselect(key="kind").set_value([RUN]).run()
    assert list(board_of(page)["name"]) == ["expr/other"]


def test_evidence_narrows_published_results_and_leaves_runs(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(split="test"))
    entries = frame_of(filtered(board_entries(store, "test"), Filters({"evidence": ["secondary"]})))
    assert set(entries.loc[entries["kind"] != RUN, "evidence"]) == {"secondary"}
    assert (entries["kind"] == RUN).any()


def test_an_empty_result_says_so_and_offers_the_way_back(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    page = open_page(q="no-such-thing")
    assert not page.dataframe
    assert "None of the" in words_of(page)
    next(button for button in page.button if button.label == "Clear filters").click().run()
    assert len(board_of(page)) > 1


def test_a_link_opens_the_same_view(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", data_name="lab"), run_record("expr/b", data_name="lab", encoder="x"))
    page = open_page(task="EXPR", split="val", data="lab", encoder=["x"], q="expr")
    assert list(board_of(page)["name"]) == ["expr/b"]
    assert page.text_input(key="q").value == "expr"


def test_a_link_with_names_that_are_gone_opens_the_default(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    page = open_page(task="NOPE", split="nope", data="nope", encoder=["nope"], entry="nope")
    assert page.selectbox(key="data").value == "Aff-Wild2"


# --- what can be done with a row


def test_one_row_opens_its_run(store: Store, run_record: RunFactory) -> None:
    run = run_record()
    record(store, run)
    page = open_page(entry=run.run_id)
    assert f"{run.name}, seed 0" in words_of(page)
    assert links_of(page)["Open run"] == f"run?run={run.run_id}"


def test_two_rows_are_compared_the_better_one_first(store: Store, run_record: RunFactory) -> None:
    worse, better = run_record("expr/a", 0.3), run_record("expr/b", 0.6)
    record(store, worse, better)
    page = open_page(entry=[worse.run_id, better.run_id])
    assert links_of(page)["Compare"] == f"compare?a={better.run_id}&b={worse.run_id}"
    assert "Open run" not in links_of(page)


def test_a_published_result_shows_its_source_in_full(store: Store) -> None:
    key = entries_of(store, "val")["key"].iloc[0]
    page = open_page(entry=key)
    assert board_of(page)["source"].iloc[0] in words_of(page)
    assert not links_of(page)


def test_rows_that_are_filtered_away_are_not_acted_on(store: Store, run_record: RunFactory) -> None:
    hidden, seen = run_record("expr/a"), run_record("expr/b")
    record(store, hidden, seen)
    page = open_page(entry=[hidden.run_id, seen.run_id], q="expr/b")
    assert links_of(page)["Open run"] == f"run?run={seen.run_id}"


def test_sentence_on_best_run_links_to_its_evidence(store: Store) -> None:
    names = {"landmarks-mlp": "gaps filled", "landmarks-mlp-smooth": "gaps filled, smoothed, window chosen"}
    runs = [
        scored_run(f"expr/{name}", skill, data_name="lab", postprocess=steps)
        for (name, steps), skill in zip(names.items(), (0.4, 0.8), strict=True)
    ]
    third = scored_run("expr/third", 0.1, data_name="lab")
    record(store, *runs, third)
    links = links_of(open_page())
    worse, best = (run.run_id for run in runs)
    assert links["Open the best run"] == f"run?run={best}"
    assert links["Compare it with the second"] == f"compare?a={best}&b={worse}"
    page, address = links["Which ingredient helped"].split("?")
    asked = dict(parse_qsl(address))
    assert "Helped us most: smoothing" in words_of(open_page(page, **asked))
    assert set(links_of(open_page(q="nothing has this"))) == set(links), "no filter changes which run is the best"


def test_a_lone_run_is_compared_with_nothing(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"))
    assert set(links_of(open_page())) == {"Open the best run"}


# --- seeds, classes, training


def test_seeds_are_a_mean_and_one_by_one_on_demand(store: Store, run_record: RunFactory) -> None:
    record(store, *(run_record(score=0.4 + seed / 10, seed=seed, data_name="lab") for seed in range(3)))
    page = open_page()
    row = board_of(page).iloc[0]
    assert (row["score"], row["spread"]) == (pytest.approx(0.5), "3 seeds ± 0.100")
    page.toggle(key="each_seed").set_value(True).run()
    assert list(board_of(page)["spread"]) == ["seed 2", "seed 1", "seed 0"]
    assert list(board_of(open_page(each_seed="true"))["score"]) == pytest.approx([0.6, 0.5, 0.4])


def test_no_switch_where_there_is_nothing_to_switch(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a"), run_record("expr/b"))
    assert "each_seed" not in [toggle.key for toggle in open_page().toggle]


def test_more_than_the_training_videos_is_flagged(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", split="test"), run_record("expr/b", split="test", trained_on="train+val"))
    board = board_of(open_page(split="test"))
    trained = dict(zip(board["name"], board["trained_on"], strict=True))
    assert (trained["expr/a"], trained["expr/b"]) == ("train", "⚑ train+val")


@pytest.mark.usefixtures("checked_charts")
def test_places_and_ties_are_on_the_page(store: Store) -> None:
    record(store, scored_run("expr/a", 0.7), scored_run("expr/b", 0.69), scored_run("expr/c", 0.1))
    page = open_page()
    board = board_of(page)
    board = board[is_run(board)]
    assert board["standing"].iloc[0] == "best"
    assert board["standing"].iloc[1].startswith("tied, p = ")
    assert board["standing"].iloc[2] == "below, p < 0.001"
    assert list(board["rank_interval"]) == ["1 to 2", "1 to 2", "3"]
    assert "Of the 2 others, 1 is tied with it" in words_of(page)
    assert [len(values) for values in board["classes"]] == [8, 8, 8]


# --- failed runs


def failure(**changes: str) -> Failure:
    fields = {"task": "EXPR", "split": "test", "name": "expr/broken", "data_name": "lab", **changes}
    return Failure.of(ValueError("line one\nwhat to do next"), seed=0, **fields)


def test_failed_runs_stand_apart_with_their_reason(store: Store, run_record: RunFactory) -> None:
    mine, other = failure(), failure(task="VA", name="va/broken")
    files = [store.path.parent / f"{note.name[-6:]}-{note.task}.json" for note in (mine, other)]
    store.record([(run_record(), store.path.parent)], failures=zip((mine, other), files, strict=True))
    page = open_page()
    assert "expr/broken" not in set(board_of(page)["name"])
    assert page.expander[0].label == "Failed: 1 run of EXPR"
    listed = page.expander[0].dataframe[0].value
    assert list(listed["name"]) == ["expr/broken"]
    assert "expr/broken: line one\nwhat to do next" in words_of(page)
    assert str(files[0]) in words_of(page)


def test_without_failed_runs_nothing_is_said_of_them(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    assert not page_expanders(open_page())


def page_expanders(page: AppTest) -> list[str]:
    return [str(expander.label) for expander in page.expander]


# --- other people's names


def test_markup_in_names_is_shown_literally(store: Store, run_record: RunFactory) -> None:
    name = "expr/<img src=x onerror=alert(1)> **bold** [a](b) :smile: $x$"
    run = run_record(name, data_name="<b>lab</b>", notes=["<i>note</i>"])
    note = failure(name=name, data_name="<b>lab</b>")
    store.record([(run, store.path.parent)], failures=[(note, store.path.parent / "<b>.json")])
    page = open_page(entry=run.run_id)
    assert board_of(page)["name"].iloc[0] == name
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    rendered = "\n".join(str(element.value) for kind in kinds for element in kind)
    rendered += "\n".join(page_expanders(page))
    assert not [part for part in ("<img", "<b>", "<i>", "**bold**") if part in rendered]
    assert f"{name}, seed 0" in [element.value for element in page.text]


# --- a store that can't be shown


def test_missing_store_names_first_commands_and_shows_papers(store: Store) -> None:
    page = open_page()
    assert "abaw demo" in words_of(page)
    assert len(board_of(page)) > 5
    assert not store.path.exists()


@pytest.mark.process
def test_run_recorded_while_the_page_is_open_shows_up(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", 0.4, data_name="lab"))
    page = open_page()
    script = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    assert subprocess.run([sys.executable, "-c", script, str(store.path)], check=False).returncode == 0
    record(store, run_record("expr/b", 0.5, data_name="lab"))
    page.run()
    assert list(board_of(page)["name"]) == ["expr/b", "expr/a"]
