"""The commands of a plan run as they are printed, and make valid official files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.files.checking.submission import validate
from harness.records.run import RunRecord
from tests.support import shortened

pytestmark = pytest.mark.slow


@pytest.fixture
def _cut_down():
    with shortened.cut_down_recipes():
        yield


@pytest.mark.usefixtures("_cut_down")
def test_every_command_of_a_plan_makes_its_file(tmp_path, drawn_once, fill_cache, monkeypatch):
    monkeypatch.setenv("ABAW_CACHE", str(fill_cache(tmp_path / "cache")))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "all runs"

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(cli, arguments)
        assert done.exception is None, (arguments, done.output, done.exception)
        return done.stdout

    places = ("--data", str(drawn_once), "--out", str(out))
    runs = [
        json.loads(call("run", "expr/tiny-mlp-smooth", "--seed", seed, *places, "--json"))["run_id"]
        for seed in ("0", "1")
    ]
    call("blend", *runs, "--task", "EXPR", "--name", "two seeds", *places)
    plan = json.loads(call("plan", "--task", "EXPR", "--out", str(out), "--json"))
    assert [own["trained_on"] for own in plan["submissions"]].count("train+val") == 2
    assert {own["name"] for own in plan["submissions"]} == {"expr/two seeds", "expr/tiny-mlp-smooth"}
    for submission in plan["submissions"]:
        for line in submission["commands"]:
            program, *arguments = shlex.split(line)
            assert program == "abaw"
            made = json.loads(call(*arguments, "--json"))
        record = RunRecord.read(Path(made["folder"]))
        assert (record.name, record.split, record.trained_on) == (
            submission["name"],
            "test",
            submission["trained_on"],
        )
        assert validate(Path(made["archive"]), task="EXPR").valid
