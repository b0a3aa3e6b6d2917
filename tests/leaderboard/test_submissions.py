"""The slot ledger: what was sent, beside what validation had said; the page, its links and its empty states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from harness.board.slots import of_view, promised_by, run_ids_of, sent_entries, slot_counts
from harness.board.tables.slots import left_table, sent_table
from harness.files.archives.fingerprint import Fingerprint
from harness.records.run import RunRecord
from harness.slots import EDITION, LEDGER_FILE, Ledger, Sent
from harness.store.store import Store
from harness.tasks import TASKS
from leaderboard.charts.shift import shift_chart
from tests.support.app_pages import links_of, open_page, words_of
from tests.support.scored_runs import record

RunFactory = Callable[..., RunRecord]
HOSTILE = 'expr/<script>alert(1)</script> **b** _i_ $x$ & 100% "q" 😀'


@pytest.fixture
def ledger(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The ledger that the page will open; there is no file before something is sent."""
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("ABAW_OUT", str(out))
    return Ledger(out)


def send(ledger: Ledger, run_id: str | None = None, task: str = "EXPR", edition: int = EDITION, note: str = "") -> Sent:
    number = len(ledger.read()) + 1
    mark = Fingerprint(f"{number:064x}", f"{number:064x}", 10, ())
    return ledger.send(Path(f"runs/{number}.txt"), task, edition, mark=mark, run_id=run_id, note=note, despite=True)


def on_test(run_record: RunFactory, **changes: object) -> RunRecord:
    return run_record(score=None, split="test", **changes)


def entries_of(ledger: Ledger, store: Store) -> pd.DataFrame:
    sent = ledger.read()
    return sent_entries(sent, store.runs(), promised_by(store, run_ids_of(sent)))


# --- slots


def test_every_task_of_latest_edition_shows_its_slots_first() -> None:
    counts = slot_counts([])
    assert [(c.task, c.edition, c.sent, c.left) for c in counts] == [
        ("AHV", 11, 0, 5),
        *((task, EDITION, 0, 5) for task in ("EXPR", "VA", "AU", "VD", "EMI")),
        ("AH", 8, 0, 5),
    ]
    assert [c.task for c in slot_counts([], edition=8)] == ["EXPR", "VA", "AU", "VD", "EMI", "AH"]


def test_slots_are_counted_by_task_and_edition_down_to_zero(ledger: Ledger) -> None:
    for _ in range(6):
        send(ledger)
    send(ledger, edition=8)
    send(ledger, task="MTL")
    sent = ledger.read()
    left = {(c.task, c.edition): (c.sent, c.left) for c in slot_counts(sent)}
    assert left["EXPR", EDITION] == (6, 0)
    assert left["EXPR", 8] == (1, 4)
    assert left["MTL", EDITION] == (1, 4)
    assert left["VA", EDITION] == (0, 5)
    assert [c.edition for c in slot_counts(sent, task="EXPR")] == [EDITION, 8]
    assert [c.task for c in slot_counts(sent, task="MTL", edition=EDITION, slots=2)] == ["MTL"]


# --- what validation had said


