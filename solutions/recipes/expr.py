"""EXPR: expression recognition. One entry, one solution."""

from __future__ import annotations

from harness.reference.papers import PaperRow
from harness.tasks import EXPR
from solutions.heads.settings import MlpSettings, Pretrained
from solutions.postprocess.plan import (
    FILTER_THRESHOLDS,
    HALF_WIDTHS,
    WEIGHTS,
    Blend,
    Choose,
    ConfidenceFilter,
    Gla,
    PostProcess,
    Smoothing,
)
from solutions.recipe import Recipe, Stream

FACES = "enet_b0_8_best_vgaf"  # EmotiEffNet-B0 of both papers
AUDIO = "wav2vec2"

# Dense 128, ReLU, weighted cross-entropy, Adam 1e-3, batches of 256, 10 epochs, the best one kept, on features as they
# are: the authors' code (abaw8's notebook), which abaw10 describes too
MLP = MlpSettings(standardise=False, keep="best")
FOCAL = MlpSettings(loss="focal", standardise=False, keep="best")

FACE, FACE_FOCAL = Stream(FACES, head=MLP), Stream(FACES, head=FOCAL)
VOICE, VOICE_FOCAL = Stream(AUDIO, head=MLP), Stream(AUDIO, head=FOCAL)

SMOOTH = Smoothing(Choose(HALF_WIDTHS))
BLEND = Blend(Choose(WEIGHTS))
FILTER = ConfidenceFilter(FACES, Choose(FILTER_THRESHOLDS))
CODE_FILTER = ConfidenceFilter(FACES, Choose(FILTER_THRESHOLDS), contempt="ignored")

# Landmarks tell much about who a face is and little about how it feels, and there are few people to learn from: the
# head is held back. Chosen by cross-validation over training people of a small set of photographs, never on val.
ON_LANDMARKS = MlpSettings(epochs=20, weight_decay=0.05, dropout=0.3)
LANDMARKS = Stream("landmarks", head=ON_LANDMARKS)
TEXTURE = Stream("tiny", head=ON_LANDMARKS)

# Two small published expression networks: chosen by three folds over training videos of photographs, never on val.
ON_EXPRESSION = MlpSettings(epochs=20, weight_decay=0.3, dropout=0.5)
EXPRESSION = Stream("expression", head=ON_EXPRESSION)
EXPRESSION_FILTER = ConfidenceFilter("expression", Choose(FILTER_THRESHOLDS))

BLENDED_AUDIO = "the paper does not say which audio head is blended; this takes the focal loss, the only one it reports"


def _row(
    paper: str,
    row_id: str,
    summary: str,
    streams: tuple[Stream, ...],
    postprocess: PostProcess,
    paper_constants: PostProcess | None = None,
    remark: str = "",
) -> Recipe:
    row = PaperRow(paper, "1", row_id)
    return Recipe(f"expr/{paper}-{row_id}", EXPR, summary, streams, postprocess, row, paper_constants, remark)


ABAW10 = (
    _row("abaw10", "wav2vec2-focal", "sound, focal loss", (VOICE_FOCAL,), PostProcess()),
    _row("abaw10", "wav2vec2-focal-gla", "sound, focal loss, GLA", (VOICE_FOCAL,), PostProcess(gla=Gla())),
    _row(
        "abaw10",
        "wav2vec2-focal-gla-smooth",
        "sound, focal loss, GLA, smoothed",
        (VOICE_FOCAL,),
        PostProcess(gla=Gla(), smoothing=SMOOTH),
    ),
    _row("abaw10", "emotieffnet", "faces, weighted softmax loss", (FACE,), PostProcess()),
    _row("abaw10", "emotieffnet-gla", "faces, GLA", (FACE,), PostProcess(gla=Gla())),
    _row(
        "abaw10",
        "emotieffnet-gla-filter",
        "faces, GLA, the pretrained classifier where it is sure",
        (FACE,),
        PostProcess(gla=Gla(), filter=FILTER),
    ),
    _row("abaw10", "emotieffnet-focal", "faces, focal loss", (FACE_FOCAL,), PostProcess()),
    _row("abaw10", "emotieffnet-focal-gla", "faces, focal loss, GLA", (FACE_FOCAL,), PostProcess(gla=Gla())),
    _row(
        "abaw10",
        "wav2vec2-emotieffnet-gla",
        "faces and sound blended, GLA",
        (FACE, VOICE_FOCAL),
        PostProcess(gla=Gla(), blend=BLEND),
        remark=BLENDED_AUDIO,
    ),
    _row(
        "abaw10",
        "emotieffnet-gla-smooth",
        "faces, GLA, smoothed",
        (FACE,),
        PostProcess(gla=Gla(), smoothing=SMOOTH),
    ),
    _row(
        "abaw10",
        "emotieffnet-gla-filter-smooth",
        "faces, GLA, filtered, smoothed",
        (FACE,),
        PostProcess(gla=Gla(), smoothing=SMOOTH, filter=FILTER),
    ),
    _row(
        "abaw10",
        "emotieffnet-wav2vec2-gla-smooth",
        "faces and sound blended, GLA, smoothed",
        (FACE, VOICE_FOCAL),
        PostProcess(gla=Gla(), blend=BLEND, smoothing=SMOOTH),
        remark=BLENDED_AUDIO,
    ),
    _row(
        "abaw10",
        "emotieffnet-wav2vec2-gla-filter-smooth",
        "faces and sound blended, GLA, filtered, smoothed",
        (FACE, VOICE_FOCAL),
        PostProcess(gla=Gla(), blend=BLEND, smoothing=SMOOTH, filter=FILTER),
        remark=BLENDED_AUDIO,
    ),
)

