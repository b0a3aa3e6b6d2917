"""All recipes, one file per task. An entry is a row of a paper's table, or a solution of this project."""

from __future__ import annotations

from harness.errors import UnknownNameError
from solutions.recipe import Recipe
from solutions.recipes import ah, au, emi, expr, va, vd

RECIPES: tuple[Recipe, ...] = (*expr.RECIPES, *va.RECIPES, *au.RECIPES, *vd.RECIPES, *emi.RECIPES, *ah.RECIPES)


def recipe_named(name: str) -> Recipe:
    """Return the recipe with a name; the suffix ``@paper`` selects the constants that the paper prints.

    Raises:
        UnknownNameError: no recipe has this name.
    """
    known = {recipe.name: recipe for recipe in RECIPES}
    known |= {twin.name: twin for recipe in RECIPES if (twin := recipe.with_paper_constants())}
    if name not in known:
        raise UnknownNameError("recipe", name, known)
    return known[name]
