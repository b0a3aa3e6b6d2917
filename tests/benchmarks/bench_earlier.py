"""Commands of this tree beside the same commands of an earlier one: whole processes, both sides in turn.

``ABAW_BENCH_BASE`` names a folder that holds the earlier tree, or a commit of this repository; 8150a01, unless it is
set. Each line says how many times as fast this tree is: 1 / 0.55 = 1.82, 1 / 0.6 = 1.67, 1 / 0.85 = 1.18.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.synthetic import write_affwild2
from harness.files.one_file import write_one_file
from harness.tasks import EXPR, TASKS
from tests.benchmarks.bench_commands import drawn, write_labels
from tests.benchmarks.drawn import official_frames
from tests.support.places import REPOSITORY

BASE = os.environ.get("ABAW_BENCH_BASE", "8150a01")
PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder of the earlier tree."""
    if Path(BASE).is_dir():
        return Path(BASE)
    folder = tmp_path_factory.mktemp("base")
    archive = folder.with_suffix(".tar")
    made = subprocess.run(["git", "-C", REPOSITORY, "archive", "-o", archive, BASE], capture_output=True)
    if made.returncode:
        pytest.skip(f"no earlier tree: {BASE} is no folder, and no commit of this checkout")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture
def run(tmp_path):
    """What runs a command of a tree and returns its output; bytecode is kept, as in an installation."""

    def call(tree, *arguments, peak=False):
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-m", "harness.cli.main", *map(str, arguments)]
        command = [sys.executable, "-c", PEAK, *command] if peak else command
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tree)
        return (done.stdout, int(done.stderr.splitlines()[-1])) if peak else done.stdout

    return call


@pytest.mark.parametrize("name", ["VA", "EXPR", "AU"])
def test_record_beside_an_earlier_tree(beside, base, run, tmp_path, name):
    task, rng = TASKS[name], np.random.default_rng(0)
    frames = official_frames(f"{name.lower()}_test_n")
    labels, decisions = {}, {}
    for video, n in frames.items():
        labels[video], decisions[video] = drawn(task, n, rng)
    write_labels(tmp_path / "labels", task, labels)
    path, numbers = tmp_path / "file.txt", itertools.count()
    write_one_file(path, task, decisions, list(frames))

    def score(tree, **options):
        out = ("--out", tmp_path / f"out of {tree.name}", "--record", "--name", f"run {next(numbers)}")
        return run(tree, "score", path, "--task", name, "--labels", tmp_path / "labels", "--json", *out, **options)

    def same(theirs, ours):
        for own, other in zip(json.loads(ours)["scores"], json.loads(theirs)["scores"], strict=True):
            assert own["target"] == other["target"]
            assert all(abs(own[key] - other[key]) < 1e-12 for key in ("value", "low", "high"))

    (_, theirs), (_, ours) = score(base, peak=True), score(REPOSITORY, peak=True)  # bytecode is there from now on, too
    assert ours < theirs * 1.05, f"peak memory {ours:,} KiB, {theirs:,} KiB before"
    beside(
        f"{name}: `abaw score --record`; peak memory {ours // 1024} MiB, {theirs // 1024} MiB before",
        f"{sum(frames.values()):,} rows",
        f"the same at {BASE[-12:]}",
        theirs=lambda: score(base), ours=lambda: score(REPOSITORY), same=same, repeats=5,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["validate", "show", "runs"])
def test_start_beside_an_earlier_tree(beside, base, run, tmp_path, command):
    rng = np.random.default_rng(0)
    decisions = {f"video{k}": rng.integers(0, 8, 500) for k in range(6)}
    path, template = tmp_path / "file.txt", tmp_path / "template.txt"
    write_one_file(path, EXPR, decisions, list(decisions))
    write_one_file(template, EXPR, {name: values * 0 for name, values in decisions.items()}, list(decisions))
    write_labels(tmp_path / "labels", EXPR, decisions)

    def made(tree):
        out = tmp_path / f"out of {tree.name}"
        options = ("--task", "EXPR", "--labels", tmp_path / "labels", "--out", out, "--record", "--name", "one")
        run(tree, "score", path, *options)
        call = {
            "validate": (path, "--template", template),
            "show": (next((out / "EXPR").iterdir()).name, "--out", out),
            "runs": ("--out", out),
        }
        run(tree, command, *call[command])  # bytecode is there from now on
        return lambda: run(tree, command, *call[command])

    def same(theirs, ours):
        assert theirs
        assert ours

    beside(
        f"`abaw {command}`",
        "a file of 3,000 rows" if command == "validate" else "a store of one run",
        f"the same at {BASE[-12:]}",
        theirs=made(base), ours=made(REPOSITORY), same=same, repeats=9,
    )  # fmt: skip


def test_ten_seeds_beside_an_earlier_tree(beside, base, run, tmp_path):
    """Heads of ten seeds on features that are in the cache: 30,000 drawn frames to train on, 10,000 of val."""
    write_affwild2(tmp_path / "data", seed=0, videos={"train": 30, "val": 10, "test": 1}, frames=1000)
    numbers = itertools.count()

    def made(tree):
        cache = tmp_path / f"cache of {tree.name}"

        def call():
            if (cache / "heads").is_dir():
                shutil.rmtree(cache / "heads")
            out = tmp_path / f"out {next(numbers)}"
            options = ("--data", tmp_path / "data", "--out", out, "--cache", cache, "--seeds", 10, "--json")
            return json.loads(run(tree, "run", "expr/tiny-mlp-smooth", *options))

        call()  # features are in the cache from now on, and bytecode is there
        return call

    def same(theirs, ours):
        assert [run["seed"] for run in ours] == [run["seed"] for run in theirs]
        # not to the bit: 8150a01 trains by two threads, whose products some processors round in another way
        means = [sum(run["scores"][0]["value"] for run in runs) / len(runs) for runs in (ours, theirs)]
        assert abs(means[0] - means[1]) < 0.02

    beside(
        "`abaw run --seeds 10`, features in the cache",
        "30,000 frames to train on",
        f"the same at {BASE[-12:]}",
        theirs=made(base), ours=made(REPOSITORY), same=same, repeats=3,
    )  # fmt: skip