def test_test_score_is_shown_beside_its_validation_run(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    runs = [
        run_record("expr/a", 0.40, seed=1, recipe={"w": 5}),
        run_record("expr/a", 0.60, seed=2, recipe={"w": 5}),
        run_record("expr/a", 0.70, seed=1, recipe={"w": 9}, run_id="another-recipe"),
        run_record("expr/a", 0.80, seed=1, recipe={"w": 5}, data_name="lab", run_id="other-data"),
        run_record("expr/b", 0.90, seed=1, recipe={"w": 5}),
        run_record("expr/a", 0.99, seed=1, recipe={"w": 5}, status="partial", run_id="not-whole"),
    ]
    test = on_test(run_record, name="expr/a", seed=1, recipe={"w": 5})
    record(store, *runs, test)
    number = send(ledger, test.run_id).number
    ledger.result(number, 0.30)
    ledger.result(number, 0.35)
    row = entries_of(ledger, store).iloc[0]
    assert row["val_run_id"] == runs[0].run_id
    assert row["val"] == pytest.approx(0.40)
    assert row["test"] == pytest.approx(0.35)
    assert row["shift"] == pytest.approx(-0.05)
    assert row["beside"] == "below"  # of 0.37 to 0.43
    assert row["earlier"] == "0.3000"


def test_heads_on_both_stand_beside_val_of_heads_on_train(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    val = run_record("expr/a", 0.40, recipe={"w": 5})
    leaked = run_record("expr/a", 0.99, recipe={"w": 5, "final": [1]}, trained_on="train+val", run_id="leaked")
    test = on_test(run_record, name="expr/a", recipe={"w": 5, "final": [1]}, trained_on="train+val")
    record(store, val, leaked, test)
    send(ledger, test.run_id)
    row = entries_of(ledger, store).iloc[0]
    assert (row["val_run_id"], row["val"], row["trained_on"]) == (val.run_id, pytest.approx(0.40), "train+val")
    said = "Val is the score of the same solution with heads trained on train alone"
    assert said in " ".join(sent_table(entries_of(ledger, store)).notes)
    assert said in words_of(open_page("submissions"))


def test_the_newest_of_several_validation_runs_counts(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    old = run_record("expr/a", 0.4, run_id="old", created="2026-01-01T00:00:00+00:00")
    new = run_record("expr/a", 0.5, run_id="new", created="2026-02-01T00:00:00+00:00")
    test = on_test(run_record, name="expr/a")
    record(store, new, old, test)
    send(ledger, test.run_id)
    assert entries_of(ledger, store)["val_run_id"].iloc[0] == "new"


def test_where_the_test_score_lies_beside_the_interval(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    test = on_test(run_record)
    record(store, run_record(half=0.03), test)
    for value in (0.36, 0.3701, 0.4299, 0.44):
        ledger.result(send(ledger, test.run_id).number, value)
    assert list(entries_of(ledger, store)["beside"]) == ["above", "inside", "inside", "below"]


def test_a_run_on_validation_promises_nothing_of_itself(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    run = run_record()
    record(store, run)
    send(ledger, run.run_id)
    row = entries_of(ledger, store).iloc[0]
    assert row["name"] == run.name
    assert pd.isna(row["val"])


def test_seedless_runs_meet_too(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    val = replace(run_record("blend", 0.5, run_id="v"), seed=None)
    test = replace(on_test(run_record, name="blend", run_id="t"), seed=None)
    record(store, val, test)
    send(ledger, "t")
    assert entries_of(ledger, store)["val_run_id"].iloc[0] == "v"


def test_what_nobody_knows_is_left_empty(ledger: Ledger, store: Store) -> None:
    send(ledger)
    send(ledger, "gone")
    found = sent_entries(ledger.read(), store.runs(), promised_by(store, ["gone"]))
    assert list(found["number"]) == [2, 1]
    assert found[["name", "val", "test", "shift"]].isna().all(axis=None)


# --- tables


def test_the_best_returned_score_is_bold_among_its_own_kind_only(ledger: Ledger, store: Store) -> None:
    for task in ("EXPR", "EXPR", "VA"):
        ledger.result(send(ledger, task=task).number, 0.5)
    found = entries_of(ledger, store)
    best = {len(t.rows): any(c.best for c in t.columns) for t in map(sent_table, (found, of_view(found, "EXPR", None)))}
    assert best == {3: False, 2: True}


def test_the_tables_hold_what_was_sent_and_what_is_left(ledger: Ledger, store: Store) -> None:
    ledger.result(send(ledger, note="first try").number, 0.386)
    table = sent_table(entries_of(ledger, store))
    cells = {column.key: table.cell(0, column) for column in table.columns}
    assert cells["slot"] == "1 of 5"
    assert cells["test"] == "0.3860"
    assert cells["note"] == "first try"
    assert "seed" not in cells  # nothing to say
    assert cells["sha256"] == f"{1:064x}"
    left = left_table(slot_counts(ledger.read(), task="EXPR"))
    assert [left.cell(0, column) for column in left.columns] == ["EXPR", str(EDITION), "1", "4", "5", "0.386"]
    assert sent_table(entries_of(ledger, store).iloc[:0]).rows == ()


def test_the_chart_has_a_row_each_with_both_scores(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    test = on_test(run_record)
    record(store, run_record(), test)
    ledger.result(send(ledger, test.run_id).number, 0.35)
    send(ledger)
    found = shift_chart(entries_of(ledger, store)).to_dict()
    rows = next(iter(found["datasets"].values()))
    assert list(dict.fromkeys(row["row"] for row in rows)) == ["2. EXPR unknown run", f"1. EXPR {test.name}"]
    points = {(row["row"][0], row["what"].partition(",")[0]): row["value"] for row in rows}
    assert points == {("1", "validation"): 0.4, ("1", "test"): 0.35, ("2", "validation"): None, ("2", "test"): None}
    assert rows[-1]["shift"] == "-0.050"


# --- the page


def sent_frame(page: AppTest) -> pd.DataFrame:
    return page.dataframe[-1].value


def test_empty_ledger_shows_instructions_and_number_of_slots(ledger: Ledger) -> None:
    page = open_page("submissions")
    assert "Nothing was sent yet" in words_of(page)
    assert "abaw slots send" in words_of(page)
    left = page.dataframe[0].value
    assert list(left["left"]) == list(left["slots"]) == [5] * len(TASKS)
    assert not ledger.path.exists()


def test_the_page_shows_what_was_sent_and_what_came_back(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    test = on_test(run_record)
    record(store, run_record(), test)
    ledger.result(send(ledger, test.run_id, note="first").number, 0.35)
    send(ledger, task="VA")
    page = open_page("submissions")
    shown = sent_frame(page)
    assert list(shown["number"]) == [2, 1]
    assert list(shown["test"].dropna()) == [0.35]
    assert shown["shift"].iloc[1] == pytest.approx(-0.05)
    assert "abaw slots result 2 VALUE" in words_of(page)
    assert str(ledger.path) in words_of(page)


def test_the_address_narrows_to_a_task_and_an_edition(ledger: Ledger) -> None:
    send(ledger)
    send(ledger, edition=8)
    send(ledger, task="VA", edition=8)
    page = open_page("submissions", task="EXPR", edition="8")
    assert list(sent_frame(page)["number"]) == [2]
    assert list(page.dataframe[0].value["task"]) == ["EXPR"]
    page = open_page("submissions", task="NOPE", edition="99")
    assert len(sent_frame(page)) == 3
    assert "The link names task NOPE" in words_of(page)
    assert "The link names edition 99" in words_of(page)


def test_a_selected_row_shows_its_file_and_leads_to_its_run(
    ledger: Ledger, store: Store, run_record: RunFactory
) -> None:
    test, val = on_test(run_record), run_record()
    record(store, val, test)
    send(ledger, test.run_id)
    page = open_page("submissions")
    page.session_state[page.dataframe[-1].key] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    page.run()
    assert not page.exception
    assert f"sha256 {1:064x}" in words_of(page)
    wanted = {"Open run": test.run_id, "Open its validation run": val.run_id}
    assert links_of(page) == {label: f"run?run={run_id}" for label, run_id in wanted.items()}


def test_a_missing_validation_run_comes_with_its_command(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    test = on_test(run_record, name="expr/a", seed=3)
    record(store, test)
    send(ledger, test.run_id)
    assert "abaw run expr/a --data ROOT --split val --seed 3" in words_of(open_page("submissions"))


def test_a_broken_ledger_is_named_and_left_as_it_is(ledger: Ledger) -> None:
    ledger.path.write_text("{ broken")
    page = open_page("submissions")
    assert "can't be read" in words_of(page)
    assert LEDGER_FILE in words_of(page)
    assert ledger.path.read_text() == "{ broken"


def test_a_ledger_of_a_newer_version_asks_for_an_update(ledger: Ledger) -> None:
    ledger.path.write_text('{"format": 99, "sent": []}')
    assert "Update abaw-harness" in words_of(open_page("submissions"))


def test_unreadable_store_leaves_the_ledger_on_screen(ledger: Ledger, store: Store) -> None:
    send(ledger, "some-run")
    store.path.write_bytes(b"not a database, but a text" * 400)
    page = open_page("submissions")
    assert "results store can't be read" in words_of(page)
    assert list(sent_frame(page)["number"]) == [1]


def test_markup_in_names_and_notes_is_shown_literally(ledger: Ledger, store: Store, run_record: RunFactory) -> None:
    test = on_test(run_record, name=HOSTILE)
    record(store, test)
    send(ledger, test.run_id, note=HOSTILE)
    page = open_page("submissions")
    assert sent_frame(page)["name"].iloc[0] == HOSTILE
    assert sent_frame(page)["note"].iloc[0] == HOSTILE
    page.session_state[page.dataframe[-1].key] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    page.run()
    for kind in (page.markdown, page.caption, page.info, page.warning, page.error):
        assert all("<script>" not in str(element.value) for element in kind)
    assert f"Note: {HOSTILE}" in [text.value for text in page.text]
