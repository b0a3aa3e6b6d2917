"""``abaw run`` under way: the steps of the whole job on stderr, in order, and nothing but results on stdout."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli

SOLUTION = "expr/tiny-mlp-smooth"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def places(tmp_path_factory, drawn_once: Path) -> list[str]:
    home = tmp_path_factory.mktemp("job")
    return [f"--data={drawn_once}", *(f"--{name}={home / name}" for name in ("out", "cache")), "--device=cpu"]


def run(places: list[str], *arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["run", SOLUTION, *places, *arguments])
    assert done.exit_code == 0, done.output
    return done


def steps(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match("step [0-9]+ of [0-9]+: ", line)]


def test_steps_of_two_seeds_then_what_is_there_takes_none(places):
    first = run(places, "--seeds", "2", "--json")
    lines = [line for line in first.stderr.splitlines() if not line.startswith("loading torch")]
    assert lines[0].startswith(f"{SOLUTION} on val, seeds 0 to 1: opening")  # before anything is imported or read
    assert lines[1].startswith("plan: cpu")
    assert len(json.loads(first.stdout)) == 2
    told = steps(first.stderr)
    assert [line.partition(":")[0] for line in told] == [f"step {k} of 7" for k in range(1, 8)]
    assert told[0].startswith("step 1 of 7: encode tiny")
    assert "train mlp-128 on train (seed 0)" in told[1]
    assert "window chosen (seed 0)" in told[2]
    assert "train mlp-128 on train (seed 1)" in told[4]
    third = run(places, "--seeds", "3", "--json")
    assert "; 2 of 3 runs are there already" in third.stderr
    assert [line.partition(":")[0] for line in steps(third.stderr)] == [f"step {k} of 3" for k in range(1, 4)]


def test_quiet_leaves_results_alone(places):
    done = run(places, "--seed", "0", "-q")
    assert done.stderr == ""
    assert "macro-F1" in done.stdout
    assert "note:" not in done.stdout
    assert "note:" in run(places, "--seed", "0").stdout
