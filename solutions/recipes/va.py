"""VA: valence and arousal. One entry, one solution."""

from __future__ import annotations

from harness.reference.papers import PaperRow
from harness.tasks import VA
from solutions.heads.settings import MlpSettings, Pretrained
from solutions.postprocess.plan import HALF_WIDTHS, WEIGHTS, Blend, Choose, PostProcess, Smoothing
from solutions.recipe import Recipe, Stream

FACES = "ddamfn_8_mtl"  # MT-DDAMFN of abaw10

# one layer with tanh on the network's ten outputs (abaw10, sections 3.2 and 4.2); sizes as in the authors' code
LINEAR = MlpSettings(loss="mse-ccc", hidden=0, epochs=20, batch_size=1024, standardise=False, keep="best")
# the authors' code: 1 - mean CCC of the batch, and Keras' L2 of one over the batch size
CODE_LINEAR = MlpSettings(loss="ccc", hidden=0, epochs=20, batch_size=1024, l2=1 / 1024, standardise=False, keep="best")
HIDDEN = MlpSettings(loss="mse-ccc", epochs=20, batch_size=1024, standardise=False, keep="best")
# chosen by three folds over training videos of photographs, never on val
ON_EXPRESSION = MlpSettings(loss="ccc", epochs=20, batch_size=1024, weight_decay=0.3, dropout=0.5)
ON_LANDMARKS = MlpSettings(loss="ccc", epochs=20, batch_size=1024, weight_decay=0.05, dropout=0.3)

SMOOTH = PostProcess(smoothing=Smoothing(Choose(HALF_WIDTHS)))


def _row(
    row_id: str,
    summary: str,
    stream: Stream,
    postprocess: PostProcess | None = None,
    remark: str = "",
) -> Recipe:
    name, row = f"va/abaw10-{row_id}", PaperRow("abaw10", "2", row_id)
    return Recipe(name, VA, summary, (stream,), postprocess or PostProcess(), row, remark=remark)


ABAW10 = (
    _row(
        "wav2vec2",
        "sound, linear",
        Stream("wav2vec2", head=LINEAR),
        remark="the paper does not say which head; this takes the one of its faces",
    ),
    _row(
        "libreface-mlp",
        "LibreFace's features that you bring, MLP",
        Stream("precomputed:libreface", head=HIDDEN),
        remark="another team's encoder, whose features you bring; the size of the MLP is not stated, here 128",
    ),
    _row(
        "mt-ddamfn-pretrained",
        "the pretrained network's own valence and arousal",
        Stream(FACES, "logits", Pretrained()),
    ),
    _row(
        "mt-ddamfn-mlp",
        "linear on the pretrained network's outputs, MSE minus CCC (eq. 5)",
        Stream(FACES, "logits", LINEAR),
        remark="the table says MLP, section 3.2 says no hidden layer, and so does the authors' code",
    ),
    _row(
        "mt-ddamfn-mlp-smooth",
        "the same, smoothed",
        Stream(FACES, "logits", LINEAR),
        SMOOTH,
        remark="the authors' notebook prints these numbers at a half width of 25; the window is chosen here",
    ),
)

OURS = (
    Recipe(
        "va/code-mt-ddamfn-mlp-smooth",
        VA,
        "as abaw10's last row, with the loss of the authors' code: 1 - mean CCC",
        (Stream(FACES, "logits", CODE_LINEAR),),
        SMOOTH,
    ),
    Recipe(
        "va/landmarks-mlp",
        VA,
        "face shape from MediaPipe landmarks, MLP; needs no download",
        (Stream("landmarks", head=ON_LANDMARKS),),
        needs=("mediapipe",),
    ),
    Recipe(
        "va/landmarks-mlp-smooth",
        VA,
        "the same, smoothed",
        (Stream("landmarks", head=ON_LANDMARKS),),
        SMOOTH,
        needs=("mediapipe",),
    ),
    Recipe(
        "va/landmarks-tiny-smooth",
        VA,
        "face shape and gradient histograms blended, smoothed; the best that needs no download",
        (Stream("landmarks", head=ON_LANDMARKS), Stream("tiny", head=ON_LANDMARKS)),
        PostProcess(blend=Blend(Choose(WEIGHTS)), smoothing=Smoothing(Choose(HALF_WIDTHS))),
        needs=("mediapipe",),
    ),
    Recipe("va/expression-mlp", VA, "two small expression networks, MLP", (Stream("expression", head=ON_EXPRESSION),)),
    Recipe("va/expression-mlp-smooth", VA, "the same, smoothed", (Stream("expression", head=ON_EXPRESSION),), SMOOTH),
    Recipe(
        "va/landmarks-expression-smooth",
        VA,
        "face shape and two small expression networks blended, smoothed; start here once their weights are fetched",
        (Stream("landmarks", head=ON_LANDMARKS), Stream("expression", head=ON_EXPRESSION)),
        PostProcess(blend=Blend(Choose(WEIGHTS)), smoothing=Smoothing(Choose(HALF_WIDTHS))),
        needs=("mediapipe",),
    ),
    Recipe(
        "va/tiny-mlp-smooth",
        VA,
        "the demo's: gradient histograms without any weights, MLP, smoothed",
        (Stream("tiny", head=MlpSettings(loss="ccc")),),
        SMOOTH,
    ),
)

RECIPES = (*ABAW10, *OURS)
