"""Recipes of AU, action units. One entry per solution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.reference.papers import PaperRow
from harness.tasks import AU
from solutions.heads.settings import AutoMl, BoostedTrees, MlpSettings
from solutions.postprocess.plan import (
    HALF_WIDTHS,
    RISING_UNIT_THRESHOLDS,
    UNIT_THRESHOLDS,
    WEIGHTS,
    Blend,
    Choose,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.recipe import Recipe, Stream, keeping_last
from solutions.recipes.ways import Way, rows_of_ways

FACES = "enet_b0_8_best_vgaf"

# sizes as in the authors' older code; the loss is abaw10's eq. 6 as printed, or that code's, which weights both classes
MLP = MlpSettings(loss="weighted-bce", epochs=5, batch_size=512, standardise=False, keep="best")
OLDER_MLP = MlpSettings(loss="balanced-bce", epochs=5, batch_size=512, standardise=False, keep="best")
# the notebooks up to abaw8's as they are: Keras' initial weights and Adam, the epoch with the lowest loss
KERAS_MLP = replace(OLDER_MLP, select="loss", keras=True)
# abaw10's notebook: positives weigh negatives / positives, at most 20; a plateau of the loss halves the learning rate
CODE_MLP = MlpSettings(
    "positive-weighted-bce", hidden=256, epochs=9, batch_size=512, weight_decay=1e-5, dropout=0.3, standardise=False,
    keep="best", batch_norm=True, plateau=2, raw=True,
)  # fmt: skip
CODE_LINEAR = replace(CODE_MLP, hidden=0, dropout=0.0, batch_norm=False)
ON_LANDMARKS = MlpSettings(loss="balanced-bce", epochs=20, weight_decay=0.05, dropout=0.3)

# chosen by three folds over training videos of photographs, never on val
ON_EXPRESSION = MlpSettings(loss="balanced-bce", epochs=20, weight_decay=0.01, dropout=0.5)

EMBEDDINGS, LOGITS = Stream(FACES, head=MLP), Stream(FACES, "logits", MLP)
CODE_EMBEDDINGS, CODE_LOGITS = Stream(FACES, head=CODE_MLP), Stream(FACES, "logits", CODE_LINEAR)
LANDMARKS = Stream("landmarks", head=ON_LANDMARKS)
EXPRESSION = Stream("expression", head=ON_EXPRESSION)

HALF = Thresholds(0.5)
BEST = Thresholds(Choose(UNIT_THRESHOLDS))
RAW_HALF = Thresholds(0.5, raw=True)
RAW_BEST = Thresholds(Choose(RISING_UNIT_THRESHOLDS), raw=True)
SMOOTH = Smoothing(Choose(HALF_WIDTHS))
CODE_SMOOTH = Smoothing(Choose(HALF_WIDTHS), over="crops")
BLEND = Blend(Choose(WEIGHTS))


def _row(
    paper: str,
    row_id: str,
    summary: str,
    text: Way | None,
    code: Way,
    default: Way,
    paper_constants: PostProcess | None = None,
    remark: str = "",
    needs: tuple[str, ...] = (),
) -> tuple[Recipe, ...]:
    name, row = f"au/{paper}-{row_id}", PaperRow(paper, "3", row_id)
    recipe = Recipe(name, AU, summary, default.streams, default.postprocess, row, paper_constants, remark, needs)
    return rows_of_ways(recipe, text=text, code=code)


@dataclass(frozen=True)
class _Input:
    """One of the three inputs of abaw10's table 3, which has four rows for each.

    Attributes:
        words: description of the input for summaries.
        text: streams as the paper's text describes them.
        code: streams as in the authors' code.
        half_width: half width of smoothing at which the notebook prints the smoothed rows.
        thresholds: thresholds that the notebook chooses on probabilities and compares with raw outputs.
        printed: mean F1 of the four rows in the notebook, in their order.
    """

    words: str
    text: tuple[Stream, ...]
    code: tuple[Stream, ...]
    half_width: int
    thresholds: tuple[float, ...]
    printed: tuple[str, str, str, str]


INPUTS = {
    "logits": _Input(
        "linear on the pretrained network's outputs", (LOGITS,), (CODE_LOGITS,), 7,
        (0.7, 0.7, 0.6, 0.5, 0.5, 0.5, 0.6, 0.7, 0.5, 0.7, 0.3, 0.7), (".47521", ".48300", ".48593", ".49294"),
    ),
    "emb": _Input(
        "MLP on embeddings", (EMBEDDINGS,), (CODE_EMBEDDINGS,), 5,
        (0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.6, 0.8, 0.6, 0.7, 0.3, 0.5), (".52704", ".52910", ".54031", ".54149"),
    ),
    "logits-emb": _Input(
        "both blended", (EMBEDDINGS, LOGITS), (CODE_EMBEDDINGS, CODE_LOGITS), 3,
        (0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.6, 0.7, 0.6, 0.6, 0.4, 0.6), (".53799", ".53941", ".54610", ".54680"),
    ),
}  # fmt: skip

RAW = "thresholds are compared with outputs before the sigmoid, and the best ones were found on probabilities"


def _four(kind: str) -> Iterator[Recipe]:
    """Yield abaw10's four rows of an input: single frames or smoothed, each with threshold 0.5 or the best ones."""
    its = INPUTS[kind]
    blend = BLEND if len(its.code) > 1 else None
    shares = Blend((0.5, 0.5)) if blend else None
    rules = (("thr05", "threshold 0.5", HALF, RAW_HALF), ("bestthr", "best thresholds", BEST, RAW_BEST))
    rows = [(smooth, *rule) for smooth in (False, True) for rule in rules]
    for (smooth, slug, words, text_rule, code_rule), printed in zip(rows, its.printed, strict=True):
        text = Way(its.text, PostProcess(None, blend, SMOOTH if smooth else None, None, text_rule))
        code = Way(its.code, PostProcess(None, blend, CODE_SMOOTH if smooth else None, None, code_rule))
        width = Smoothing(its.half_width, over="crops") if smooth else None
        rule = code_rule if code_rule is RAW_HALF else Thresholds(its.thresholds, raw=True)
        constants = PostProcess(None, shares, width, None, rule)
        yield from _row(
            "abaw10",
            f"emotieffnet-{kind}{'-smooth' if smooth else ''}-{slug}",
            f"{its.words}{', smoothed' if smooth else ''}, {words}",
            text,
            code,
            code,
            constants if constants != code.postprocess else None,
            f"the default is the authors' code, whose notebook prints {printed}, the paper's number: {RAW}",
        )


