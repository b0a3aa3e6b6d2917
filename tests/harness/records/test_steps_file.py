"""The file that keeps a run's classes after each step, and a record that counts them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import DataError
from harness.metrics.steps import StepTrace
from harness.records.run import RunRecord
from harness.records.steps import STEPS_FILE, read_traces, write_traces
from harness.system.provenance import sha256_of

ROW = {"step": "smoothing", "decisions": 10, "changed": 3, "corrected": 2, "worsened": 1}


def trace(rows=6):
    rng = np.random.default_rng(rows)
    decisions = rng.integers(0, 8, (rows, 3)).astype(np.uint8)
    decisions[0] = 5  # no step changed this one
    return StepTrace(decisions, rng.random((rows, 3)).astype(np.float16))


@pytest.fixture
def folder(tmp_path):
    """A run's folder with the steps of two videos and the hash of their file."""
    write_traces(tmp_path / STEPS_FILE, {"a": trace(6), "b_left": trace(3)})
    (tmp_path / "run.json").write_text(json.dumps({"files": {STEPS_FILE: sha256_of(tmp_path / STEPS_FILE)}}))
    return tmp_path


def test_classes_and_probabilities_come_back(folder):
    traces = read_traces(folder, 8, 2)
    assert [*traces] == ["a", "b_left"]
    for rows, name in ((6, "a"), (3, "b_left")):
        np.testing.assert_array_equal(traces[name].decisions, trace(rows).decisions)
        assert (traces[name].probabilities[0] == 0).all()
        changed = (trace(rows).decisions != trace(rows).decisions[:, :1]).any(1)
        assert changed.any()
        np.testing.assert_array_equal(traces[name].probabilities[changed], trace(rows).probabilities[changed])


def test_file_that_was_changed_is_refused(folder):
    path = folder / STEPS_FILE
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match="a run's steps can't be read; found a changed file"):
        read_traces(folder, 8, 2)


@pytest.mark.parametrize(("classes", "steps"), [(2, 2), (8, 3), (8, 1)])
def test_file_of_another_run_is_refused(folder, classes, steps):
    with pytest.raises(DataError, match="not the steps of this run"):
        read_traces(folder, classes, steps)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 0.5, 300])
def test_classes_that_are_none_are_refused(folder, value):
    broken = trace()
    decisions = broken.decisions.astype(np.float16)
    decisions[2, 1] = value
    write_traces(folder / STEPS_FILE, {"a": StepTrace(decisions, broken.probabilities)})
    (folder / "run.json").write_text(json.dumps({"files": {STEPS_FILE: sha256_of(folder / STEPS_FILE)}}))
    with pytest.raises(DataError, match="not the steps of this run"):
        read_traces(folder, 8, 2)


def test_record_with_steps_comes_back_and_one_without_lacks_them(run_record, tmp_path):
    run_record(steps=[ROW]).write(tmp_path)
    assert RunRecord.read(tmp_path).steps == [ROW]
    assert "steps" not in run_record().plain()
    assert run_record(steps=[]).plain()["steps"] == []


@pytest.mark.parametrize("change", [{"changed": -1}, {"corrected": "2"}, {"step": 3}])
def test_record_with_broken_steps_is_refused(run_record, tmp_path, change):
    run_record(steps=[{**ROW, **change}]).write(tmp_path)
    with pytest.raises(DataError, match="not a readable run record"):
        RunRecord.read(tmp_path)