# the constants are those of the cells in the authors' notebook that print the papers' numbers
ABAW8 = (
    _row("abaw8", "wav2vec2", "sound", (VOICE,), PostProcess()),
    _row(
        "abaw8",
        "wav2vec2-smooth",
        "sound, smoothed",
        (VOICE,),
        PostProcess(smoothing=SMOOTH),
        PostProcess(smoothing=Smoothing(500)),
    ),
    _row("abaw8", "emotieffnet", "faces", (FACE,), PostProcess()),
    _row(
        "abaw8",
        "emotieffnet-smooth",
        "faces, smoothed",
        (FACE,),
        PostProcess(smoothing=SMOOTH),
        PostProcess(smoothing=Smoothing(50)),
    ),
    _row(
        "abaw8",
        "emotieffnet-filter-smooth",
        "faces, smoothed, the pretrained classifier where it is sure",
        (FACE,),
        PostProcess(smoothing=SMOOTH, filter=CODE_FILTER),
        PostProcess(smoothing=Smoothing(50), filter=ConfidenceFilter(FACES, 0.7, "ignored")),
    ),
    _row(
        "abaw8",
        "wav2vec2-emotieffnet",
        "faces and sound blended",
        (FACE, VOICE),
        PostProcess(blend=BLEND),
        PostProcess(blend=Blend((0.5, 0.5))),
    ),
    _row(
        "abaw8",
        "wav2vec2-emotieffnet-smooth",
        "faces and sound blended, smoothed",
        (FACE, VOICE),
        PostProcess(blend=BLEND, smoothing=SMOOTH),
        PostProcess(blend=Blend((0.7, 0.3)), smoothing=Smoothing(50)),
    ),
    _row(
        "abaw8",
        "wav2vec2-emotieffnet-filter-smooth",
        "faces and sound blended, filtered, smoothed",
        (FACE, VOICE),
        PostProcess(blend=BLEND, smoothing=SMOOTH, filter=CODE_FILTER),
        PostProcess(blend=Blend((0.8, 0.2)), smoothing=Smoothing(50), filter=ConfidenceFilter(FACES, 0.7, "ignored")),
    ),
)

OURS = (
    Recipe(
        "expr/landmarks-mlp",
        EXPR,
        "face shape from MediaPipe landmarks, MLP; needs no download",
        (LANDMARKS,),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-mlp-gla",
        EXPR,
        "the same, biases adjusted",
        (LANDMARKS,),
        PostProcess(gla=Gla()),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-mlp-smooth",
        EXPR,
        "the same, smoothed over time, window chosen by cross-fitting",
        (LANDMARKS,),
        PostProcess(smoothing=SMOOTH),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-mlp-gla-smooth",
        EXPR,
        "the same, biases adjusted and smoothed",
        (LANDMARKS,),
        PostProcess(gla=Gla(), smoothing=SMOOTH),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-tiny-smooth",
        EXPR,
        "face shape and gradient histograms blended, smoothed; the best that needs no download",
        (LANDMARKS, TEXTURE),
        PostProcess(blend=BLEND, smoothing=SMOOTH),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-tiny-gla-smooth",
        EXPR,
        "the same, biases adjusted",
        (LANDMARKS, TEXTURE),
        PostProcess(gla=Gla(), blend=BLEND, smoothing=SMOOTH),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/expression-zeroshot",
        EXPR,
        "what two small expression networks say, nothing trained; Other is never predicted",
        (Stream("expression", "logits", Pretrained()),),
    ),
    Recipe("expr/expression-mlp", EXPR, "two small expression networks, MLP", (EXPRESSION,)),
    Recipe(
        "expr/expression-mlp-smooth",
        EXPR,
        "the same, smoothed over time, window chosen by cross-fitting",
        (EXPRESSION,),
        PostProcess(smoothing=SMOOTH),
    ),
    Recipe(
        "expr/expression-mlp-filter-smooth",
        EXPR,
        "the same, the networks' own word where they are sure",
        (EXPRESSION,),
        PostProcess(smoothing=SMOOTH, filter=EXPRESSION_FILTER),
    ),
    Recipe(
        "expr/landmarks-expression-smooth",
        EXPR,
        "face shape and two small expression networks blended, smoothed; start here once their weights are fetched",
        (LANDMARKS, EXPRESSION),
        PostProcess(blend=BLEND, smoothing=SMOOTH),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/landmarks-expression-filter-smooth",
        EXPR,
        "the same, the networks' own word where they are sure",
        (LANDMARKS, EXPRESSION),
        PostProcess(blend=BLEND, smoothing=SMOOTH, filter=EXPRESSION_FILTER),
        needs=("mediapipe",),
    ),
    Recipe(
        "expr/tiny-mlp-smooth",
        EXPR,
        "the demo's: gradient histograms without any weights, MLP, smoothed",
        (Stream("tiny"),),
        PostProcess(smoothing=SMOOTH),
    ),
)

RECIPES = (*ABAW10, *ABAW8, *OURS)
