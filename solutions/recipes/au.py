"""AU: action units. One entry, one solution."""

from __future__ import annotations

from harness.reference.papers import PaperRow
from harness.tasks import AU
from solutions.heads.settings import AutoMl, BoostedTrees, MlpSettings
from solutions.postprocess.plan import (
    HALF_WIDTHS,
    UNIT_THRESHOLDS,
    WEIGHTS,
    Blend,
    Choose,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.recipe import Recipe, Stream

FACES = "enet_b0_8_best_vgaf"

# sizes as in the authors' code; the loss is abaw10's eq. 6 as printed, or the code's, which weights both classes
MLP = MlpSettings(loss="weighted-bce", epochs=5, batch_size=512, standardise=False, keep="best")
CODE_MLP = MlpSettings(loss="balanced-bce", epochs=5, batch_size=512, standardise=False, keep="best")
ON_LANDMARKS = MlpSettings(loss="balanced-bce", epochs=20, weight_decay=0.05, dropout=0.3)

# chosen by three folds over training videos of photographs, never on val
ON_EXPRESSION = MlpSettings(loss="balanced-bce", epochs=20, weight_decay=0.01, dropout=0.5)

EMBEDDINGS, LOGITS = Stream(FACES, head=MLP), Stream(FACES, "logits", MLP)
LANDMARKS = Stream("landmarks", head=ON_LANDMARKS)
EXPRESSION = Stream("expression", head=ON_EXPRESSION)

HALF = Thresholds(0.5)
BEST = Thresholds(Choose(UNIT_THRESHOLDS))
SMOOTH = Smoothing(Choose(HALF_WIDTHS))
BLEND = Blend(Choose(WEIGHTS))


def _row(
    paper: str,
    row_id: str,
    summary: str,
    streams: tuple[Stream, ...],
    postprocess: PostProcess,
    paper_constants: PostProcess | None = None,
    remark: str = "",
    needs: tuple[str, ...] = (),
) -> Recipe:
    row = PaperRow(paper, "3", row_id)
    return Recipe(f"au/{paper}-{row_id}", AU, summary, streams, postprocess, row, paper_constants, remark, needs)


def _four(kind: str, summary: str, streams: tuple[Stream, ...], blend: Blend | None = None) -> tuple[Recipe, ...]:
    """The four rows that abaw10's table 3 has of each input: frame by frame or smoothed, one threshold or the best."""
    return tuple(
        _row(
            "abaw10",
            f"emotieffnet-{kind}{slug}-{rule_slug}",
            f"{summary}{words}, {rule_words}",
            streams,
            PostProcess(blend=blend, smoothing=smoothing, thresholds=rule),
        )
        for slug, words, smoothing in (("", "", None), ("-smooth", ", smoothed", SMOOTH))
        for rule_slug, rule_words, rule in (("thr05", "threshold 0.5", HALF), ("bestthr", "best thresholds", BEST))
    )


ABAW10 = (
    _row(
        "abaw10",
        "wav2vec2",
        "sound, best thresholds",
        (Stream("wav2vec2", head=MLP),),
        PostProcess(thresholds=BEST),
        remark="neither head nor thresholds are stated; the authors' older notebook gets 0.313 with the best ones",
    ),
    *_four("logits", "MLP on the pretrained network's outputs", (LOGITS,)),
    *_four("emb", "MLP on embeddings", (EMBEDDINGS,)),
    *_four("logits-emb", "both blended", (EMBEDDINGS, LOGITS), BLEND),
)

ABAW8 = (
    _row(
        "abaw8",
        "emotieffnet-smooth",
        "MLP on embeddings, smoothed, best thresholds",
        (Stream(FACES, head=CODE_MLP),),
        PostProcess(smoothing=SMOOTH, thresholds=BEST),
        PostProcess(smoothing=Smoothing(3), thresholds=BEST),
        remark="the loss is the authors' code's: the paper names none",
    ),
    _row(
        "abaw8",
        "emotieffnet-lightautoml-smooth",
        "MLP on embeddings blended with LightAutoML on the pretrained network's outputs, smoothed",
        (Stream(FACES, head=CODE_MLP), Stream(FACES, "logits", AutoMl())),
        PostProcess(blend=BLEND, smoothing=SMOOTH, thresholds=HALF),
        PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(5), thresholds=HALF),
        remark="what LightAutoML finds in its time depends on the machine",
        needs=("lightautoml",),
    ),
)

OURS = (
    Recipe(
        "au/code-emotieffnet-emb-smooth-bestthr",
        AU,
        "as abaw10's row of embeddings, with the loss of the authors' code, which weights both classes",
        (Stream(FACES, head=CODE_MLP),),
        PostProcess(smoothing=SMOOTH, thresholds=BEST),
    ),
    Recipe(
        "au/emotieffnet-boosted-trees-smooth",
        AU,
        "as abaw8's last row, with scikit-learn's gradient boosting in LightAutoML's place",
        (Stream(FACES, head=CODE_MLP), Stream(FACES, "logits", BoostedTrees())),
        PostProcess(blend=BLEND, smoothing=SMOOTH, thresholds=BEST),
    ),
    Recipe(
        "au/landmarks-mlp",
        AU,
        "face shape from MediaPipe landmarks, MLP, threshold 0.5; needs no download",
        (LANDMARKS,),
        PostProcess(thresholds=HALF),
        needs=("mediapipe",),
    ),
    Recipe(
        "au/landmarks-mlp-smooth-bestthr",
        AU,
        "the same, smoothed, best thresholds",
        (LANDMARKS,),
        PostProcess(smoothing=SMOOTH, thresholds=BEST),
        needs=("mediapipe",),
    ),
    Recipe(
        "au/landmarks-tiny-smooth-bestthr",
        AU,
        "face shape and gradient histograms blended, smoothed, best thresholds; the best that needs no download",
        (LANDMARKS, Stream("tiny", head=ON_LANDMARKS)),
        PostProcess(blend=BLEND, smoothing=SMOOTH, thresholds=BEST),
        needs=("mediapipe",),
    ),
    Recipe(
        "au/expression-mlp",
        AU,
        "two small expression networks, MLP, threshold 0.5",
        (EXPRESSION,),
        PostProcess(thresholds=HALF),
    ),
    Recipe(
        "au/expression-mlp-smooth-bestthr",
        AU,
        "the same, smoothed, best thresholds",
        (EXPRESSION,),
        PostProcess(smoothing=SMOOTH, thresholds=BEST),
    ),
    Recipe(
        "au/landmarks-expression-smooth-bestthr",
        AU,
        "face shape and two small expression networks blended, smoothed, best thresholds; start here once their "
        "weights are fetched",
        (LANDMARKS, EXPRESSION),
        PostProcess(blend=BLEND, smoothing=SMOOTH, thresholds=BEST),
        needs=("mediapipe",),
    ),
    Recipe(
        "au/tiny-mlp-smooth",
        AU,
        "the demo's: gradient histograms without any weights, MLP, smoothed",
        (Stream("tiny", head=MlpSettings(loss="balanced-bce")),),
        PostProcess(smoothing=SMOOTH, thresholds=HALF),
    ),
)

RECIPES = (*ABAW10, *ABAW8, *OURS)
