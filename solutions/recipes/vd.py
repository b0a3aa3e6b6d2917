"""Recipes of VD, fine-grained violence detection on whole frames: abaw10's table 4 and ours. One entry per solution.

A row of the paper uses threshold 0.5 without smoothing and is trained as in the authors' code, quirks included.
Each row has variants: ``@fixed`` is trained without these quirks. ``@frozen`` exists where encoders see one image at a
time and keeps the encoders' weights fixed: features are cached once, and training takes seconds. Rows with optical flow
have ``@code``, whose flow images equal those of the authors' script to the last bit; in all other rows the authors'
inference and ours are the same (``docs/ingredients.md``).
"""

from __future__ import annotations

from dataclasses import replace

from harness.reference.papers import PaperRow
from harness.tasks import VD
from solutions.clips.presets import PRESETS, careful
from solutions.clips.settings import ClipNetwork, ClipStream, ClipTraining, Windows
from solutions.postprocess.plan import HALF_WIDTHS, PAIR_THRESHOLDS, Choose, PostProcess, Smoothing, Thresholds
from solutions.recipe import Recipe
from solutions.recipes.ways import CODE

FIXED, FROZEN, SMOOTH = "@fixed", "@frozen", "-smooth"

AT_HALF = PostProcess(thresholds=Thresholds(0.5))
CHOSEN = PostProcess(smoothing=Smoothing(Choose(HALF_WIDTHS)), thresholds=Thresholds(Choose(PAIR_THRESHOLDS)))

# row_id: (summary, extras), in print order
VIDEO = {
    "slowfast-r50": ("SlowFast-R50", ()),
    "r3d18-conv1d": ("R3D-18, Conv1d", ()),
    "s3d-conv1d": ("S3D, Conv1d", ()),
    "r2plus1d18-conv1d": ("R(2+1)D-18, Conv1d", ()),
    "videomae-crime": ("VideoMAE fine-tuned on crime scenes", ()),
    "videomae-small": ("VideoMAE-Small", ()),
    "s3d-bilstm": ("S3D, BiLSTM", ()),
    "r2plus1d-bilstm": ("R(2+1)D-18, BiLSTM", ()),
    "video-swin-t": ("Video Swin-T, Conv1d", ()),
}
IMAGES = {
    "resnet18-conv1d": ("ResNet-18, Conv1d of one frame: sees no time at all", ()),
    "efficientnet-b0-bilstm": ("EfficientNet-B0, BiLSTM", ()),
    "convnext-t-bilstm": ("ConvNeXt-T, BiLSTM", ()),
    "convnext-t-tcn": ("ConvNeXt-T, TCN: the paper's best", ()),
    "twostream-concat-bilstm": ("ConvNeXt-T on frames beside EfficientNet-B0 on optical flow, BiLSTM", ()),
    "twostream-gated-bilstm": ("the same, fused by a gate", ()),
    "convnext-t-skeleton-early": ("ConvNeXt-T beside skeletons, BiLSTM", ("mediapipe",)),
    "skeleton-attn-tcn": ("ConvNeXt-T and skeletons attend to each other, TCN", ("mediapipe",)),
    "skeleton-attn-bilstm": ("ConvNeXt-T and skeletons attend to each other, BiLSTM", ("mediapipe",)),
}
SMOOTHED = ("convnext-t-bilstm", "convnext-t-tcn", "skeleton-attn-bilstm")


def _row(row_id: str, summary: str, needs: tuple[str, ...]) -> Recipe:
    preset = PRESETS[row_id]
    row = PaperRow("abaw10", "4", row_id)
    remark = preset.remark
    if preset.stream.rgb_from:
        remark += (
            f"; the encoder of frames is that of {preset.stream.rgb_from} after its last epoch, where the authors took "
            "the epoch that was best on the very videos that are reported; it sees images as they are, where theirs "
            "saw augmented ones"
        )
    return Recipe(f"vd/{row_id}", VD, summary, (preset.stream,), AT_HALF, row, remark=remark, needs=needs)


