"""``docs/ingredients.md`` names tests that exist, and every variant by code or with a paper's constants."""

from __future__ import annotations

import ast
import re

from solutions.recipe import PAPER_CONSTANTS
from solutions.recipes import RECIPES
from solutions.recipes.ways import CODE, TEXT
from tests.support.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "ingredients.md"
CELLS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]


def test_named_tests_exist():
    named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 50
    for path, name in named:
        tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"


def test_every_ingredient_says_all_and_is_held_by_a_test():
    rows = [cells for cells in CELLS if len(cells) == 6 and cells[0] != "ingredient"]
    assert len(rows) > 45
    assert all(all(cells) and "::test_" in cells[5] for cells in rows)
    assert len({cells[0] for cells in rows}) == len(rows)


def test_every_variant_is_on_the_page():
    listed = {cells[0].strip("`"): set(cells[2].replace("`", "").split()) for cells in CELLS if len(cells) == 4}
    expected: dict[str, set[str]] = {}
    for recipe in RECIPES:
        for suffix in (TEXT, CODE):
            if recipe.name.endswith(suffix):
                expected.setdefault(recipe.variant_of, set()).add(suffix)
        if recipe.paper_constants:
            expected.setdefault(recipe.name, set()).add(PAPER_CONSTANTS)
    listed.pop("recipe")
    assert listed == expected


def test_every_own_row_of_abaw10_has_both_ways():
    names = {recipe.name for recipe in RECIPES}
    rows = [recipe for recipe in RECIPES if recipe.row and recipe.row.paper == "abaw10" and recipe.row.table in "123"]
    assert len(rows) == 13 + 5 + 13
    for recipe in rows:
        assert {recipe.name + TEXT, recipe.name + CODE} <= names


def test_the_page_says_which_way_the_default_is():
    by_name = {recipe.name: recipe for recipe in RECIPES}
    for name, default, *_ in (cells for cells in CELLS if len(cells) == 4 and cells[0] != "recipe"):
        row = by_name[name.strip("`")]
        ways = {suffix: by_name.get(row.name + suffix) for suffix in (TEXT, CODE)}
        same = {
            s for s, way in ways.items() if way and (way.streams, way.postprocess) == (row.streams, row.postprocess)
        }
        if ways[CODE]:
            words = {frozenset({TEXT, CODE}): "both", frozenset({CODE}): "code", frozenset({TEXT}): "text"}
            assert default == words.get(frozenset(same), "text is silent"), name
