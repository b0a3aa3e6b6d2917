"""What this package offers to the harness: its recipes as solutions, and its encoders."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.datasets.dataset import Dataset
from harness.settings import Settings
from harness.solution import ExtractionReport, SolutionEntry
from solutions import recipes
from solutions.encoders.registry import DESCRIPTIONS, is_encoder
from solutions.recipe import Recipe

if TYPE_CHECKING:
    from solutions.recipe_solution import RecipeSolution


class RecipeProvider:
    """Offers every recipe of :mod:`solutions.recipes`; implements :class:`harness.solution.Provider`."""

    def solutions(self) -> Sequence[SolutionEntry]:
        """One entry a recipe."""
        return [_entry(recipe) for recipe in recipes.RECIPES]

    def encoders(self) -> Mapping[str, str]:
        """Encoders and one line on each."""
        return DESCRIPTIONS

    def extract(
        self, encoder: str, data: Dataset, splits: Sequence[str], settings: Settings
    ) -> ExtractionReport | None:
        """Fill the feature cache."""
        if not is_encoder(encoder):
            return None
        from solutions.encoders.features import FeatureSource

        return FeatureSource(settings).extract(encoder, data, splits)


def _entry(recipe: Recipe) -> SolutionEntry:
    return SolutionEntry(
        name=recipe.name,
        task=recipe.task,
        summary=recipe.summary,
        create=functools.partial(_create, recipe),
        encoder=recipe.encoder,
        head=f"mlp-{recipe.head.hidden}",
        postprocess=recipe.postprocess,
        row=recipe.row,
        published=recipe.published,
        needs=recipe.needs,
    )


def _create(recipe: Recipe, settings: Settings) -> RecipeSolution:
    from solutions.recipe_solution import RecipeSolution

    return RecipeSolution(recipe, settings)


PROVIDER = RecipeProvider()
