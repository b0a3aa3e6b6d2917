"""The Dockerfile and the Apptainer recipe name what is there, and do the same. Neither program runs in the tests."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from harness.cli.main import cli
from tests.support.places import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE, RECIPE, IGNORED, PAGE, MAKEFILE = (
    (REPOSITORY / name).read_text(encoding="utf-8")
    for name in ("Dockerfile", "abaw.def", ".dockerignore", "docs/containers.md", "Makefile")
)
LOCK = "requirements/all.txt"


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def section(name: str) -> list[str]:
    return [line.strip() for line in RECIPE.partition(f"%{name}\n")[2].partition("\n\n")[0].splitlines()]


def copied() -> list[str]:
    return [source for line in instructions("COPY") for source in line.split()[:-1]]


@pytest.mark.parametrize("source", copied())
def test_copied_path_exists_and_is_not_ignored(source):
    assert (REPOSITORY / source).exists()
    assert f"!{source}" in IGNORED.splitlines()
    hidden = [line for line in IGNORED.splitlines()[1:] if not line.startswith("!")]
    assert not any(fnmatch.fnmatch(source, pattern) for pattern in hidden)


def test_recipe_copies_the_same_paths_to_the_same_place():
    pairs = [line.split() for line in section("files")]
    assert [source for source, _ in pairs] == copied()
    assert all(target == f"/opt/abaw/{source}" for source, target in pairs)
    assert "cd /opt/abaw" in section("post")
    assert instructions("WORKDIR")[0] == "/opt/abaw"


def test_recipe_runs_the_same_commands():
    assert [line for line in section("post") if line.startswith("python")] == instructions("RUN")
    assert re.search(r"^From: (.+)$", RECIPE, re.MULTILINE)[1] == instructions("FROM")[0]


def test_commands_are_those_of_make():
    locked = MAKEFILE.partition("define locked\n")[2].partition("endef")[0]
    install, _, own = instructions("RUN")
    assert install.replace(LOCK, "requirements/$(2).txt").replace("python -m", "$(1)/bin/python -m") in locked
    assert own.replace("python -m", "$(1)/bin/python -m").removesuffix(" .") in locked
    assert LOCK in install
    assert "--require-hashes" in install


def test_python_is_the_one_of_the_lock():
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", instructions("FROM")[0])[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert f"--python-version {version}" in MAKEFILE
    assert f"Python {version}" in PAGE


def test_started_command_is_one_of_the_project():
    (program,) = json.loads(instructions("ENTRYPOINT")[0])
    assert program in PROJECT["scripts"]
    assert section("runscript") == [f'exec {program} "$@"']
    assert section("test") == [f"{program} {' '.join(json.loads(instructions('CMD')[0]))}"]


def test_page_names_commands_and_files_that_exist():
    named = re.findall(
        r"(?<!build )\babaw(?:\.sif)? ([a-z]+)", "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    )
    assert {"run", "solutions", "leaderboard"} <= set(named)
    assert set(named) <= set(cli.list_commands(None))
    assert all((REPOSITORY / name).is_file() for name in ("Dockerfile", "abaw.def", LOCK))
    assert "docker build -t abaw ." in PAGE
    assert "apptainer build abaw.sif abaw.def" in PAGE


def test_page_names_options_that_exist():
    for command, options in (("leaderboard", ("--host", "--no-browser")), ("run", ("--data", "--engine"))):
        parameters = cli.get_command(None, command).params
        assert set(options) <= {name for p in parameters for name in (*p.opts, *p.secondary_opts)}
        assert all(option in PAGE for option in options)


@pytest.mark.process
def test_copied_files_alone_install_and_start(tmp_path):
    """The last step of both files, with the packages of this environment."""
    for source in copied():
        target = tmp_path / "context" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(REPOSITORY / source), str(target)], check=True)
    install = [*instructions("RUN")[-1].split()[1:], "--target", str(tmp_path / "installed")]
    subprocess.run([sys.executable, *install], cwd=tmp_path / "context", check=True)
    code = "import harness, sys; from harness.cli.main import main; print(harness.__file__); sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "solutions", "--task", "EXPR"], cwd=tmp_path, check=True, capture_output=True,
        text=True, env={"PYTHONPATH": str(tmp_path / "installed"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert Path(done.stdout.splitlines()[0]).is_relative_to(tmp_path / "installed")
    assert "expr/tiny-mlp" in done.stdout
