"""EMI and AH by the command line: drawn data, a run, a file to send in, the board."""

from __future__ import annotations

import json

import pytest

from harness.datasets.synthetic import write_bah, write_vidmimic

pytestmark = pytest.mark.process


@pytest.fixture
def vidmimic(tmp_path):
    write_vidmimic(tmp_path / "emi", seed=1, videos={"train": 8, "val": 6, "test": 2}, frames=20)
    return tmp_path / "emi"


@pytest.fixture
def bah(tmp_path):
    write_bah(tmp_path / "ah", seed=1, videos={"train": 8, "val": 6, "test": 2}, frames=30)
    return tmp_path / "ah"


def test_emi_submission_is_packed_and_names_no_template(vidmimic, tmp_path, abaw):
    out = tmp_path / "out"
    done = abaw("submit", "emi/log-mel", "--data", vidmimic, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "to send in" in done.stdout
    assert f"checked        valid against the list of test videos {vidmimic}" in done.stdout
    assert "the order of the rows was not checked" in done.stdout
    assert "--template" not in done.stdout
    (archive,) = (out / "EMI").glob("*.zip")
    checked = abaw("validate", archive)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("solution", "data"), [("emi/log-mel", "vidmimic"), ("ah/log-mel", "bah")])
def test_run_is_scored_and_stands_on_the_board(solution, data, request, tmp_path, abaw):
    root, out = request.getfixturevalue(data), tmp_path / "out"
    done = abaw("run", solution, "--data", root, "--out", out, "--split", "val", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert {row["estimate"] for row in record["scores"]} >= {"headline", "constant"}
    board = abaw("runs", "--out", out, "--format", "csv")
    assert board.returncode == 0, board.stderr
    assert record["run_id"] in board.stdout
