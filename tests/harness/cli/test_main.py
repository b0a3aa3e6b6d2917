"""The console command's outermost layer: plug-ins, and errors that nobody foresaw."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import click
import pytest

from harness.cli import main as module


class Point:
    """An entry point of some package."""

    value = "theirs.cli:command"

    def __init__(self, name, loads):
        self.name = name
        self.load = loads


@pytest.fixture
def plugins(monkeypatch):
    """Offers commands as installed packages would; returns the one of a name, as the console command finds it."""

    def offer(name, **points):
        found = [Point(name, loads) for name, loads in points.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda group: found)
        return module.cli.get_command(click.Context(module.cli), name)

    return offer


def test_a_package_may_add_a_command(plugins):
    theirs = click.Command("theirs")
    assert plugins("theirs", theirs=lambda: theirs) is theirs
    assert module.cli.list_commands(click.Context(module.cli)) == [*module.COMMANDS, "theirs"]


def test_a_package_may_not_replace_one_of_ours(plugins, caplog):
    own = module.cli.get_command(click.Context(module.cli), "validate")
    assert plugins("validate", validate=lambda: click.Command("validate")) is own
    module.cli.list_commands(click.Context(module.cli))
    assert "'validate' of theirs.cli:command is left out" in caplog.text


def test_a_broken_package_does_not_take_the_command_down(plugins, caplog):
    assert plugins("broken", broken=lambda: 1 / 0) is None
    assert "'broken' can't be loaded (division by zero)" in caplog.text


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Modules that a process has imported which is about to check a file."""
    program = "import sys; from harness.cli import main, files; import harness.files.score; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(result.stdout.split())


@pytest.mark.process
@pytest.mark.parametrize("heavy", ["pandas", "torch", "sklearn", "scipy", "rich", "streamlit", "duckdb"])
def test_checking_a_file_imports_nothing_heavy(imported, heavy):
    assert "harness.files.score" in imported
    assert heavy not in imported


def test_an_error_of_the_system_is_one_line(monkeypatch, capsys):
    def fails(**_):
        raise PermissionError(13, "Permission denied", "/data/x.txt")

    monkeypatch.setattr(module.cli, "main", fails)
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "abaw: /data/x.txt: Permission denied\n"


@pytest.mark.process
def test_a_reader_that_leaves_early_gets_no_traceback():
    call = f"{sys.executable} -m harness.cli.main solutions --json | true"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", call], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")
