"""The README and the pages of ``docs/`` can't lie: every command and option that they name exists, and each that exists
is named."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import click
import pytest

from harness.board.first_choice import first_choices
from harness.cli.demo import SOLUTIONS as DEMO
from harness.plugins.registry import needs_of_solution, solution_entries
from harness.settings import _ENVIRONMENT, Settings
from tests.support.command_tree import COMMANDS, options
from tests.support.places import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8")
SOLUTIONS_PAGE = (REPOSITORY / "docs/solutions.md").read_text(encoding="utf-8")
MODEL_PAGE = REPOSITORY / "docs/your-own-model.md"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "submissions/README.md",
    *sorted(REPOSITORY.glob("docs/*.md")),
]
GENERATED = ("reference/", "solutions/", "examples/", "figures/")
"""Folders of ``docs/`` that exist in the built site alone; ``tests/test_docs.py`` checks links into them."""
FROM_THE_REPOSITORY = {
    "contributing.md",
    "changelog.md",
    "submissions.md",
    "findings.md",
    "measured.md",
    "conduct.md",
    "security.md",
}


def shell_blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def shell_lines() -> list[str]:
    lines = [line.strip() for page in PAGES for block in shell_blocks(page) for line in block.splitlines()]
    return [line for line in lines if line.startswith("abaw ")]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    for n in (3, 2):
        name = " ".join(words[:n])
        if name in COMMANDS:
            return COMMANDS[name], words[n:]
    pytest.fail(f"a page names {' '.join(words[:3])!r}, which is no command")


@pytest.mark.parametrize("line", shell_lines())
def test_shell_line_of_a_page_parses(line: str) -> None:
    words = shlex.split(line, comments=True)
    command, arguments = find(words[: words.index(">")] if ">" in words else words)  # output goes to a file
    with click.Context(command, info_name=line) as context:
        command.parse_args(context, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_on_its_page_with_its_own_options(name: str) -> None:
    row = next((row for row in COMMANDS_PAGE.splitlines() if row.startswith(f"| `{name}")), None)
    assert row, f"{name} has no row in the table of docs/commands.md"
    shared = set(re.findall(r"\| `(--[a-z-]+)` \|", COMMANDS_PAGE))
    missing = options(COMMANDS[name]) - shared - set(re.findall(r"--[a-z-]+", row))
    assert not missing, f"{name}: {missing} not in docs/commands.md"


def test_options_named_in_the_table_of_commands_exist() -> None:
    known = set().union(*(options(command) for command in COMMANDS.values())) | {"--help"}
    table = "\n".join(row for row in COMMANDS_PAGE.splitlines() if row.startswith("| `abaw") or row.startswith("| `--"))
    assert set(re.findall(r"--[a-z-]+", table)) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_an_example_in_its_help(name: str) -> None:
    assert re.search(r"Examples?:\s+abaw", COMMANDS[name].help or ""), f"{name} --help has no example"


@pytest.mark.parametrize("name", COMMANDS)
def test_example_in_help_parses(name: str) -> None:
    text = COMMANDS[name].help or ""
    for line in re.findall(r"Example:\s+(abaw .*)", text):
        command, arguments = find(shlex.split(line))
        assert command is COMMANDS[name]
        with click.Context(command, info_name=line) as context:
            command.parse_args(context, arguments)


def test_environment_variables_are_on_the_page_of_commands() -> None:
    for variable in _ENVIRONMENT.values():
        assert f"`{variable}`" in COMMANDS_PAGE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_page_leads_to_files_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    if page.parent.name == "docs":
        links = [link for link in links if not link.startswith(GENERATED) and link not in FROM_THE_REPOSITORY]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.process
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_shell_of_a_page_is_shell(page: Path) -> None:
    for block in shell_blocks(page):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_environment_variables_named_by_a_page_are_used() -> None:
    named = {name for page in PAGES for name in re.findall(r"\bABAW_[A-Z_]+", page.read_text(encoding="utf-8"))}
    sources = [
        path
        for folder in ("harness", "solutions", "leaderboard", "tests")
        for path in (REPOSITORY / folder).rglob("*.py")
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources if path != Path(__file__))
    assert {name for name in named if f'"{name}"' not in code} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_make_targets_named_on_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M))
    assert named - targets == set()
    assert named or page.name != "README.md" or page.parent != REPOSITORY


def test_readme_has_at_most_120_lines() -> None:
    assert len(README.splitlines()) <= 120


def test_quick_start_is_two_commands() -> None:
    block = re.search(r"## Quick start\n\n```sh\n(.*?)```", README, re.S)
    assert block
    assert block[1].split("\n") == ["make demo", "make test", ""]


def test_solutions_are_on_their_page() -> None:
    from harness.plugins.registry import solution_entries

    listed = re.findall(r"`([^`\n]*/[^`\n]*|…@paper)`", SOLUTIONS_PAGE)
    patterns = [re.escape(name).replace("…", ".*") for name in listed]
    names = list(solution_entries())
    for name in names:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), f"{name} is not in docs/solutions.md"
    for pattern in patterns:
        if re.match(r"(expr|va|au|vd|\.\*)[/@]", pattern):
            assert any(re.fullmatch(pattern, name) for name in names), f"no solution is called {pattern}"


def test_the_examples_in_python_say_what_they_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(MODEL_PAGE), module_relative=False, verbose=False)
    assert result.attempted > 5
    assert result.failed == 0


@pytest.fixture(scope="module")
def starts() -> dict[str, str]:
    """The solution to start with for each task, with all extras, no weights and no runs, as ``abaw solutions`` says."""
    entries = list(solution_entries().values())
    needs = {
        entry.name: [
            replace(need, here=need.kind == "package") for need in needs_of_solution(entry.name, Settings()) or []
        ]
        for entry in entries
    }
    return {task: choice.name for task, choice in first_choices(entries, needs, {}, demo=DEMO).items()}


@pytest.mark.parametrize(
    ("page", "tasks"),
    [
        ("README.md", ["EXPR"]),
        ("docs/your-affwild2.md", ["EXPR"]),
        ("docs/your-dvd.md", ["VD"]),
        ("docs/your-emi-and-ah.md", ["EMI", "AH", "AHV"]),
        ("docs/containers.md", ["EXPR"]),
        ("harness/cli/main.py", ["EXPR"]),
        ("harness/cli/solve.py", ["EXPR"]),
        ("leaderboard/screens/notices.py", ["EXPR"]),
        ("solutions/networks/clips.py", ["VD"]),
    ],
)
def test_page_begins_with_the_solution_to_start_with(starts, page, tasks):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    firsts: dict[str, str] = {}
    for name in re.findall(r"\brun ((?:expr|va|au|vd|emi|ah|ahv)/[a-z0-9-]+)", text):
        firsts.setdefault(name.partition("/")[0].upper(), name)
    assert firsts == {task: starts[task] for task in tasks}


def test_solutions_page_lists_the_solutions_to_start_with(starts):
    sentence = SOLUTIONS_PAGE.partition("needs no download. That is ")[2].partition(".\n")[0]
    assert re.findall(r"`([a-z0-9/-]+)`", sentence) == list(starts.values())
    assert "start with these" not in SOLUTIONS_PAGE
