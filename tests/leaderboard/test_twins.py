"""Runs whose files are the same to the last byte are one row, hidden ones none, and those that wait do not fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st

from harness.board.board import load_board
from harness.board.entries import View, frame_of
from harness.errors import MissingDependencyError
from harness.plugins.needs import Need
from harness.records.failure import Failure
from harness.records.marks import Marks
from harness.records.run import RunRecord
from harness.slots import Ledger
from harness.store.store import Store
from harness.tasks import EXPR
from tests.support.app_pages import open_page, words_of
from tests.support.scored_runs import record

RunFactory = Callable[..., RunRecord]
VAL = View(EXPR, "val", "Aff-Wild2")
SAME = {"predictions.txt": "a" * 64}


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    yield
    st.cache_data.clear()


def test_runs_of_the_same_bytes_are_one_row_with_a_remark(store: Store, run_record: RunFactory) -> None:
    late = run_record("expr/late", 0.5, files=SAME, created="2026-11-23T10:00:00+00:00")
    early = run_record("expr/early", 0.5, files=SAME, created="2026-11-22T10:00:00+00:00")
    equal = run_record("expr/equal", 0.5, files={"predictions.txt": "b" * 64})
    other = run_record("expr/other", 0.6)
    record(store, late, early, equal, other)
    entries = frame_of(load_board(store, VAL).runs).set_index("name")
    assert set(entries.index) == {"expr/early", "expr/equal", "expr/other"}
    assert entries["same_files"].dropna().to_dict() == {"expr/early": "expr/late@0"}
    assert set(entries.loc["expr/early", "members"]) == {early.run_id, late.run_id}
    assert entries.loc["expr/early", "rank"] == entries.loc["expr/equal", "rank"]


def test_another_file_in_the_folder_keeps_two_rows(store: Store, run_record: RunFactory) -> None:
    more = run_record("expr/more", 0.5, files=SAME | {"scores.npz": "c" * 64})
    record(store, run_record("expr/a", 0.5, files=SAME), more)
    assert {entry.name for entry in load_board(store, VAL).runs} == {"expr/a", "expr/more"}


def test_test_runs_of_the_same_bytes_share_the_slot(store: Store, run_record: RunFactory, tmp_path: Path) -> None:
    first = run_record("expr/a", None, split="test", files=SAME)
    second = run_record("expr/b", None, split="test", files=SAME, created="2026-11-23T10:00:00+00:00")
    record(store, first, second)
    file = tmp_path / "predictions.txt"
    file.write_text("x")
    Ledger(tmp_path).send(file, "EXPR", run_id=second.run_id)
    sent = Ledger(tmp_path).read()
    entries = load_board(store, View(EXPR, "test", "Aff-Wild2"), sent=sent).runs
    assert [(entry.name, entry.test_file) for entry in entries] == [("expr/a", "sent as slot 1")]


def test_hidden_runs_are_left_out_but_for_the_switch(store: Store, run_record: RunFactory, tmp_path: Path) -> None:
    hidden, seen = run_record("expr/hidden", 0.7), run_record("expr/seen", 0.6)
    for run in (hidden, seen):
        (tmp_path / run.run_id).mkdir()
    Marks(hidden=True, tags=("old",)).write(tmp_path / hidden.run_id)
    store.record([(run, tmp_path / run.run_id) for run in (hidden, seen)])
    page = open_page()
    assert "expr/hidden" not in set(page.dataframe[0].value["name"])
    assert page.toggle(key="hidden").label == "Hidden runs (1)"
    switched = open_page(hidden="true")
    board = switched.dataframe[0].value.set_index("name")
    assert board.loc["expr/hidden", "tags"] == "old"
    alone = open_page("run", run=hidden.run_id)
    assert "Hidden: the board leaves this run out." in words_of(alone)
    assert "Tags: old" in words_of(alone)


def test_board_shows_test_file_short_id_and_day(store: Store, run_record: RunFactory) -> None:
    ended = {"run_id": "a-val-s0-1a2b3c4d"}
    record(
        store, run_record("expr/a", 0.4, **ended), run_record("expr/b", 0.3), run_record("expr/a", None, split="test")
    )
    board = open_page().dataframe[0].value.set_index("name")
    assert board.loc["expr/a", ["test_file", "short_id", "day"]].tolist() == ["made", "1a2b3c4d", "2026-11-22"]
    assert board.loc["expr/b", "test_file"] == "none"


def test_waiting_runs_need_weights_until_these_arrive(
    store: Store, run_record: RunFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = MissingDependencyError("the weights are missing")
    note = Failure.of(error, seed=0, task="EXPR", split="val", name="expr/w", data_name="lab")
    store.record([(run_record(), tmp_path)], failures=[(note, tmp_path / "failure.json")])
    here = {"w": False}

    def needs(name: str, settings: object) -> list[Need] | None:
        return [Need("weights", "w", "abaw weights fetch w", here=here["w"])] if name == "expr/w" else None

    monkeypatch.setattr("harness.board.waiting.needs_of_solution", needs)
    page = open_page()
    assert [expander.label for expander in page.expander] == ["Needs weights or packages: 1 run of EXPR"]
    assert "abaw weights fetch w" in words_of(page)
    here["w"] = True
    assert not open_page().expander
