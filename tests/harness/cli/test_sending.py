"""The end of ``abaw submit``: the verdict on the official file, the rows it was held against, and where it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.cli.sending import packed_submission
from harness.datasets.open import open_dataset
from harness.records.run import RunRecord
from harness.runs.finished import Finished
from harness.tasks import EXPR

pytestmark = pytest.mark.slow


@pytest.fixture
def submitted(short_once, tmp_path):
    """Return a function that calls ``abaw submit`` on drawn data and returns what it prints on stdout."""

    def submit(*arguments: str) -> str:
        places = [f"--{name}={tmp_path / name}" for name in ("out", "cache")]
        done = CliRunner().invoke(
            cli, ["submit", "expr/tiny-mlp-smooth", f"--data={short_once}", *places, "--device=cpu", *arguments]
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    return submit


def template_below(root: Path) -> Path:
    return next((root / "test_set_examples").glob("*Expr*"))


def test_submit_says_valid_against_which_template(submitted, short_once):
    template = template_below(short_once)
    n_rows = len(template.read_text().splitlines()) - 1
    assert f"checked        valid against the template {template}: {n_rows:,} rows, 1 video" in submitted()
    content = json.loads(submitted("--json"))
    assert (content["valid"], content["verdict"], content["errors"]) == (True, "valid", [])
    assert (content["template"], content["test_list"]) == (str(template), None)
    assert (content["rows"], content["videos"]) == (n_rows, 1)


def test_file_that_lacks_rows_of_a_template_is_not_valid(submitted, short_once, tmp_path, capsys):
    folder = Path(json.loads(submitted("--json"))["folder"])
    template = tmp_path / template_below(short_once).name
    template.write_text(template_below(short_once).read_text() + "unseen/00001.jpg,0\n")
    other = open_dataset(short_once, EXPR, template=template)
    ready = packed_submission(Finished(RunRecord.read(folder), folder, reused=True), other)
    assert not ready.valid
    assert ready.verdict.startswith("NOT valid (1 error) against the template ")
    ready.show()
    shown = capsys.readouterr()
    assert f"checked        {ready.verdict}" in shown.out
    assert "unseen" in shown.err
