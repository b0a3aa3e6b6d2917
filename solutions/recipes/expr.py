"""EXPR: expression recognition. One entry, one solution."""

from __future__ import annotations

from harness.tasks import EXPR
from solutions.heads.mlp import MlpSettings
from solutions.recipe import HALF_WIDTHS, BoxSmoothing, Choose, Recipe

SMOOTH = BoxSmoothing(Choose(HALF_WIDTHS))

RECIPES = (
    Recipe(
        name="expr/landmarks-mlp",
        task=EXPR,
        summary="face shape from MediaPipe landmarks, MLP; needs no download",
        encoder="landmarks",
        head=MlpSettings(),
        needs=("mediapipe",),
    ),
    Recipe(
        name="expr/landmarks-mlp-smooth",
        task=EXPR,
        summary="the same, smoothed over time, window chosen by cross-fitting",
        encoder="landmarks",
        head=MlpSettings(),
        smoothing=SMOOTH,
        needs=("mediapipe",),
    ),
    Recipe(
        name="expr/tiny-mlp-smooth",
        task=EXPR,
        summary="the demo's: gradient histograms without any weights, MLP, smoothed",
        encoder="tiny",
        head=MlpSettings(),
        smoothing=SMOOTH,
    ),
)
