"""The note before a slow library is loaded: once, on stderr, at the import itself."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from harness.system import slow_imports
from harness.system.slow_imports import announced_imports
from tests.support.commands import start_command

LIBRARY = "library_that_loads_slowly"


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A module that stands for the slow library, and that nothing has loaded yet."""
    (tmp_path / f"{LIBRARY}.py").write_text("print('loaded')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(slow_imports, "SLOW", LIBRARY)
    yield LIBRARY
    sys.modules.pop(LIBRARY, None)


def test_note_stands_on_stderr_before_the_first_import(library, capsys):
    finders = list(sys.meta_path)
    with announced_imports():
        assert capsys.readouterr() == ("", "")
        importlib.import_module(library)
        assert capsys.readouterr() == ("loaded\n", f"loading {library}, which takes some seconds\n")
    assert sys.meta_path == finders
    with announced_imports():
        importlib.import_module(library)
    assert capsys.readouterr() == ("", "")


def test_quiet_and_other_imports_print_no_note(library, capsys, monkeypatch):
    with announced_imports():
        importlib.reload(importlib.import_module("colorsys"))
    monkeypatch.setenv("ABAW_QUIET", "1")
    with announced_imports():
        importlib.import_module(library)
    assert capsys.readouterr() == ("loaded\n", "")


@pytest.mark.process
def test_dry_run_in_a_new_process_tells_that_torch_loads(short_once: Path) -> None:
    done = start_command(("run", "expr/tiny-mlp-smooth", "--data", short_once, "--dry-run", "--json"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == ["loading torch, which takes some seconds"]
    assert len(json.loads(done.stdout)) == 1
