"""Which run on test belongs to a run on validation, as the board's column of test files sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board.on_test import MADE, states_on_test
from harness.board.slots import promised_by
from harness.records.run import FINAL
from harness.slots import Sent
from harness.store.store import Store

RECIPE = {"encoder": "landmarks", "hidden": [128, 64]}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results.duckdb")


def test_heads_of_both_splits_belong_to_those_of_train(store, run_record, tmp_path):
    val = run_record("val", recipe=RECIPE)
    both = run_record(
        "both", split="test", recipe=RECIPE | {FINAL: [{"epochs": 3}]}, trained_on="train+val", scores=[], statistics={}
    )
    other = run_record("other", recipe=RECIPE | {"hidden": [64]}, seed=0)
    store.record([(record, tmp_path) for record in (val, both, other)])
    states = states_on_test(store, [])
    assert {run_id: (state.step, state.run_id) for run_id, state in states.items()} == {
        "both": (MADE, "both"),
        "val": (MADE, "both"),
    }
    assert promised_by(store, ["both"])["val"].tolist() == ["val"]


def test_heads_that_have_seen_val_have_no_run_on_test(store, run_record, tmp_path):
    seen = run_record("seen", recipe=RECIPE, trained_on="train+val")
    test = run_record("test", split="test", recipe=RECIPE, scores=[], statistics={})
    store.record([(record, tmp_path) for record in (seen, test)])
    assert set(states_on_test(store, [])) == {"test"}
    assert promised_by(store, ["test"]).empty


def test_slots_of_several_editions_are_told_apart(store, run_record, tmp_path):
    runs = [run_record(name, split="test", recipe=RECIPE, seed=seed) for seed, name in enumerate(("early", "late"))]
    store.record([(run, tmp_path) for run in runs])
    entry = Sent(1, "EXPR", 8, "2026-03-01T00:00:00+00:00", "a.txt", "0" * 64, "0" * 64, 1, "early")
    later = replace(entry, number=2, edition=10, run_id="late", results=({"value": 0.386},))
    assert {name: state.words for name, state in states_on_test(store, [entry]).items()} == {
        "early": "sent as slot 1", "late": "made"
    }  # fmt: skip
    assert {name: state.words for name, state in states_on_test(store, [entry, later]).items()} == {
        "early": "sent as slot 1 of edition 8", "late": "0.386 (slot 1 of edition 10)"
    }  # fmt: skip
