"""Rows of abaw8's tables 5 to 9: each is a recipe, with the settings that the audit of the authors' code names."""

from __future__ import annotations

import numpy as np
import pytest

from harness.plugins.registry import solution_entries
from harness.reference.papers import table_rows
from harness.tasks import AH, AHV, EMI
from solutions.columns import Columns
from solutions.postprocess.plan import FINE_WEIGHTS, Choose
from solutions.recipes import RECIPES, recipe_named
from solutions.recipes.emi import BY_TARGET_NOTES

OWN = [row for row in table_rows() if row.is_own and row.row.paper == "abaw8" and row.row.table in "56789"]
RECIPE_OF = {recipe.row: recipe for recipe in RECIPES if recipe.row}


def test_all_82_own_rows_are_recipes():
    assert len(OWN) == 82
    tables = [row.row.table for row in OWN]
    assert [tables.count(table) for table in "56789"] == [40, 5, 8, 24, 5]
    assert {row.row for row in OWN} <= set(RECIPE_OF)
    entries = {entry.row: entry for entry in solution_entries().values() if entry.row and not entry.variant_of}
    for row in OWN:
        assert entries[row.row].task.name == row.task, row.row
        assert entries[row.row].published == (row.published if row.split == "val" else None), row.row


@pytest.mark.parametrize("row", [row for row in OWN if row.split == "test"], ids=lambda row: row.row.row_id)
def test_rows_of_the_test_split_say_their_score(row):
    recipe = RECIPE_OF[row.row]
    assert f"{row.published:.4f}".rstrip("0") in recipe.remark
    assert bool(recipe.final) == ("trainval" in row.row.row_id)
    for stream, final in zip(recipe.streams, recipe.final, strict=bool(recipe.final)):
        assert final.columns == stream.columns
        assert final.head.keep == "last"
        assert final.head.epochs == (stream.head.epochs if recipe.task is EMI else 1)


def test_rows_take_the_inputs_that_the_table_names():
    """The words of the table stand for encoders; two rows that say HuBERT are wav2vec 2.0, and two names are lost."""
    words = {
        "sentence-bert": "distilroberta-mean",
        "all-minilm": "minilm-l6-v1",
        "e5": "e5-base-v2",
        "text-embedding-3-small": "precomputed:openai-small",
        "gigachat": "precomputed:gigachat",
        "ddamfnet_8": "ddamfn_8",
        "ddamfnet_8_mtl": "ddamfn_8_mtl",
    }
    for row in OWN:
        recipe = RECIPE_OF[row.row]
        named = {words.get(word, word) for word in row.encoder.split("+")}
        if row.row.row_id in ("hubert-mobilevit", "hubert-mbf"):
            named = named - {"hubert"} | {"wav2vec2"}
            assert "HuBERT" in recipe.remark
        used = {name for stream in recipe.streams for name in stream.encoders}
        if "garbled" in row.row.row_id:
            assert "a guess" in recipe.remark
        else:
            assert used == named, row.row
        assert (recipe.postprocess.video_filter is not None) == ("filter" in row.row.row_id)


@pytest.mark.parametrize(
    ("row_id", "columns"),
    [
        ("emi/abaw8-mbf-scores-stat", (Columns("mbf_va_mtl", "logits", "stat", 5),)),
        ("emi/abaw8-hubert-emb-mean", (Columns("hubert", "embeddings", "mean"),)),
        ("emi/abaw8-roberta-emb-stat", (Columns("roberta-go-emotions", "embeddings", "stat"),)),
        ("emi/abaw8-gigachat-emb-mean", (Columns("precomputed:gigachat", "embeddings", "row", 1, 1024),)),
        ("emi/abaw8-openai-emb-mean", (Columns("precomputed:openai-small", "embeddings", "row", 1, 1536),)),
        (
            "ah/abaw8-roberta-hubert-mbf-fusion",
            (
                Columns("mbf_va_mtl", "logits"),
                Columns("hubert"),
                Columns("roberta-go-emotions", pooling="mean"),
            ),
        ),
    ],
)
def test_columns_of_rows_are_those_of_the_audit(row_id, columns):
    (stream,) = recipe_named(row_id).streams
    assert stream.columns == columns


