"""Fixtures of the competition side: data sets, official files, run records and processes."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records.run import RunRecord
from harness.tasks import EXPR, Task
from tests.support.data_trees import Tree
from tests.support.python_forks import Fork, PythonForks
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


def link_picture(source: str, target: str) -> str:
    """Copy a file, but link a picture."""
    if source.endswith(".jpg"):
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


@pytest.fixture
def tiny_dvd(tiny_dvd_once, tmp_path) -> Path:
    """A copy of the drawn scenes that a test may spoil. It may remove and rename pictures, but not write into them."""
    return Path(shutil.copytree(tiny_dvd_once, tmp_path / "tiny_dvd", copy_function=link_picture))


@pytest.fixture
def write_file(tmp_path) -> Callable[[str, str | bytes], Path]:
    """Writes text or bytes into a file of a name; line ends stay as they are."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "python" in getattr(item, "fixturenames", ()):
            item.add_marker("process")


@pytest.fixture(scope="session")
def python_forks() -> Iterator[PythonForks]:
    """The process that the fixture ``python`` forks."""
    with PythonForks() as forks:
        yield forks


@pytest.fixture
def python(python_forks: PythonForks) -> Iterator[Callable[..., Fork]]:
    """Starts a Python process that runs ``code`` with the repository importable; what it gets is ``argument``."""
    started: list[Fork] = []

    def start(code: str, argument: Any = None) -> Fork:
        prefix = f"import json, sys\nargument = json.loads({json.dumps(json.dumps(argument, default=str))})\n"
        started.append(python_forks.start(prefix + textwrap.dedent(code)))
        return started[-1]

    yield start
    for fork in started:
        fork.close()
