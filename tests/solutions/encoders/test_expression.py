"""The encoder of two expression networks: both crops, rows of a batch, what it says of classes, the filter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from harness.errors import MissingDependencyError
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.encoders.affectnet import probabilities
from solutions.encoders.images.expression import PairPreprocessing, load_pair, pair_encoder
from solutions.encoders.registry import make_encoder
from solutions.heads.settings import MlpSettings, Pretrained
from solutions.postprocess.plan import Choose, ConfidenceFilter, PostProcess, Smoothing
from solutions.recipe import Recipe, Stream
from solutions.recipe_solution import RecipeSolution
from solutions.recipes import recipe_named
from solutions.weights.store import load_weights
from tests.support import shortened
from tests.support import tensorflow_oracle as oracle
from tests.support.npm_packages import both_weights, bring_expression

AFFWILD2 = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
FACE_CLASSES = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
GREY_CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@pytest.fixture
def settings(tmp_path) -> Settings:
    made = Settings(
        out=tmp_path / "out", store=tmp_path / "results.duckdb", cache=tmp_path / "cache", device="cpu", workers=1
    )
    bring_expression(made, tmp_path)
    return made


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 256, (side, side + 9, 3), dtype=np.uint8) for side in (40, 112, 150, 64, 1)]


def expected(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings, and probabilities in Aff-Wild2's order, by Pillow and NumPy."""
    whole = Pillow.fromarray(image)
    colour = np.asarray(whole.resize((112, 112), Pillow.Resampling.BILINEAR))
    grey = np.asarray(whole.convert("L").resize((64, 64), Pillow.Resampling.BILINEAR))
    weights = both_weights()
    face, face_logits = oracle.face_expression(colour, weights["expression"])
    small, small_logits = oracle.mini_xception(grey, weights["expression.mini-xception"])
    by_face = dict(zip(FACE_CLASSES, oracle.softmax(face_logits), strict=True))
    by_grey = dict(zip(GREY_CLASSES, oracle.softmax(small_logits), strict=True))
    mean = [0.0 if name == "other" else (by_face[name] + by_grey[name]) / 2 for name in AFFWILD2]
    return np.concatenate([face, small]), np.array(mean)


def test_rows_match_pillow_and_numpy(settings, images):
    encoder = make_encoder("expression", settings)
    rows = encoder.encode([encoder.prepare(image) for image in images])
    for row, image in zip(rows, images, strict=True):
        embeddings, classes = expected(image)
        np.testing.assert_allclose(row[:512], embeddings, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(probabilities(row[None, 512:])[0], classes, atol=1e-5)


def test_rows_do_not_depend_on_the_batch(settings, images):
    encoder = make_encoder("expression", settings)
    prepared = [encoder.prepare(image) for image in images]
    whole = encoder.encode(prepared * 5)
    one_by_one = np.concatenate([encoder.encode([image]) for image in prepared])
    np.testing.assert_allclose(whole, np.tile(one_by_one, (5, 1)), rtol=1e-5, atol=1e-5)


def test_fused_graph_matches_plain_torch(settings, images):
    both = [load_weights(name, settings).tensors for name in ("expression", "expression.mini-xception")]
    pair = load_pair(*both)
    batch = torch.from_numpy(np.stack([PairPreprocessing().prepare(image) for image in images]))
    with torch.inference_mode():
        plain = np.concatenate([pair.eval()(batch[k : k + 1]).numpy() for k in range(len(images))])
    rows = pair_encoder(pair, {}, settings).encode(list(batch.numpy()))
    np.testing.assert_allclose(rows, plain, rtol=1e-4, atol=1e-4)
    assert np.ptp(plain[:, 512:], axis=0).max() > 1e-3


def test_identity_names_weights_and_preprocessing(settings):
    identity = make_encoder("expression", settings).identity()
    assert identity["weights"] == [load_weights(n, settings).sha256 for n in ("expression", "expression.mini-xception")]
    assert identity["preprocessing"] == {"colour": 112, "grey": 64, "interpolation": "bilinear"}


def test_one_network_alone_is_not_enough(settings):
    (settings.cache / "weights" / "expression.mini-xception.json").unlink()
    (settings.cache / "weights" / "expression.mini-xception.safetensors").unlink()
    with pytest.raises(MissingDependencyError, match=r"Run: abaw weights fetch expression.mini-xception"):
        make_encoder("expression", settings)


def test_zeroshot_trains_nothing_and_never_says_other(drawn_once, settings):
    data = shortened.opened(drawn_once, EXPR, {"train": 1, "val": 2, "test": 1}, 12)
    solution = RecipeSolution(recipe_named("expr/expression-zeroshot"), settings)
    solution.fit(data, seed=0)
    found = solution.predict(data, "val")
    encoder = make_encoder("expression", settings)
    for name, video in found:
        assert not (video.decisions == 7).any()
        images = next(v for v in data.videos("val") if v.name == name).images
        with images.reader() as reader:
            picture = reader.read([0])[0]
        own = probabilities(encoder.encode([encoder.prepare(picture.image)])[:, 512:])[0]
        np.testing.assert_allclose(video.scores[picture.frame - 1], own, atol=1e-5)
    assert not (settings.cache / "heads").exists()
    assert isinstance(solution.recipe.streams[0].head, Pretrained)


def test_filter_takes_the_networks_word(drawn_once, settings):
    data = shortened.opened(drawn_once, EXPR, {"train": 1, "val": 2, "test": 1}, 12)
    stream = Stream("expression", head=MlpSettings(epochs=1))
    decisions = {}
    for threshold in (0.0, 1.0):
        plan = PostProcess(smoothing=Smoothing(2), filter=ConfidenceFilter("expression", threshold))
        recipe = Recipe(f"expr/filter-{threshold:g}", EXPR, "", (stream,), plan)
        solution = RecipeSolution(recipe, settings)
        solution.fit(data, seed=0)
        decisions[threshold] = np.concatenate([video.decisions for _, video in solution.predict(data, "val")])
    zero = replace(recipe_named("expr/expression-zeroshot"), postprocess=PostProcess(smoothing=Smoothing(2)))
    solution = RecipeSolution(zero, settings)
    solution.fit(data, seed=0)
    alone = np.concatenate([video.decisions for _, video in solution.predict(data, "val")])
    np.testing.assert_array_equal(decisions[0.0], alone)  # sure of everything
    assert (decisions[1.0] != alone).any()  # sure of nothing: the head decides


@pytest.mark.slow
def test_filter_recipe_runs_for_real(drawn_once, settings, monkeypatch):
    from harness.plugins.interface import SolutionEntry

    data = shortened.opened(drawn_once, EXPR, {"train": 2, "val": 3, "test": 1}, 12)
    plan = PostProcess(smoothing=Smoothing(Choose((0, 2))), filter=ConfidenceFilter("expression", Choose((1.0, 0.5))))
    recipe = Recipe("expr/filtered", EXPR, "", (Stream("expression", head=MlpSettings(epochs=1)),), plan)
    entry = SolutionEntry(recipe.name, EXPR, "", lambda settings: RecipeSolution(recipe, settings))
    finished = run_solution(entry, data, "val", settings)
    assert "filter_threshold" in str(finished.record.choices)
