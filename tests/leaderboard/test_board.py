"""The board as a reader sees it, driven through Streamlit's own test client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import duckdb
import pandas as pd
import pytest
import streamlit as st
from app_pages import open_page, words_of
from streamlit.testing.v1 import AppTest

from harness.record import UNKNOWN, RunRecord
from harness.store.store import Store
from harness.tasks import TASKS
from leaderboard.data.entries import MARKS, RUN, View, board_entries, data_with_entries, filtered, splits_with_entries
from leaderboard.screens import reading
from leaderboard.screens.reading import read_store

RUN_MARK = MARKS[RUN]
RunFactory = Callable[..., RunRecord]


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    yield
    st.cache_data.clear()


def board_of(page: AppTest) -> pd.DataFrame:
    return page.dataframe[0].value


def entries_of(store: Store, split: str) -> pd.DataFrame:
    """What a page on Aff-Wild2 lists, without the page."""
    return board_entries(store.runs(), store.published(), View(TASKS["EXPR"], split, "Aff-Wild2"))[0]


def record(store: Store, *runs: RunRecord) -> None:
    store.record([(run, store.path.parent / run.run_id) for run in runs])


# --- what is listed with what


def test_runs_on_affwild2_and_published_results_are_ranked_together(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=0.48, tuned=0.5))
    board = board_of(open_page(data="Aff-Wild2"))
    assert board["score"].is_monotonic_decreasing
    assert list(board["rank"]) == sorted(board["rank"])
    run = board[board["kind"] == RUN_MARK].iloc[0]
    assert run["interval"] == "0.450 to 0.510"
    assert run["optimism"] == pytest.approx(0.02)
    assert run["constant_name"] == "always Happiness"
    published = board[board["kind"] != RUN_MARK]
    assert len(published) > 5
    assert published["evidence"].notna().all()
    assert published["source"].str.len().min() > 10


def test_runs_on_other_data_stand_apart_from_published_results(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="our-lab", score=0.9))
    page = open_page()
    assert list(board_of(page)["name"]) == ["expr/landmarks-mlp-smooth"]
    assert "not comparable with runs on our-lab" in words_of(page)
    reference = page.dataframe[1].value
    assert (reference["kind"] != RUN_MARK).all()


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


def test_a_run_without_labels_is_listed_but_not_ranked(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=None, split="test"))
    last = entries_of(store, "test").iloc[-1]
    assert last["kind"] == RUN
    assert pd.isna(last["rank"])
    assert last["against_best"] == "not scored"


def test_a_run_that_is_not_whole_is_never_ranked(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(score=0.99, status="partial"))
    last = entries_of(store, "val").iloc[-1]
    assert last["kind"] == RUN
    assert pd.isna(last["rank"])


def test_a_run_whose_interval_reaches_the_best_run_says_so(store: Store, run_record: RunFactory) -> None:
    record(store, *[run_record(score=score, seed=seed) for seed, score in enumerate((0.5, 0.46, 0.3))])
    entries = entries_of(store, "val")
    assert list(entries.loc[entries["kind"] == RUN, "against_best"]) == ["best run", "overlaps", "below"]


def test_ranks_stay_when_filters_narrow(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/best", 0.9), run_record("expr/second", 0.8))
    assert list(filtered(entries_of(store, "val"), {}, "second")["rank"]) == [2]


def test_two_runs_of_one_name_have_two_rows_in_the_chart(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record(run_id="again-12345678"), run_record(seed=1))
    assert entries_of(store, "val")["label"].is_unique


def test_published_violence_results_are_not_called_affwild2(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(task="VD", data_name="lab"))
    page = open_page(task="VD")
    assert "on DVD; not comparable" in words_of(page)
    assert len(board_of(page)) == 1


def test_published_violence_results_stand_beside_runs_on_dvd_itself(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(task="VD", data_name="DVD"))
    page = open_page(task="VD")
    assert "not comparable" not in words_of(page)
    assert len(board_of(page)) > 1


def test_runs_on_different_versions_of_the_data_are_called_out(store: Store, run_record: RunFactory) -> None:
    other = {"name": "lab", "fingerprint": "0" * 64, "videos": 1, "frames": 9}
    record(store, run_record(data_name="lab"), run_record(seed=1, data_name="lab", data=other))
    page = open_page()
    assert "different versions of the data" in words_of(page)
    assert set(board_of(page)["data_fingerprint"]) == {"f" * 8, "0" * 8}


def test_every_published_entry_has_a_row_of_its_own_in_the_chart(store: Store) -> None:
    published = store.published()
    for task in TASKS.values():
        for split in splits_with_entries(pd.DataFrame(), published, task):
            for name in data_with_entries(pd.DataFrame(), published, task, split):
                entries, _ = board_entries(pd.DataFrame(), published, View(task, split, name))
                assert entries["label"].is_unique
                assert entries["key"].is_unique


# --- filters and the address


def test_filters_narrow_runs_and_leave_published_results(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record("expr/other", encoder="enet_b0"))
    page = open_page(data="Aff-Wild2")
    page.multiselect(key="encoder").set_value(["enet_b0"]).run()
    board = board_of(page)
    assert list(board.loc[board["kind"] == RUN_MARK, "name"]) == ["expr/other"]
    assert (board["kind"] != RUN_MARK).any()
    page.multiselect(key="kind").set_value([RUN]).run()
    assert list(board_of(page)["name"]) == ["expr/other"]


def test_evidence_narrows_published_results_and_leaves_runs(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(split="test"))
    entries = filtered(entries_of(store, "test"), {"evidence": ["secondary"]}, "")
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


# --- one run in detail


def test_a_link_to_a_run_shows_classes_choices_and_files(store: Store, run_record: RunFactory) -> None:
    run = run_record(notes=["2 videos without audio"])
    record(store, run)
    page = open_page(entry=run.run_id)
    classes, choices = page.dataframe[1].value, page.dataframe[2].value
    assert list(classes["target"])[:2] == ["Neutral", "Anger"]
    assert choices.iloc[0].to_dict() == {
        "what": "half width",
        "chosen on all of val": "5",
        "by fold": "0, 5",
        "out of": "0, 5",
    }
    assert "2 videos without audio" in words_of(page)
    assert str(store.path.parent / run.run_id / "predictions.txt") in words_of(page)


def test_a_published_result_shows_its_source_in_full(store: Store) -> None:
    key = board_entries(pd.DataFrame(), store.published(), View(TASKS["EXPR"], "val", "Aff-Wild2"))[0]["key"].iloc[0]
    page = open_page(entry=key)
    assert board_of(page)["source"].iloc[0] in words_of(page)


def test_a_file_that_was_only_scored_claims_nothing_of_how_it_was_made(store: Store, run_record: RunFactory) -> None:
    ours = run_record("expr/a", choices={}, tuned_on="nothing")
    theirs = run_record("our-cnn", choices={}, tuned_on=UNKNOWN, trained_on=UNKNOWN, seed=1)
    record(store, ours, theirs)
    assert "Nothing." in [text.value for text in open_page(entry=ours.run_id).text]
    assert "Not known: the file was made elsewhere and scored here." in [
        text.value for text in open_page(entry=theirs.run_id).text
    ]


def test_markup_in_names_is_shown_literally(store: Store, run_record: RunFactory) -> None:
    name = "expr/<img src=x onerror=alert(1)> **bold** [a](b) :smile: $x$"
    run = run_record(name, data_name="<b>lab</b>", notes=["<i>note</i>"])
    record(store, run)
    page = open_page(entry=run.run_id)
    assert board_of(page)["name"].iloc[0] == name
    rendered = "\n".join(
        str(element.value)
        for kind in (page.markdown, page.caption, page.info, page.warning, page.error)
        for element in kind
    )
    assert "<img" not in rendered
    assert "<b>" not in rendered
    assert "<i>" not in rendered
    assert f"{name}, seed 0" in [element.value for element in page.text]


# --- a store that can't be shown


def test_no_store_yet_names_the_first_commands_and_shows_published_results(store: Store) -> None:
    page = open_page()
    assert "abaw demo" in words_of(page)
    assert len(board_of(page)) > 5
    assert not store.path.exists()


def test_a_store_without_runs(store: Store) -> None:
    store.record([])
    page = open_page()
    assert "no runs yet" in words_of(page)
    assert len(board_of(page)) > 5


def test_a_newer_schema_asks_for_an_update(store: Store) -> None:
    store.record([])
    with duckdb.connect(str(store.path)) as db:
        db.execute("INSERT INTO schema_version VALUES (999)")
    page = open_page()
    assert "newer version" in words_of(page)
    assert len(board_of(page)) > 5


def test_another_kind_of_file_is_named_as_such(store: Store) -> None:
    store.path.write_bytes(b"not a database, but a text" * 400)
    page = open_page()
    assert "can't be read" in words_of(page)
    assert len(board_of(page)) > 5


def test_a_database_of_something_else_is_trouble_and_no_traceback(store: Store) -> None:
    with duckdb.connect(str(store.path)) as db:
        db.execute("CREATE TABLE shopping (item VARCHAR)")
    contents = read_store()
    assert "not a results store" in str(contents.trouble)
    assert len(contents.published) > 5


def test_a_broken_setting_is_trouble_and_no_traceback(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABAW_WORKERS", "many")
    assert "workers" in str(read_store().trouble)


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def held(store: Store, run_record: RunFactory) -> Iterator[Callable[[], None]]:
    """A function that makes another process hold the store, which has one run, until the test ends."""
    record(store, run_record(data_name="lab"))
    holders: list[subprocess.Popen[str]] = []

    def hold() -> None:
        command = [sys.executable, "-c", HOLD, str(store.path)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

    yield hold
    for holder in holders:
        holder.communicate("")


def test_a_locked_store_says_who_and_shows_published_results(
    held: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PATIENCE", 0.1)
    held()
    page = open_page()
    assert "Another program" in words_of(page)
    assert "process" in words_of(page)
    assert len(board_of(page)) > 5


def test_a_store_locked_later_keeps_the_runs_on_the_screen(
    held: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PATIENCE", 0.1)
    page = open_page()
    held()
    next(button for button in page.button if button.label == "Refresh").click().run()
    assert "read last" in words_of(page)
    assert list(board_of(page)["name"]) == ["expr/landmarks-mlp-smooth"]


def test_a_run_can_be_recorded_while_the_page_is_open_and_shows_up(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", 0.4, data_name="lab"))
    page = open_page()
    script = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    assert subprocess.run([sys.executable, "-c", script, str(store.path)], check=False).returncode == 0
    record(store, run_record("expr/b", 0.5, data_name="lab"))
    page.run()
    assert list(board_of(page)["name"]) == ["expr/b", "expr/a"]