ON_AUDIO = Way((Stream("wav2vec2", head=KERAS_MLP),), PostProcess(thresholds=BEST))
ABAW10 = (
    *_row(
        "abaw10",
        "wav2vec2",
        "audio, best thresholds",
        Way((Stream("wav2vec2", head=MLP),), PostProcess(thresholds=BEST)),
        ON_AUDIO,
        ON_AUDIO,
        remark="neither head nor thresholds are stated; the default is the authors' notebook of ABAW-6, which prints "
        ".3133 with the best thresholds",
    ),
    *_four("logits"),
    *_four("emb"),
    *_four("logits-emb"),
)

ABAW8 = (
    *_row(
        "abaw8",
        "emotieffnet-smooth",
        "MLP on embeddings, smoothed, best thresholds",
        None,
        Way((Stream(FACES, head=KERAS_MLP),), PostProcess(smoothing=CODE_SMOOTH, thresholds=BEST)),
        Way((Stream(FACES, head=OLDER_MLP),), PostProcess(smoothing=SMOOTH, thresholds=BEST)),
        PostProcess(smoothing=Smoothing(3), thresholds=BEST),
        remark="the loss is the authors' code's: the paper names none; @code has its Keras heads and ends of videos",
    ),
    *_row(
        "abaw8",
        "emotieffnet-lightautoml-smooth",
        "MLP on embeddings blended with LightAutoML on the pretrained network's outputs, smoothed",
        None,
        Way(
            (Stream(FACES, head=KERAS_MLP), Stream(FACES, "logits", AutoMl())),
            PostProcess(blend=BLEND, smoothing=CODE_SMOOTH, thresholds=HALF),
        ),
        Way(
            (Stream(FACES, head=OLDER_MLP), Stream(FACES, "logits", AutoMl())),
            PostProcess(blend=BLEND, smoothing=SMOOTH, thresholds=HALF),
        ),
        PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(5), thresholds=HALF),
        remark="what LightAutoML finds in its time depends on the machine",
        needs=("lightautoml",),
    ),
)

_WITH_AUTOML = next(recipe for recipe in ABAW8 if recipe.name == "au/abaw8-emotieffnet-lightautoml-smooth")

ABAW8_TEST = (
    replace(
        _WITH_AUTOML,
        name="au/abaw8-emotieffnet-mlp-lightautoml-trainval",
        summary=f"{_WITH_AUTOML.summary}; heads trained on train and val for test",
        row=PaperRow("abaw8", "4", "emotieffnet-mlp-lightautoml"),
        remark="the paper's score on test is 0.4880; that its heads were trained on both splits is inferred from the "
        f"authors' code, which trains the MLP on both for one epoch; {_WITH_AUTOML.remark}",
        final=tuple(keeping_last(stream, 1) for stream in _WITH_AUTOML.streams),
    ),
)

OURS = (
    Recipe(
        "au/code-emotieffnet-emb-smooth-bestthr",
        AU,
        "as abaw10's row of embeddings, with the loss of the authors' older notebooks, which weights both classes",
        (Stream(FACES, head=OLDER_MLP),),
        PostProcess(smoothing=SMOOTH, thresholds=BEST),
    ),
    Recipe(
        "au/emotieffnet-boosted-trees-smooth",
        AU,
        "as abaw8's last row, with scikit-learn's gradient boosting in LightAutoML's place",
        (Stream(FACES, head=OLDER_MLP), Stream(FACES, "logits", BoostedTrees())),
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
        "face shape and two small expression networks blended, smoothed, best thresholds; the best of "
        "ours with their weights fetched",
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

RECIPES = (*ABAW10, *ABAW8, *ABAW8_TEST, *OURS)
