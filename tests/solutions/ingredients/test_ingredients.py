"""Each ingredient of the authors' code by itself, beside what the audit says of it, in NumPy, SciPy or torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn

from harness.errors import SolutionError
from harness.tasks import AU, EXPR, VA
from solutions.heads import losses
from solutions.heads.batches import Batches
from solutions.heads.plateau import Plateau
from solutions.heads.settings import MlpSettings
from solutions.heads.train import train_head
from solutions.postprocess.apply import apply
from solutions.postprocess.calibration import scaled_shares, search_biases, start_biases
from solutions.postprocess.crops import CropFrames
from solutions.postprocess.plan import (
    Blend,
    Choose,
    ConfidenceFilter,
    Constants,
    Gla,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.smoothing import smooth
from solutions.recipe import Recipe, Stream
from solutions.recipes import au, expr, recipe_named, va
from solutions.tuning.choose import choose
from solutions.tuning.selection import accuracy, best_epoch, lowest_loss
from tests.support import authors_code as authors
from tests.support.affwild_rates import AU_WEIGHTS, EXPR_COUNTS

RNG = np.random.default_rng(20)
GLA = expr.CODE_GLA


def probabilities(n: int, labels: np.ndarray, seed: int, lean: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return authors.softmax(rng.normal(0, 1.5, (n, 8)) + lean * np.eye(8)[labels]).astype(np.float32)


def labels_at_rates(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([np.arange(8), rng.choice(8, n - 8, p=EXPR_COUNTS / EXPR_COUNTS.sum())])


# losses and weights


def test_class_weights_are_those_that_the_notebook_prints():
    weights = losses.class_weights(np.repeat(np.arange(8), EXPR_COUNTS), 8)
    np.testing.assert_allclose(weights, authors.PRINTED_CLASS_WEIGHTS, atol=5e-4)


def test_weighted_cross_entropy_is_torchs():
    logits, labels = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 8
    weights = torch.tensor(authors.PRINTED_CLASS_WEIGHTS)
    own = logits.clone().requires_grad_(True)
    nn.CrossEntropyLoss(weight=weights)(own, labels).backward()
    found = losses.weighted_cross_entropy_gradients(logits, labels, weights)
    torch.testing.assert_close(found, own.grad)


def test_effective_weights_are_1_for_affwild2():
    weights = losses.effective_weights(np.repeat(np.arange(8), EXPR_COUNTS), 8, 0.99)
    np.testing.assert_allclose(weights, np.ones(8), atol=5e-5)
    few = losses.effective_weights(np.repeat([0, 1, 3], [300, 20, 2]), 4, 0.99)
    expected = 0.01 / (1 - 0.99 ** np.array([300, 20, 2]))
    np.testing.assert_allclose(few, np.insert(expected / expected.mean(), 2, 0.0))


@pytest.mark.parametrize(("head", "per_class", "gamma"), [("CODE_FOCAL", 8, 2.0), ("CODE_VOICE_FOCAL", 4, 1.0)])
def test_focal_batches_hold_as_many_of_each_class(head, per_class, gamma):
    settings = getattr(expr, head)
    assert (settings.per_class, settings.gamma, settings.beta, settings.epochs) == (per_class, gamma, 0.99, 30)
    assert settings.batch_size == 8 * per_class
    labels = torch.from_numpy(labels_at_rates(500, 1))
    values = torch.arange(500, dtype=torch.float32)[:, None]
    batches = Batches(values, labels, 8 * per_class, "cpu")
    seen = [
        (inputs[:, 0].clone(), targets.clone())
        for inputs, targets in batches.balanced(nn.Identity(), np.random.default_rng(0), per_class)
    ]
    assert len(seen) == -(-500 // (8 * per_class))
    frequent = set(torch.bincount(labels).ge(per_class).nonzero()[:, 0].tolist())
    for rows, targets in seen:
        assert torch.bincount(targets, minlength=8).tolist() == [per_class] * 8
        assert (labels[rows.long()] == targets).all()
        for label in frequent:
            own = rows[targets == label]
            assert len(own.unique()) == per_class, "drawn without replacement"
    assert not torch.equal(seen[0][0], seen[1][0])


def test_values_by_code_are_trained_on_ccc_for_5_epochs():
    head = va.CODE_LINEAR
    assert (head.loss, head.hidden, head.epochs, head.batch_size) == ("ccc", 0, 5, 1024)
    assert (head.weight_decay, head.l2, head.keep) == (1 / 1024, 0.0, "best")
    assert va.CODE_HIDDEN.hidden == 128
    assert recipe_named("va/abaw10-libreface-mlp@code").streams[0].head == va.CODE_HIDDEN


def test_decay_of_values_reaches_biases_too():
    x, y = RNG.normal(size=(256, 10)).astype(np.float32), np.tanh(RNG.normal(size=(256, 2)))
    settings = replace(va.CODE_LINEAR, batch_size=64, weight_decay=0.5)
    with_decay = train_head(settings, [x], [y], VA, seed=0)
    without = train_head(replace(settings, weight_decay=0.0), [x], [y], VA, seed=0)
    changed = with_decay.epochs[-1].output.bias - without.epochs[-1].output.bias
    assert changed.abs().min() > 1e-5


def test_positive_weights_are_negatives_per_positive_up_to_20():
    rates = 0.5 / AU_WEIGHTS
    labels = (np.arange(20000)[:, None] < np.round(rates * 20000)).astype(int)
    expected = np.minimum(1 / labels.mean(0) - 1, 20)
    np.testing.assert_allclose(losses.positive_weights(labels), expected, rtol=1e-6)
    assert (losses.positive_weights(labels) == 20).sum() == 3
    logits = torch.randn(40, 12, generator=torch.Generator().manual_seed(1), requires_grad=True)
    truth = torch.from_numpy(labels[::500]).float()
    weights = torch.tensor(expected, dtype=torch.float32)
    nn.BCEWithLogitsLoss(pos_weight=weights)(logits, truth).backward()
    gradients = losses.make_gradients(au.CODE_MLP, labels, 12, "cpu")
    torch.testing.assert_close(gradients(logits.detach(), truth), logits.grad)


def test_watched_loss_is_torchs_and_its_gradients_stay():
    rng, seen = np.random.default_rng(3), []
    labels = (rng.random((40, 12)) < 0.3).astype(int)
    logits, truth = torch.from_numpy(rng.normal(size=(40, 12)).astype(np.float32)), torch.from_numpy(labels).float()
    watched = losses.make_gradients(au.CODE_MLP, labels, 12, "cpu", watch=lambda *batch: seen.append(batch))
    found = watched(logits.clone(), truth)
    weights = torch.tensor(losses.positive_weights(labels), dtype=torch.float32)
    assert seen == [(nn.BCEWithLogitsLoss(pos_weight=weights)(logits, truth).item(), 40)]
    unwatched = losses.make_gradients(au.CODE_MLP, labels, 12, "cpu")
    assert torch.equal(found, unwatched(logits.clone(), truth))
    with pytest.raises(ValueError, match="positive-weighted-bce alone"):
        losses.make_gradients(replace(au.CODE_MLP, loss="bce"), labels, 12, "cpu", watch=lambda *_: None)


def test_units_by_code_have_the_audits_networks():
    emb, linear = au.CODE_MLP, au.CODE_LINEAR
    assert (emb.hidden, emb.batch_norm, emb.dropout, emb.batch_size, emb.epochs) == (256, True, 0.3, 512, 9)
    assert (linear.hidden, linear.batch_norm, linear.dropout) == (0, False, 0.0)
    for head in (emb, linear):
        assert (head.learning_rate, head.weight_decay, head.plateau, head.raw) == (1e-3, 1e-5, 2, True)
    x, y = RNG.normal(size=(90, 20)).astype(np.float32), RNG.integers(0, 2, (90, 12))
    layers = train_head(replace(emb, epochs=1), [x], [y], AU, seed=0).epochs[0]
    assert [type(layer) for layer in layers] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout, nn.Linear]
    head = train_head(replace(linear, epochs=1), [x], [y], AU, seed=0)
    z = x @ head.epochs[0].output.weight.numpy().T + head.epochs[0].output.bias.numpy()
    np.testing.assert_allclose(head.scores(x), z, atol=1e-5)


def test_a_head_with_batch_norm_is_saved_and_loaded(tmp_path):
    from solutions.heads.train import load_head

    x, y = RNG.normal(size=(513, 6)).astype(np.float32), RNG.integers(0, 2, (513, 12))
    head = train_head(replace(au.CODE_MLP, epochs=2), [x], [y], AU, seed=0)  # the last batch has a single row
    head.save(tmp_path)
    again = load_head(tmp_path)
    assert again.scores(x, 0).tobytes() == head.scores(x, 0).tobytes()
    np.testing.assert_allclose(expit(head.prior), y.mean(0))


def test_the_plateau_rule_is_torchs_at_a_factor_of_a_half():
    values = [1.0, 0.9, 0.9, 0.89999, 0.9, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.7]
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=2)
    plateau, rate = Plateau(2), 1.0
    for value in values:
        scheduler.step(value)
        plateau.watch(value, 4)
        rate *= plateau.factor_after_epoch()
        assert rate == optimiser.param_groups[0]["lr"]
    assert rate < 1


@pytest.mark.parametrize(
    ("task", "change"),
    [
        (AU, {"loss": "bce", "per_class": 4}),
        (EXPR, {"raw": True}),
        (AU, {"loss": "bce", "hidden": 0, "batch_norm": True}),
        (AU, {"loss": "bce", "plateau": 2}),
    ],
)
def test_settings_that_do_not_fit_are_refused(task, change):
    with pytest.raises(SolutionError):
        train_head(replace(MlpSettings(), **change), [], [], task, seed=0)


# epochs


def test_focal_epochs_stop_after_6_without_improvement():
    rises = [0.30, 0.31, 0.31005, 0.30, 0.30, 0.30, 0.30, 0.31, 0.5]
    assert best_epoch(np.array(rises)[:, None], 6).tolist() == [authors.stopped(rises)] == [1]
    assert best_epoch(np.array(rises)[:, None], 0).tolist() == [8]
    for seed in range(20):
        values = np.random.default_rng(seed).random((30, 3)).round(3)
        assert best_epoch(values, 6).tolist() == [authors.stopped(column.tolist()) for column in values.T]


def test_abaw8_epochs_are_chosen_by_accuracy_and_by_loss():
    labels, lengths = np.append(labels_at_rates(59, 2), -1), np.array([20, 40])
    p, sets = probabilities(60, np.abs(labels), 0), np.array([[True, False], [True, True]])
    hits = (p.argmax(1) == labels)[:59]
    np.testing.assert_allclose(accuracy(p, labels, lengths, sets), [hits[:20].mean(), hits.mean()])
    units, rates = RNG.integers(0, 2, (60, 12)), np.linspace(0.1, 0.8, 12)
    units[3] = -1
    q, keep = expit(RNG.normal(size=(60, 12))), np.arange(60) != 3
    weights = np.where(units == 1, 1 / (2 * rates), 1 / (2 * (1 - rates)))
    loss = -(weights * np.where(units == 1, np.log(q), np.log(1 - q)))[keep].mean()
    assert lowest_loss(q, units, lengths, sets, rates)[1] == pytest.approx(-loss)
    assert recipe_named("expr/abaw8-emotieffnet@code").streams[0].head.select == "accuracy"
    assert recipe_named("au/abaw8-emotieffnet-smooth@code").streams[0].head.select == "loss"
    assert recipe_named("expr/abaw8-wav2vec2@code").streams[0].head.keras


# GLA


def test_gla_starts_from_the_inverse_prior():
    counts = EXPR_COUNTS / EXPR_COUNTS.sum()
    np.testing.assert_allclose(start_biases(GLA, counts), np.log(EXPR_COUNTS.max() / EXPR_COUNTS))
    assert (GLA.passes, len(GLA.grid), GLA.grid[0], GLA.grid[-1]) == (3, 41, -2.0, 2.0)


@pytest.mark.parametrize("seed", range(6))
def test_gla_search_finds_the_authors_biases(seed):
    labels = labels_at_rates(600, seed)
    p = probabilities(600, labels, seed)
    found = search_biases(p, labels, EXPR_COUNTS / EXPR_COUNTS.sum(), GLA)
    expected = authors.search_biases(p.astype(np.float64), labels, EXPR_COUNTS)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    text = search_biases(p, labels, EXPR_COUNTS / EXPR_COUNTS.sum(), Gla())
    assert np.abs(text - text[0] - (found - found[0])).max() > 0.05, "the text's search ends elsewhere"


def test_adjusted_probabilities_are_scaled_before_smoothing():
    labels = np.repeat(labels_at_rates(60, 3), 10)
    p, biases = probabilities(600, labels, 3).astype(np.float64), np.log(EXPR_COUNTS.max() / EXPR_COUNTS)
    scaled = authors.softmax(authors.adjusted(p, biases))
    np.testing.assert_allclose(scaled_shares(p.copy(), biases), scaled, atol=1e-12)
    split = SplitScores(np.array([600]), [[p]], [EXPR_COUNTS / EXPR_COUNTS.sum()])
    plan, constants = PostProcess(gla=GLA, smoothing=Smoothing(50)), Constants((0,), (tuple(biases),), (1.0,), 50)
    means = np.array([scaled[max(0, i - 50) : i + 51].mean(0) for i in range(600)])
    applied = apply(EXPR, plan, split, constants)
    np.testing.assert_allclose(applied.scores, means, atol=1e-9)
    np.testing.assert_array_equal(applied.decisions, means.argmax(1))
    unscaled = apply(EXPR, replace(plan, gla=Gla()), split, constants)
    assert (unscaled.decisions != applied.decisions).mean() > 0.01


def test_blend_without_smoothing_is_of_log_scores():
    labels = labels_at_rates(300, 4)
    faces, sound = probabilities(300, labels, 4), probabilities(300, labels, 5, lean=0.7)
    biases = [RNG.normal(0, 1, 8), RNG.normal(0, 1, 8)]
    logs = 0.6 * authors.adjusted(faces.astype(float), biases[0]) + 0.4 * authors.adjusted(
        sound.astype(float), biases[1]
    )
    split = SplitScores(np.array([300]), [[faces], [sound]], [np.full(8, 1 / 8)] * 2)
    constants = Constants((0, 0), (tuple(biases[0]), tuple(biases[1])), (0.6, 0.4))
    plan = PostProcess(gla=GLA, blend=Blend((0.6, 0.4), logs=True))
    applied = apply(EXPR, plan, split, constants)
    np.testing.assert_array_equal(applied.decisions, logs.argmax(1))
    np.testing.assert_allclose(applied.scores, authors.softmax(logs), atol=1e-9)
    linear = apply(EXPR, replace(plan, blend=Blend((0.6, 0.4))), split, constants)
    assert (linear.decisions != applied.decisions).any()


@pytest.mark.parametrize(
    "plan",
    [
        PostProcess(blend=Blend((0.6, 0.4), logs=True), smoothing=Smoothing(5)),
        PostProcess(gla=Gla(), blend=Blend((0.6, 0.4), logs=True)),
    ],
)
def test_log_blends_that_the_authors_do_not_make_are_refused(plan):
    split = SplitScores(np.array([3]), [[np.full((3, 8), 1 / 8)]] * 2, [np.full(8, 1 / 8)] * 2)
    with pytest.raises(SolutionError, match="logarithms"):
        apply(EXPR, plan, split, Constants((0, 0), (None, None), (0.6, 0.4)))


def test_the_filter_leaves_contempt_out_of_the_comparison():
    classifier = np.array([[0.0, 0.0, 0.0, 0.0, 0.45, 0.0, 0.0, 0.55], [0.85, 0.15, 0, 0, 0, 0, 0, 0]])
    p = np.tile(np.eye(8)[5], (2, 1))
    split = SplitScores(np.array([2]), [[p]], [np.full(8, 1 / 8)], classifier)
    for threshold in (0.4, 0.8):
        plan = PostProcess(filter=ConfidenceFilter("any", threshold, "ignored"))
        said = apply(EXPR, plan, split, Constants((0,), (None,), (1.0,), 0, threshold)).decisions
        assert said.tolist() == authors.filtered(p.argmax(1), classifier, threshold).tolist()
    assert expr.CODE_FILTER.contempt == "ignored"


# ends of videos


def test_smoothing_by_code_ends_at_the_last_crop():
    crops = [np.array([2, 3, 7, 8, 15]), np.array([1, 2, 3, 4])]
    lengths = np.array([22, 4])
    scores = RNG.random((26, 3))
    for half_width in (1, 5, 50):
        found = smooth("box", scores, half_width, lengths, CropFrames(lengths, crops))
        first = authors.smoothed(scores[crops[0] - 1], crops[0], half_width)
        second = authors.smoothed(scores[22 + crops[1] - 1], crops[1], half_width)
        np.testing.assert_allclose(found[crops[0] - 1], first, atol=1e-12)
        np.testing.assert_allclose(found[22 + crops[1] - 1], second, atol=1e-12)
        np.testing.assert_array_equal(found[15:22], np.tile(found[14], (7, 1)))
    repeated = smooth("box", np.concatenate([scores[:15], np.tile(scores[14], (7, 1))]), 5, np.array([22]))
    ours = smooth("box", scores[:22], 5, lengths[:1], CropFrames(lengths[:1], crops[:1]))
    assert np.abs(repeated[14] - ours[14]).max() > 1e-3, "copies of the last score pull the end"


def test_a_video_without_a_crop_is_smoothed_whole():
    lengths, scores = np.array([0, 6]), RNG.random((6, 2))
    found = smooth("box", scores, 2, lengths, CropFrames(lengths, [np.empty(0, np.int64)] * 2))
    np.testing.assert_allclose(found, smooth("box", scores, 2))


# raw outputs of units


def test_raw_outputs_are_blended_smoothed_and_compared():
    z = [RNG.normal(0, 2, (50, 12)), RNG.normal(0, 2, (50, 12))]
    split = SplitScores(np.array([50]), [[z[0]], [z[1]]], [np.full(12, 0.5)] * 2)
    thresholds = tuple(np.linspace(0.2, 0.9, 12))
    plan = PostProcess(blend=Blend((0.5, 0.5)), smoothing=Smoothing(3), thresholds=Thresholds(thresholds, raw=True))
    applied = apply(AU, plan, split, Constants((0, 0), (None, None), (0.5, 0.5), 3, thresholds=thresholds))
    means = np.array([(z[0] + z[1])[max(0, i - 3) : i + 4].mean(0) / 2 for i in range(50)])
    np.testing.assert_array_equal(applied.decisions, means >= np.array(thresholds))
    np.testing.assert_allclose(applied.scores, expit(means), atol=1e-12)
    assert expit(0.5) == pytest.approx(0.6225, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_best_thresholds_are_found_on_single_probabilities(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((400, 12)) < np.repeat(0.5 / AU_WEIGHTS, 1)).astype(int)
    labels[:2] = 1
    z = [2 * labels - 1.5 + rng.normal(0, 1.5, (400, 12)) for _ in range(2)]
    split = SplitScores(np.array([100] * 4), [[z[0]], [z[1]]], [labels.mean(0)] * 2)
    rule = Thresholds(Choose(tuple(k / 10 for k in range(1, 10))), raw=True)
    plan = PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(3), thresholds=rule)
    chosen = choose(AU, plan, split, labels, [f"v{k}" for k in range(4)])
    blended = 0.6 * expit(z[0]) + 0.4 * expit(z[1])
    table = [authors.unit_f1(labels, (blended >= k / 10).astype(int)) for k in range(1, 10)]
    assert chosen.on_all.thresholds == tuple((np.array(table).argmax(0) + 1) / 10)


def test_medians_of_raw_outputs_take_each_blends_thresholds():
    rng = np.random.default_rng(7)
    labels = (rng.random((400, 12)) < 0.4).astype(int)
    z = [2 * labels - 1.5 + rng.normal(0, scale, (400, 12)) for scale in (1.0, 3.0)]
    split = SplitScores(np.array([100] * 4), [[z[0]], [z[1]]], [labels.mean(0)] * 2)
    levels, weights, widths = [k / 10 for k in range(1, 10)], (0.0, 0.4, 1.0), (0, 2)
    rule = Thresholds(Choose(tuple(levels)), raw=True)
    plan = PostProcess(blend=Blend(Choose(weights)), smoothing=Smoothing(Choose(widths), "median"), thresholds=rule)
    chosen = choose(AU, plan, split, labels, [f"v{k}" for k in range(4)]).on_all
    scores, thresholds = {}, {}
    for weight in weights:
        by_probability = weight * expit(z[0]) + (1 - weight) * expit(z[1])
        f1 = np.array([authors.unit_f1(labels, (by_probability >= level).astype(int)) for level in levels])
        thresholds[weight] = np.array(levels)[f1.argmax(0)]
        raw = (weight * z[0] + (1 - weight) * z[1]).reshape(4, 100, 12)
        for width in widths:
            medians = [[np.median(video[max(0, k - width) : k + width + 1], 0) for k in range(100)] for video in raw]
            decisions = (np.concatenate(medians) >= thresholds[weight]).astype(int)
            scores[weight, width] = authors.unit_f1(labels, decisions).mean()
    best = max(scores, key=scores.__getitem__)
    assert len({tuple(own) for own in thresholds.values()}) == len(weights)
    assert (chosen.weights[0], chosen.half_width) == best
    assert chosen.thresholds == tuple(thresholds[best[0]])


def test_heads_and_thresholds_must_agree_on_raw_outputs():
    with pytest.raises(ValueError, match="raw"):
        Recipe("au/x", AU, "", (Stream("tiny", head=au.CODE_LINEAR),), PostProcess(thresholds=Thresholds(0.5)))


# what rows take


def test_constants_of_rows_are_those_that_the_notebook_prints():
    def constants(name: str) -> PostProcess:
        return recipe_named(f"{name}@paper").postprocess

    assert constants("expr/abaw10-wav2vec2-focal-gla-smooth").smoothing.half_width == 50
    assert constants("expr/abaw10-emotieffnet-gla-filter").filter.threshold == 0.9
    both = constants("expr/abaw10-emotieffnet-wav2vec2-gla-filter-smooth")
    assert (both.blend.weights, both.filter.threshold, both.smoothing.half_width) == ((0.6, 0.4), 0.8, 50)
    logs = constants("expr/abaw10-wav2vec2-emotieffnet-gla")
    assert (logs.blend, logs.smoothing) == (Blend((0.6, 0.4), logs=True), None)
    assert constants("va/abaw10-mt-ddamfn-mlp-smooth").smoothing.half_width == 25
    for kind, width in (("emb", 5), ("logits", 7), ("logits-emb", 3)):
        assert constants(f"au/abaw10-emotieffnet-{kind}-smooth-thr05").smoothing.half_width == width
    assert constants("au/abaw10-emotieffnet-logits-emb-thr05").blend.weights == (0.5, 0.5)
