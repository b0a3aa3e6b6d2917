"""``run.json``: the truth about a run; everything else can be rebuilt from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import DataError
from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.records.run import (
    FORMAT,
    HEADLINE,
    RUN_FILE,
    STATISTICS_FILE,
    TUNED_ON_ALL,
    RunRecord,
    constant_row,
    score_rows,
    statistics_of,
)
from harness.tasks import EXPR


def test_what_is_read_is_what_was_written(run_record, tmp_path):
    record = run_record()
    record.write(tmp_path)
    assert RunRecord.read(tmp_path) == record


def test_the_statistics_stand_apart(run_record, tmp_path):
    run_record().write(tmp_path)
    assert "statistics" not in json.loads((tmp_path / RUN_FILE).read_text())
    assert set(json.loads((tmp_path / STATISTICS_FILE).read_text())["headline"]) == {"a", "b_left"}


def test_names_are_readable_in_any_language(run_record, tmp_path):
    run_record(notes=["Überraschung: 惊讶"]).write(tmp_path)
    assert "Überraschung: 惊讶" in (tmp_path / RUN_FILE).read_text(encoding="utf-8")


def test_fields_missing_in_older_versions_take_their_default(run_record, tmp_path):
    run_record().write(tmp_path)
    content = json.loads((tmp_path / RUN_FILE).read_text())
    del content["notes"], content["constant"]
    (tmp_path / RUN_FILE).write_text(json.dumps(content))
    assert RunRecord.read(tmp_path).notes == ()


def test_fields_nobody_knows_are_passed_over(run_record, tmp_path):
    run_record().write(tmp_path)
    content = json.loads((tmp_path / RUN_FILE).read_text())
    (tmp_path / RUN_FILE).write_text(json.dumps({**content, "mood": "good"}))
    assert RunRecord.read(tmp_path) == run_record()


def test_a_newer_format_is_refused_even_where_its_files_differ(run_record, tmp_path):
    run_record(format=FORMAT + 1).write(tmp_path)
    (tmp_path / STATISTICS_FILE).unlink()
    with pytest.raises(DataError, match=r"run\.json: written by a newer version; found format 2, expected at most 1"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', '{"format": "x"}'])
def test_what_is_no_record_is_named(run_record, tmp_path, text):
    run_record().write(tmp_path)
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(DataError, match=r"run\.json: not a readable run record"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize("name", [RUN_FILE, STATISTICS_FILE])
def test_a_missing_file_is_named(run_record, tmp_path, name):
    run_record().write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"not a readable run record; found .*{name}"):
        RunRecord.read(tmp_path)


def test_a_score_is_found_by_estimate_metric_and_target(run_record):
    record = run_record()
    assert record.score()["value"] == 0.41
    assert record.score(TUNED_ON_ALL)["value"] == 0.44
    assert record.score(metric="accuracy")["value"] == 0.52
    assert record.score(metric="f1", target="Neutral")["value"] == 0.60
    assert record.score("nobody's") is None
    assert run_record(scores=[]).score() is None


def test_a_score_card_becomes_rows_of_plain_data(run_record, tmp_path):
    labels = {"a": np.array([0, 1, 2]), "b": np.array([2, 2])}
    metric = metric_for(EXPR)
    card = score_card(EXPR, tuple(labels), video_statistics(EXPR, metric, labels, labels))
    rows = [*score_rows(card, HEADLINE), constant_row(card)]
    record = run_record(scores=rows, statistics={HEADLINE: statistics_of(card)})
    record.write(tmp_path)
    again = RunRecord.read(tmp_path)
    assert again == record
    assert again.score()["metric"] == "macro_f1"
    assert again.score("constant") == {
        "estimate": "constant", "metric": "macro_f1", "version": 1, "target": "all",
        "value": pytest.approx(2 * 3 / (3 + 5) / 8), "low": None, "high": None,
    }  # fmt: skip
    assert np.array_equal(np.array(again.statistics[HEADLINE]["b"]), card.statistics[1])


def test_runs_that_differ_in_the_seed_alone_share_a_setup(run_record):
    assert run_record("a").setup == run_record("b", seed=1, created="2026-04-01T00:00:00+00:00").setup
    others = [
        run_record(recipe={"encoder": "other"}),
        run_record(trained_on="train+val"),
        run_record(split="test"),
        run_record(data={**run_record().data, "fingerprint": "0" * 64}),
        run_record(provenance={"source": "changed"}),
        run_record("c", seed=None),
        run_record("d", seed=None),
    ]
    assert len({run.setup for run in [run_record(), *others]}) == len(others) + 1
