"""Whole processes at the size of the real test sets, imports included: what one waits for at the prompt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.files.one_file import write_one_file
from harness.tasks import TASKS
from tests.benchmarks.drawn import official_frames

SCRIPT = Path(__file__).with_name("pandas_score.py")
ABAW = [sys.executable, "-m", "harness.cli.main"]


def drawn(task, n, rng):
    """Labels and decisions of a video, one frame in twenty not annotated."""
    blank = rng.random(n) < 0.05
    if task.kind == "values":
        labels = rng.normal(0, 0.4, (n, 2)).clip(-1, 1).round(3)
        decisions = (labels + rng.normal(0, 0.3, (n, 2))).clip(-1, 1)
    elif task.kind == "binaries":
        labels = (rng.random((n, 12)) < 0.2).astype(int)
        decisions = np.where(rng.random((n, 12)) < 0.2, 1 - labels, labels)
    else:
        labels = rng.integers(0, 8, n)
        decisions = np.where(rng.random(n) < 0.4, labels, rng.integers(0, 8, n))
    labels[blank] = task.invalid
    return labels, decisions


def write_labels(folder, task, labels):
    """Write a label file per video, as the organisers' annotations are."""
    folder.mkdir()
    for video, values in labels.items():
        rows = [",".join(f"{v:g}" for v in np.atleast_1d(row)) for row in values]
        (folder / f"{video}.txt").write_text("\n".join([task.header, *rows, ""]))


@pytest.fixture(scope="module", params=["EXPR", "VA", "AU"])
def files(request, tmp_path_factory):
    """Task, rows, template, file, the same file out of order, and labels, as large as the real test set."""
    task, rng = TASKS[request.param], np.random.default_rng(0)
    frames = official_frames(f"{task.name.lower()}_test_n")
    folder = tmp_path_factory.mktemp(task.name)
    labels, decisions = {}, {}
    for name, n in frames.items():
        labels[name], decisions[name] = drawn(task, n, rng)
    write_labels(folder / "labels", task, labels)
    write_one_file(folder / "file.txt", task, decisions, list(frames))
    write_one_file(folder / "template.txt", task, {k: np.zeros_like(v) for k, v in decisions.items()}, list(frames))
    header, *rows = (folder / "file.txt").read_text().splitlines()
    rng.shuffle(rows)
    (folder / "shuffled.txt").write_text("\n".join([header, *rows, ""]))
    return task, sum(frames.values()), folder


def output(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["file.txt", "shuffled.txt"])
def test_scoring(beside, files, tmp_path, name):
    task, rows, folder = files
    runs = iter(range(100))

    def ours():
        options = ("--task", task.name, "--labels", folder / "labels", "--json")
        record = ("--record", "--name", f"run {next(runs)}", "--out", tmp_path / "out")
        return json.loads(output(*ABAW, "score", folder / name, *options, *record))["scores"][0]

    def same(theirs, score):
        assert abs(float(theirs) - score["value"]) < 1e-9
        assert score["low"] < score["value"] < score["high"]

    beside(
        f"{task.name}: `abaw score --record`: checked, joined, scored, 10,000 replicates, stored",
        f"{rows:,} rows" + (" out of order" if name == "shuffled.txt" else ""),
        "a script with pandas and scikit-learn: parse, join, metric",
        theirs=lambda: output(sys.executable, SCRIPT, task.name, folder / name, folder / "labels"),
        ours=ours, same=same, repeats=2,
    )  # fmt: skip


def test_validation(beside, files):
    task, rows, folder = files
    beside(
        f"{task.name}: `abaw validate` with its template",
        f"{rows:,} rows",
        "a script with pandas and scikit-learn: parse, join, metric",
        theirs=lambda: output(sys.executable, SCRIPT, task.name, folder / "file.txt", folder / "labels"),
        ours=lambda: output(
            *ABAW, "validate", folder / "file.txt", "--task", task.name, "--template", folder / "template.txt"
        ),
        same=lambda theirs, ours: None, repeats=2,
    )  # fmt: skip
