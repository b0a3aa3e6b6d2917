"""The public interface: package ``abaw``, its exported names, their documentation and their examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import numpy as np
import pytest

import abaw
import harness
from harness import api
from tests.support.places import REPOSITORY
from tests.support.records import make_record

PUBLIC = [name for name in abaw.__all__ if name != "__version__"]


def test_dir_lists_the_public_names_alone():
    assert dir(abaw) == sorted(set(abaw.__all__)) == sorted(abaw.__all__)


def test_names_for_type_checkers_equal_names_at_run_time():
    tree = ast.parse((REPOSITORY / "abaw/__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed.keys() == set(abaw.__all__)
    for name, module in typed.items():
        assert getattr(importlib.import_module(module), name) is getattr(abaw, name) or name == "__version__"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_a_docstring(name):
    value = getattr(abaw, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert (inspect.getdoc(value) or "").strip()


def test_every_error_of_the_tree_that_api_documents_is_public():
    named = set(re.findall(r"^\s+(\w+Error):", "".join(inspect.getdoc(getattr(api, f)) for f in api.__all__), re.M))
    assert named
    assert named <= set(abaw.__all__)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = abaw.scores


@pytest.mark.parametrize("module", [abaw, api])
def test_examples_print_what_they_say(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(module)
    assert result.attempted > 1
    assert result.failed == 0


def test_version_is_that_of_the_package_metadata():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert abaw.__version__ == harness.__version__ == metadata.version(project["name"]) == project["version"]


def test_version_of_an_uninstalled_checkout_is_unknown(monkeypatch):
    monkeypatch.setattr(harness, "DISTRIBUTION", "no-such-distribution")
    assert harness.__version__ == "0+unknown"


@pytest.mark.process
def test_import_is_light():
    code = "import sys, abaw; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not {"numpy", "pandas", "torch", "duckdb", "click"} & set(done.stdout.split())


def test_lists_serve_as_arrays():
    labels, predictions = {"v": [0, 4, 6, 6]}, {"v": [0, 4, 4, 6]}
    arrays = [{name: np.array(values) for name, values in one.items()} for one in (predictions, labels)]
    assert abaw.score("EXPR", predictions, labels).headline == abaw.score("EXPR", *arrays).headline


def test_runs_lists_recorded_runs_of_a_task(tmp_path):
    from harness.store.store import Store

    path = tmp_path / "results.duckdb"
    assert abaw.runs(path).empty
    records = [make_record("a"), make_record("b")]
    Store(path).record([(record, tmp_path / record.run_id) for record in records])
    table = abaw.runs(path, task=records[0].task.lower())
    assert sorted(table["run_id"]) == sorted(record.run_id for record in records)
    assert abaw.runs(path, task="VD").empty
    assert np.isfinite(table["value"]).all()
    with pytest.raises(abaw.UnknownNameError, match="Did you mean EXPR"):
        abaw.runs(path, task="EXPRR")
