"""Who may import whom: solutions -> harness, leaderboard -> harness, never the other way."""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from tests.support.places import REPOSITORY

PACKAGES = ("abaw", "harness", "solutions", "leaderboard")
FORBIDDEN = {
    "abaw": ("solutions", "leaderboard"),
    "harness": ("abaw", "solutions", "leaderboard"),
    "solutions": ("harness.store", "harness.cli", "harness.runs.runner", "abaw", "leaderboard"),
    "leaderboard": ("abaw", "solutions"),
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


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def module_graph() -> dict[str, frozenset[str]]:
    """Return the modules of the repository that each module imports, late imports and imports for types included."""
    paths = {module_name(path): path for package in PACKAGES for path in modules(package)}
    graph = {}
    for name, path in paths.items():
        named = imports_of(path) & paths.keys()
        # "from a import b" names the package a besides the module a.b, which is what it wants
        wanted = {
            one for one in named if not (paths[one].name == "__init__.py" and wants_only_modules(path, one, paths))
        }
        graph[name] = frozenset(wanted - {name})
    return graph


def wants_only_modules(path: Path, package: str, known: Collection[str]) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [
        f"{package}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
    ]
    return all(name in known for name in named)


def cycles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the sets of nodes that can reach each other, each with more than one node."""
    order = [*graph]
    reached = csr_array(
        ([True for name in order for _ in graph[name]],
         ([order.index(name) for name in order for _ in graph[name]],
          [order.index(other) for name in order for other in graph[name]])),
        shape=(len(order), len(order)),
    )  # fmt: skip
    _, component = connected_components(reached, directed=True, connection="strong")
    groups = [[name for name, own in zip(order, component, strict=True) if own == c] for c in range(max(component) + 1)]
    return [group for group in groups if len(group) > 1]


def mutual(graph: Mapping[str, Collection[str]], packages: Collection[str]) -> list[tuple[str, str]]:
    """Return pairs of sub-packages of one package whose modules import each other."""

    def inside(name: str, package: str) -> bool:
        return name == package or name.startswith(f"{package}.")

    pairs = []
    for one, other in itertools.combinations(sorted(packages), 2):
        if one.rpartition(".")[0] != other.rpartition(".")[0]:
            continue
        there = any(inside(a, one) and inside(b, other) for a, named in graph.items() for b in named)
        back = any(inside(a, other) and inside(b, one) for a, named in graph.items() for b in named)
        if there and back:
            pairs.append((one, other))
    return pairs


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


def test_modules_import_each_other_in_no_circle():
    assert cycles(module_graph()) == []


def test_sub_packages_import_each_other_one_way():
    packages = [module_name(path) for package in PACKAGES for path in modules(package) if path.name == "__init__.py"]
    assert len(packages) > 30
    assert mutual(module_graph(), packages) == []


def test_circles_and_mutual_imports_are_found():
    graph = {"a.b.c": ["a.d.e"], "a.d.e": ["a.d.f"], "a.d.f": ["a.b.g"], "a.b.g": [], "a.h": ["a.b.c"]}
    assert cycles(graph) == []
    assert mutual(graph, ["a", "a.b", "a.d"]) == [("a.b", "a.d")]
    assert cycles({**graph, "a.b.g": ["a.d.e"]}) == [["a.d.e", "a.d.f", "a.b.g"]]


def test_root_of_the_harness_holds_few_modules():
    assert sorted(path.stem for path in (REPOSITORY / "harness").glob("*.py")) == [
        "__init__", "api", "errors", "settings", "slots", "tasks",
    ]  # fmt: skip


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