def _variants(row: Recipe) -> list[Recipe]:
    """Return the variants of a row: ``@fixed``, and ``@code`` and ``@frozen`` where they apply."""
    (stream,) = row.streams
    assert isinstance(stream, ClipStream)  # noqa: S101 - for mypy: every row has one
    fixed = _fixed(stream)
    if stream.rgb_base:
        fixed = replace(fixed, rgb_from=stream.rgb_from + FIXED, rgb_base=_fixed(stream.rgb_base))
    variants = [_variant(row, FIXED, "trained as a careful person would", fixed)]
    if stream.network.flow:
        exact = replace(stream, network=replace(stream.network, flow_pictures="flow-code"))
        variants.append(_variant(row, CODE, "images of flow rounded down as in the authors' script", exact))
    if row.name.removeprefix("vd/") in IMAGES:
        frozen = replace(fixed, training=replace(fixed.training, encoders="frozen", augment="none"))
        frozen = replace(frozen, rgb_from="", rgb_base=None)
        variants.append(_variant(row, FROZEN, "pretrained encoders as they are, heads on cached features", frozen))
    return variants


def _fixed(stream: ClipStream) -> ClipStream:
    return careful(replace(stream, network=replace(stream.network, normalisation="own")))


def _variant(row: Recipe, suffix: str, words: str, stream: ClipStream) -> Recipe:
    return replace(
        row,
        name=row.name + suffix,
        summary=f"{row.summary}; {words}",
        streams=(stream,),
        row=None,
        remark="",
        variant_of=row.name,
    )


def _smoothed(recipe: Recipe) -> Recipe:
    return replace(
        recipe,
        name=recipe.name + SMOOTH,
        summary=f"{recipe.summary}; smoothed over time, window and threshold chosen by cross-fitting",
        postprocess=CHOSEN,
        row=None,
    )


ABAW10 = tuple(_row(row_id, *(VIDEO.get(row_id) or IMAGES[row_id])) for row_id in PRESETS if row_id in VIDEO | IMAGES)
VARIANTS = tuple(variant for row in ABAW10 for variant in _variants(row))

# Optical flow, and the skeletons of two people: both models come with packages, so nothing is downloaded. Network and
# training were chosen on a small set of surveillance clips, by cross-validation over its videos, with its validation
# set in view; not on DVD.
MOTION = ClipNetwork(features=("flow-statistics",), fusion="side-by-side", head="tcn", hidden=64, layers=4, dropout=0.5)
MOTION_SKELETON = replace(MOTION, features=("flow-statistics", "pose:clean"))
ON_FEATURES = ClipTraining(
    mode="fixed",
    encoders="frozen",
    clip_length=32,
    step=1,
    batch=16,
    accumulate=1,
    epochs=15,
    learning_rate=1e-3,
    peak=1.0,
    encoder_rate=1.0,
    weight_decay=1e-2,
    positive_weight=1.0,
    positive_clips=0.0,
    augment="none",
    keep="last",
)

OURS = (
    Recipe(
        "vd/motion-skeleton",
        VD,
        "statistics of optical flow beside two people's skeletons, TCN; needs no download",
        (ClipStream(MOTION_SKELETON, ON_FEATURES, Windows(32, 8)),),
        AT_HALF,
        needs=("mediapipe",),
    ),
    Recipe(
        "vd/motion",
        VD,
        "the demo's: statistics of optical flow, TCN; needs no download",
        (ClipStream(MOTION, ON_FEATURES, Windows(32, 8)),),
        AT_HALF,
    ),
)

RECIPES = (
    *ABAW10,
    *VARIANTS,
    *(_smoothed(recipe) for recipe in ABAW10 if recipe.name.removeprefix("vd/") in SMOOTHED),
    *OURS,
    *(_smoothed(recipe) for recipe in OURS),
)
