"""Fixtures of the competition side: data sets, official files, run records and processes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.record import RunRecord
from harness.tasks import EXPR, Task
from tests.support.data_trees import Tree
from tests.support.places import REPOSITORY
from tests.support.records import make_record


@pytest.fixture
def tree(tmp_path) -> Tree:
    """An empty data set."""
    root = tmp_path / "data"
    root.mkdir()
    return Tree(root)


@pytest.fixture
def small_tree(tree) -> Tree:
    """Two training videos, one of validation, one of test, for EXPR."""
    tree.labels("train", "a", [0, 1, 2])
    tree.labels("train", "b_left", [3, -1, 5, 6])
    tree.labels("val", "c", [7, 7])
    tree.template({"d": 3})
    for name, n in {"a": 3, "b_left": 4, "c": 2, "d": 3}.items():
        tree.crops(name, range(1, n + 1))
    return tree


@pytest.fixture
def submission(tmp_path) -> Callable[..., Path]:
    """Writes an official file: a header, then the rows as given."""

    def write(*rows: str, task: Task = EXPR, header: str | None = None, end: str = "\n") -> Path:
        path = tmp_path / "predictions.txt"
        lines = [task.submission_header if header is None else header, *rows]
        path.write_bytes("\n".join(lines).encode() + end.encode())
        return path

    return write


@pytest.fixture
def run_record() -> Callable[..., RunRecord]:
    """Makes a run record; any field can be given."""
    return make_record


@pytest.fixture
def python() -> Callable[..., subprocess.Popen[str]]:
    """Starts a Python process that runs ``code`` with the repository importable; what it gets is ``argument``."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, argument: Any = None) -> subprocess.Popen[str]:
        prefix = f"import json, sys\nargument = json.loads({json.dumps(json.dumps(argument, default=str))})\n"
        process = subprocess.Popen(
            [sys.executable, "-c", prefix + textwrap.dedent(code)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