def test_heads_of_rows_are_those_of_the_audit():
    def head(name: str) -> tuple:
        settings = recipe_named(name).streams[0].head
        assert settings.keras
        assert not settings.standardise
        assert settings.dropout == settings.weight_decay == 0
        assert settings.batch_size == 512
        numbers = settings.hidden, settings.epochs, settings.learning_rate, settings.l2
        return settings.loss, *numbers, settings.keep, settings.select if settings.keep == "best" else ""

    mlp = ("weighted-pearson", 64, 20, 1e-3, 0.0, "best", "pieces")
    linear = ("pearson", 0, 100, 1e-3, 1 / 512, "best", "pieces")
    assert head("emi/abaw8-minilm-emb-mean") == mlp
    assert head("emi/abaw8-hubert-emb-mean") == linear
    assert head("emi/abaw8-openai-emb-mean") == (*mlp[:2], 5, *mlp[3:])
    assert head("emi/abaw8-gigachat-emb-mean") == (*linear[:2], 10, *linear[3:])
    assert head("ah/abaw8-hubert") == ("bce", 64, 20, 5e-4, 0.0, "best", "positive-f1")
    assert head("ah/abaw8-mbf-scores") == ("balanced-bce", 0, 20, 1e-3, 1 / 512, "last", "")
    assert head("ah/abaw8-roberta-mbf-fusion")[1] == 32


@pytest.mark.parametrize("streams", BY_TARGET_NOTES, ids="-".join)
def test_weights_by_target_are_those_of_the_notes(streams):
    text, face = streams
    recipe = recipe_named(f"emi/abaw8-{text}-{face}-hubert-blend")
    assert [stream.encoders[0] for stream in recipe.streams][1] == "hubert"
    video, audio, rest = np.array(recipe.paper_constants.blend.weights)
    assert video.shape == (6,)
    np.testing.assert_allclose(video + audio + rest, 1, atol=1e-12)
    twentieths = np.array([video, audio, rest]) * 20
    np.testing.assert_allclose(twentieths, twentieths.round(), atol=1e-9)
    assert rest.min() > 0
    blend = recipe.postprocess.blend
    assert blend.by_target
    assert blend.steps == 20
    assert blend.weights == Choose(FINE_WEIGHTS)
    assert not blend.standardised


def test_constants_of_the_filtered_row_are_those_of_the_audit():
    constants = recipe_named("ah/abaw8-roberta-hubert-mbf-train-smooth-filter").paper_constants
    assert constants.blend.weights == (0.6, 0.15, 0.25)
    assert constants.smoothing.half_width == 10
    assert constants.thresholds.values == 0.3
    head = constants.video_filter.head
    assert (head.kernel, head.c, head.balanced, head.scale) == ("rbf", 1.1, True, "none")
    assert constants.video_filter.columns == Columns("roberta-go-emotions", "embeddings", "mean")


def test_grids_are_those_of_the_audit():
    plan = recipe_named("ah/abaw8-mbf-smooth-filter").postprocess
    assert sorted(plan.smoothing.half_width.candidates) == [0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 150]
    assert sorted(plan.thresholds.values.candidates) == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    np.testing.assert_allclose(sorted(FINE_WEIGHTS), np.arange(21) / 20, atol=1e-12)


def test_rows_belong_to_the_task_of_their_level():
    levels = {recipe.task: recipe.task.level for recipe in RECIPE_OF.values()}
    assert (levels[EMI], levels[AH], levels[AHV]) == ("video", "frame", "video")
    for recipe in RECIPE_OF.values():
        if recipe.task.level == "video":
            assert all(entry.pooling != "none" for stream in recipe.streams for entry in stream.columns)
