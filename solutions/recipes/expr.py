"""EXPR: expression recognition. One entry, one solution."""

from __future__ import annotations

from harness.tasks import EXPR
from solutions.heads.mlp import MlpSettings
from solutions.recipe import HALF_WIDTHS, BoxSmoothing, Choose, Recipe

SMOOTH = BoxSmoothing(Choose(HALF_WIDTHS))

# Landmarks tell much about who a face is and little about how it feels, and there are few people to learn from: the
# head is held back. Chosen by cross-validation over training people of a small set of photographs, never on val.
ON_LANDMARKS = MlpSettings(epochs=20, weight_decay=0.05, dropout=0.3)

RECIPES = (
    Recipe(
        name="expr/landmarks-mlp",
        task=EXPR,
        summary="face shape from MediaPipe landmarks, MLP; needs no download",
        encoder="landmarks",
        head=ON_LANDMARKS,
        needs=("mediapipe",),
    ),
    Recipe(
        name="expr/landmarks-mlp-smooth",
        task=EXPR,
        summary="the same, smoothed over time, window chosen by cross-fitting",
        encoder="landmarks",
        head=ON_LANDMARKS,
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
