"""Who may import whom: solutions -> harness, leaderboard -> harness, never the other way."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import REPOSITORY

PACKAGES = ("harness", "solutions", "leaderboard")
FORBIDDEN = {
    "harness": ("solutions", "leaderboard"),
    "solutions": ("harness.store", "harness.cli", "harness.runs.runner", "leaderboard"),
    "leaderboard": ("solutions",),
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


def modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported(source: str, path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever it stands: ``from a import b`` names ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(REPOSITORY).parts[: -node.level] if node.level else ()
            module = ".".join([*above, node.module] if node.module else above)
            yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Return every module that a file of the repository names in an import."""
    return frozenset(imported(path.read_text(encoding="utf-8"), path))


def breaks(package: str, name: str) -> bool:
    return any(name == ban or name.startswith(f"{ban}.") for ban in FORBIDDEN[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    found = [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in modules(package)
        for name in sorted(imports_of(path))
        if breaks(package, name)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_something_to_look_at(package):
    assert modules(package)


@pytest.mark.parametrize(
    "source",
    ["import solutions", "import solutions.recipe as r", "from solutions import recipe",
     "from .solutions import recipe", "from . import solutions", "def f():\n    from leaderboard.app import page"],
)  # fmt: skip
def test_every_way_to_import_is_seen(source):
    assert any(breaks("harness", name) for name in imported(source, REPOSITORY / "made_up.py"))


def test_a_name_that_only_begins_alike_is_fine():
    assert not breaks("harness", "solutions_of_others")
    assert not breaks("solutions", "harness.stored")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_is_named_after_what_it_holds(package):
    names = [path.relative_to(REPOSITORY).with_suffix("") for path in modules(package)]
    assert [name for name in names if VAGUE & set(name.parts)] == []


def test_only_one_module_imports_opencv():
    found = [str(path.relative_to(REPOSITORY)) for path in modules("harness") if "cv2" in imports_of(path)]
    assert found == ["harness/system/images.py"]
