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
        """One entry a recipe, and one more for each that can be run with its paper's own constants."""
        entries = []
        for recipe in recipes.RECIPES:
            entries.append(_entry(recipe))
            twin = recipe.with_paper_constants()
            if twin is not None:
                entries.append(_entry(twin, variant_of=recipe.name))
        return entries

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


def _entry(recipe: Recipe, variant_of: str = "") -> SolutionEntry:
    return SolutionEntry(
        name=recipe.name,
        task=recipe.task,
        summary=recipe.summary,
        create=functools.partial(_create, recipe),
        encoder=" + ".join(dict.fromkeys(stream.encoder for stream in recipe.streams)),
        head=" + ".join(stream.head.words for stream in recipe.streams),
        postprocess=recipe.postprocess.words(),
        row=recipe.row,
        variant_of=variant_of,
        remark=recipe.remark,
        needs=recipe.needs,
    )


def _create(recipe: Recipe, settings: Settings) -> RecipeSolution:
    from solutions.recipe_solution import RecipeSolution

    return RecipeSolution(recipe, settings)


PROVIDER = RecipeProvider()
