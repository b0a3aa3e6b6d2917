"""Provider of this package for the harness: recipes as solutions, and encoders."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.audio.rows import AudioRows
from harness.datasets.dataset import Dataset
from harness.plugins.interface import BlendPart, ExtractionReport, SolutionEntry
from harness.plugins.needs import Need
from harness.records.curves import SweepPoint
from harness.records.run import ON_BOTH, TRAIN
from harness.settings import Settings
from harness.tasks import Task
from solutions import recipes
from solutions.encoders.registry import DESCRIPTIONS, is_encoder
from solutions.postprocess.plan import (
    HALF_WIDTHS,
    PAIR_THRESHOLDS,
    UNIT_THRESHOLDS,
    WEIGHTS,
    Blend,
    Choose,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.recipe import PAPER_CONSTANTS, Recipe

if TYPE_CHECKING:
    from solutions.recipe_solution import RecipeSolution


class RecipeProvider:
    """Provider of the recipes in :mod:`solutions.recipes`; implements :class:`harness.plugins.interface.Provider`."""

    def solutions(self) -> Sequence[SolutionEntry]:
        """Return one entry per recipe, and a second one for recipes that can run with their paper's constants."""
        entries = []
        for recipe in recipes.RECIPES:
            entries.append(_entry(recipe))
            twin = recipe.with_paper_constants()
            if twin is not None:
                entries.append(_entry(twin))
        return entries

    def encoders(self) -> Mapping[str, str]:
        """Return a description in one line for each encoder, by name."""
        return DESCRIPTIONS

    def needs(self, name: str, settings: Settings) -> Sequence[Need] | None:
        """Return the weights and features that a recipe needs; ``None`` for names of other providers."""
        from solutions.needs import needs_of

        plain = name.removesuffix(PAPER_CONSTANTS)
        recipe = next((recipe for recipe in recipes.RECIPES if recipe.name in (name, plain)), None)
        return None if recipe is None else needs_of(recipe, settings)

    def audio_rows(self) -> Sequence[AudioRows]:
        """Return the geometry of the rows of each encoder of audio that gives rows along a recording."""
        from solutions.encoders.audio.rows import AUDIO_ROWS

        return AUDIO_ROWS

    def extract(
        self, encoder: str, data: Dataset, splits: Sequence[str], settings: Settings
    ) -> ExtractionReport | None:
        """Fill the feature cache; return ``None`` for encoders of other providers."""
        if not is_encoder(encoder):
            return None
        from solutions.cache.features import FeatureSource

        return FeatureSource(settings).extract(encoder, data, splits)

    def blend(
        self, name: str, task: Task, parts: Sequence[BlendPart], weights: Sequence[float] | None, smooth: bool
    ) -> SolutionEntry:
        """Return a blend of runs.

        Args:
            name: name of the blend.
            task: the task of the runs.
            parts: the runs.
            weights: weight of each run; ``None`` to choose weights on labels.
            smooth: True to smooth with a window that is chosen on labels. Thresholds are always chosen.
        """
        from solutions.blend import BlendSolution

        plan = PostProcess(
            blend=Blend(tuple(weights) if weights else Choose(WEIGHTS)),
            smoothing=Smoothing(Choose(HALF_WIDTHS)) if smooth else None,
            thresholds=_thresholds(task),
        )
        return SolutionEntry(
            name=name,
            task=task,
            summary="runs blended",
            create=lambda settings: BlendSolution(name, task, parts, plan),
            encoder=" + ".join(dict.fromkeys(part.record.encoder for part in parts)),
            head="blend",
            postprocess=plan.words(),
        )

    def curves(self, name: str, model: Path, data: Dataset, settings: Settings) -> Sequence[SweepPoint] | None:
        """Return the curves of a recipe that is saved in the folder ``model``; ``None`` for other providers' names."""
        if not any(entry.name == name for entry in self.solutions()):
            return None
        from solutions.recipe_solution import RecipeSolution

        return RecipeSolution.load(model, settings).curves(data)


def _thresholds(task: Task) -> Thresholds | None:
    """Return thresholds to be chosen for action units and for two classes, ``None`` for other tasks."""
    if task.kind == "binaries":
        return Thresholds(Choose(UNIT_THRESHOLDS))
    return Thresholds(Choose(PAIR_THRESHOLDS)) if task.is_pair else None


def _entry(recipe: Recipe) -> SolutionEntry:
    return SolutionEntry(
        name=recipe.name,
        task=recipe.task,
        summary=recipe.summary,
        create=functools.partial(_create, recipe),
        trained_on=ON_BOTH if recipe.final else TRAIN,
        create_on_both=functools.partial(_create, recipe.on_train_and_val()) if recipe.trains else None,
        encoder=" + ".join(recipe.encoders),
        head=" + ".join(stream.words for stream in recipe.streams),
        postprocess=recipe.postprocess.words(),
        row=recipe.row,
        variant_of=recipe.variant_of,
        remark=recipe.remark,
        needs=recipe.needs,
        cores=recipe.cores,
    )


def _create(recipe: Recipe, settings: Settings) -> RecipeSolution:
    from solutions.recipe_solution import RecipeSolution

    return RecipeSolution(recipe, settings)


PROVIDER = RecipeProvider()
