"""Rules of language in code, docstrings and help, counted: each count has an allowance, which may only fall.

A count below its allowance fails too: write the new number into ``language_allowances.toml``. At zero a rule holds.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from harness.cli.main import cli
from tests.support.places import REPOSITORY

PACKAGES = ("abaw", "harness", "solutions", "leaderboard")
ALLOWANCES_FILE = Path(__file__).with_name("language_allowances.toml")
ALLOWANCES = tomllib.loads(ALLOWANCES_FILE.read_text(encoding="utf-8"))

VAGUE_STARTS = {"what", "whether", "where", "which", "of", "as", "that", "so", "none", "nothing", "not"}
VAGUE_NAMES = {"found", "own", "kept", "made", "told", "said", "given", "seen", "wanted"}
NOT_GLOSSARY = re.compile(r"\b(pictures?|films?|sounds?|slopes?|anew|spoilt)\b", re.IGNORECASE)
NEGATION = re.compile(r"\b(no|not|none|nothing|nobody|never|neither|nor|nowhere|without)\b|n't\b", re.IGNORECASE)
LONGEST_TEST_NAME = 60
LONGEST_HELP = 45


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring, those of attributes included."""
    for node in ast.walk(ast.parse(source)):
        for child in ast.iter_child_nodes(node):
            value = child.value if isinstance(child, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield child.lineno, value.value


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.:;])\s+|\n\n", text)


def vague_starts(source: str) -> Iterator[int]:
    for line, text in docstrings(source):
        words = re.findall(r"[A-Za-z]+", text[:40])
        if words and words[0].lower() in VAGUE_STARTS:
            yield line


def vague_names(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        name = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
        name = node.arg if isinstance(node, ast.arg) else name
        if name in VAGUE_NAMES:
            yield node.lineno


def outside_glossary(source: str) -> Iterator[int]:
    for line, text in docstrings(source):
        for match in NOT_GLOSSARY.finditer(text):
            yield line + text[: match.start()].count("\n")


def double_negations(source: str) -> Iterator[int]:
    for line, text in docstrings(source):
        for sentence in sentences(re.sub(r"``[^`]*``", "code", text)):  # ``None`` is a value
            if len(NEGATION.findall(sentence)) > 1:
                yield line


def long_test_names(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > LONGEST_TEST_NAME:
            yield node.lineno


OF_HELP = "help that starts with more than 45 characters"
OF_RUFF = {name for name in ALLOWANCES if re.fullmatch(r"D\d{3}", name)}

Rule = Callable[[str], Iterator[int]]
RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "docstrings that start with a vague word": (vague_starts, PACKAGES),
    "names that are no nouns": (vague_names, PACKAGES),
    "words that the glossary replaces": (outside_glossary, PACKAGES),
    "sentences with two negations": (double_negations, PACKAGES),
    "test names longer than 60 characters": (long_test_names, ("tests",)),
}


def places_of(name: str) -> list[str]:
    """Return the places that break a rule of this module."""
    if name == OF_HELP:
        pages = list(help_pages(cli, "abaw"))
        assert len(pages) > 20
        return [f"{command}: {sentence}" for command, sentence in pages if len(sentence) > LONGEST_HELP]
    rule, folders = RULES[name]
    return [
        f"{path.relative_to(REPOSITORY)}:{line}"
        for path in sources(*folders)
        for line in rule(path.read_text(encoding="utf-8"))
    ]


def places_of_ruff() -> dict[str, list[str]]:
    """Return the places that break ruff's rules for docstrings, by rule.

    D301 is left out: click marks a paragraph that it must not wrap by a backspace, written ``\\b``.
    """
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "D,D401", "--ignore", "D301", "--no-cache",
         "--output-format", "json", "--config", 'lint.pydocstyle.convention="google"', *PACKAGES],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    places: dict[str, list[str]] = {}
    for one in json.loads(done.stdout):
        path = Path(one["filename"]).relative_to(REPOSITORY)
        places.setdefault(one["code"], []).append(f"{path}:{one['location']['row']}")
    return places


def check(rule: str, places: list[str]) -> None:
    """Fail where a count differs from its allowance, and name some of the places."""
    allowed = ALLOWANCES[rule]
    some = "".join(f"\n  {place}" for place in places[-20:])
    assert len(places) <= allowed, f"{rule}: {len(places)} places, {allowed} allowed; mend the new ones among:{some}"
    assert len(places) == allowed, f"{rule}: only {len(places)} places are left; write that into {ALLOWANCES_FILE.name}"


@pytest.mark.parametrize("name", [*RULES, OF_HELP])
def test_language_rule_count_equals_its_allowance(name):
    check(name, places_of(name))


def help_pages(group: click.Group, name: str) -> Iterator[tuple[str, str]]:
    with click.Context(group) as context:
        for command_name in group.list_commands(context):
            command = group.get_command(context, command_name)
            assert command is not None
            yield f"{name} {command_name}", (command.help or "").partition(".")[0].strip()
            if isinstance(command, click.Group):
                yield from help_pages(command, f"{name} {command_name}")


@pytest.mark.process
def test_docstring_rules_of_ruff_equal_their_allowance():
    places = places_of_ruff()
    assert places.keys() <= OF_RUFF
    for rule in sorted(OF_RUFF):
        check(rule, places.get(rule, []))


@pytest.mark.parametrize(
    ("rule", "source", "count"),
    [
        (vague_starts, '"""What a thing is."""\ndef f():\n    """Return it."""\n', 1),
        (vague_names, "found = 1\nfor own in x: pass\ndef f(given): records = 2\n", 3),
        (outside_glossary, '"""Pictures of a film."""\nx = 1\n"""An image."""\n', 2),
        (double_negations, '"""Never without it. Not here. There is none."""\n', 1),
        (long_test_names, f"def test_{'a' * 56}(): pass\ndef test_{'a' * 55}(): pass\n", 1),
    ],
)
def test_rules_find_what_breaks_them(rule, source, count):
    assert len(list(rule(source))) == count


def test_check_fails_above_and_below_the_allowance():
    rule = "names that are no nouns"
    places = ["x.py:1"] * ALLOWANCES[rule]
    check(rule, places)
    with pytest.raises(AssertionError, match="mend the new ones"):
        check(rule, [*places, "x.py:2"])
    if places:
        with pytest.raises(AssertionError, match="write that into"):
            check(rule, places[1:])


def test_every_allowance_belongs_to_a_rule():
    assert ALLOWANCES.keys() == {*RULES, OF_HELP, *OF_RUFF}


def lower_allowances() -> None:
    """Write today's counts where they are below the allowances: ``python -m tests.test_language``."""
    counts = {name: len(places_of(name)) for name in [*RULES, OF_HELP]}
    counts |= {rule: len(places) for rule, places in places_of_ruff().items()}
    comment = ALLOWANCES_FILE.read_text(encoding="utf-8").partition("\n")[0]
    lines = [f"{json.dumps(name)} = {min(allowed, counts.get(name, 0))}" for name, allowed in ALLOWANCES.items()]
    ALLOWANCES_FILE.write_text("\n".join([comment, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    lower_allowances()
