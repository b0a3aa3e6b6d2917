"""Other definitions in circulation: each against the code that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from harness.errors import DataError
from harness.metrics.metric import metric_for
from harness.metrics.scoring import video_statistics
from harness.metrics.variants import variants, without_uncropped_frames
from harness.tasks import AH, AHV, AU, CE, EMI, EXPR, MTL, OTHER_TASKS, TASKS, VA, Task

Rows = dict[str, np.ndarray]


def of(task: Task, labels: Rows, decisions: Rows) -> dict[str, tuple[float, float]]:
    """Value and difference of each variant by name."""
    statistics = video_statistics(task, metric_for(task), labels, decisions)
    return {v.name: (v.value, v.difference) for v in variants(task, statistics)}


def split(values: np.ndarray, *cuts: int) -> Rows:
    return {f"v{k}": part for k, part in enumerate(np.split(values, cuts))}


@pytest.fixture
def expressions() -> tuple[np.ndarray, np.ndarray]:
    """Anger is in neither labels nor decisions, Fear is decided and never labelled."""
    rng = np.random.default_rng(0)
    truth = rng.choice([0, 2, 4, 5, 6, 7], 300)
    return truth, np.where(rng.random(300) < 0.5, truth, rng.choice([0, 2, 3, 4, 5, 6, 7], 300))


def test_classes_that_do_not_occur(expressions):
    truth, answer = expressions
    found = of(EXPR, split(truth, 100), split(answer, 100))
    value, difference = found["classes in neither labels nor predictions left out"]
    assert value == pytest.approx(f1_score(truth, answer, average="macro"), abs=1e-12)
    official = f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)
    assert difference == pytest.approx(value - official, abs=1e-12)
    for zero_division, name in (
        (1, "classes in neither labels nor predictions count 1"),
        (np.nan, "classes in neither labels nor predictions left out"),
    ):
        expected = f1_score(truth, answer, labels=range(8), average="macro", zero_division=zero_division)
        assert found[name][0] == pytest.approx(expected, abs=1e-12)
    expected = f1_score(truth, answer, labels=np.unique(truth), average="macro")
    assert found["classes without labels left out"][0] == pytest.approx(expected, abs=1e-12)


def test_the_seven_classes_of_those_who_drop_other(expressions):
    truth, answer = expressions
    keep = truth != 7
    expected = f1_score(truth[keep], answer[keep], labels=range(7), average="macro", zero_division=0)
    found = of(EXPR, split(truth, 100), split(answer, 100))
    assert found["frames of class 7 (Other) left out, mean of 7"][0] == pytest.approx(expected, abs=1e-12)
    assert not [name for name in of(CE, split(truth % 7, 100), split(answer % 7, 100)) if "Other" in name]


def test_weighted_f1_and_accuracy(expressions):
    truth, answer = expressions
    found = of(EXPR, split(truth, 100), split(answer, 100))
    assert found["weighted F1"][0] == pytest.approx(f1_score(truth, answer, average="weighted"), abs=1e-12)
    assert found["accuracy"][0] == pytest.approx(accuracy_score(truth, answer), abs=1e-12)


def test_units_present_and_absent():
    rng = np.random.default_rng(0)
    truth = (rng.random((500, 12)) < 0.1).astype(int)
    answer = np.where(rng.random((500, 12)) < 0.8, truth, rng.integers(0, 2, (500, 12)))
    truth[:, 5] = answer[:, 5] = 0
    found = of(AU, split(truth, 100), split(answer, 100))
    each = [f1_score(truth[:, k], answer[:, k], labels=[0, 1], average="macro", zero_division=0) for k in range(12)]
    value, difference = found["macro-F1 over present and absent of each unit"]
    assert value == pytest.approx(np.mean(each), abs=1e-12)
    assert difference > 0.1
    for zero_division, name in (
        (np.nan, "units in neither labels nor predictions left out"),
        (1, "units in neither labels nor predictions count 1"),
    ):
        expected = f1_score(truth, answer, average="macro", zero_division=zero_division)
        assert found[name][0] == pytest.approx(expected, abs=1e-12)
    assert found["all units pooled (micro F1)"][0] == pytest.approx(f1_score(truth, answer, average="micro"), abs=1e-12)
    assert found["accuracy"][0] == pytest.approx((truth == answer).mean(), abs=1e-12)


@pytest.mark.parametrize("n", [10, 100])
def test_degrees_of_freedom_of_ccc(n):
    rng = np.random.default_rng(n)
    truth = rng.uniform(-1, 1, (n, 2))
    answer = 0.5 * truth + rng.normal(0, 0.2, (n, 2))
    found = of(VA, split(truth, n // 2), split(answer, n // 2))
    for variance, covariance, name in (
        (1, 1, "variances and covariance with n - 1"),
        (1, 0, "variances with n - 1, covariance with n"),
        (0, 1, "variances with n, covariance with n - 1"),
    ):
        expected = np.mean([_ccc(truth[:, k], answer[:, k], variance, covariance) for k in range(2)])
        assert found[name][0] == pytest.approx(expected, abs=1e-12)
        official = np.mean([_ccc(truth[:, k], answer[:, k], 0, 0) for k in range(2)])
        assert found[name][1] == pytest.approx(expected - official, abs=1e-12)


def _ccc(x: np.ndarray, y: np.ndarray, variance: int, covariance: int) -> float:
    mixed = np.cov(x, y, ddof=covariance)[0, 1]
    return 2 * mixed / (x.var(ddof=variance) + y.var(ddof=variance) + (x.mean() - y.mean()) ** 2)


def test_mixed_degrees_of_freedom_miss_one_on_agreement():
    truth = np.random.default_rng(0).uniform(-1, 1, (10, 2))
    found = of(VA, {"v": truth}, {"v": truth})
    assert found["variances with n - 1, covariance with n"] == pytest.approx((0.9, -0.1))
    assert found["variances with n, covariance with n - 1"] == pytest.approx((10 / 9, 1 / 9))
    assert found["variances and covariance with n - 1"] == pytest.approx((1, 0))


def test_the_mean_over_videos_of_ccc():
    rng = np.random.default_rng(0)
    truth, noise = rng.uniform(-1, 1, (90, 2)), rng.normal(0, 0.3, (90, 2))
    labels, decisions = split(truth, 30, 50), split(truth + noise, 30, 50)
    labels["unlabelled"], decisions["unlabelled"] = np.full((5, 2), -5.0), np.zeros((5, 2))
    expected = np.mean(
        [[_ccc(labels[f"v{v}"][:, k], decisions[f"v{v}"][:, k], 0, 0) for k in range(2)] for v in range(3)]
    )
    assert of(VA, labels, decisions)["CCC of each video, then the mean"][0] == pytest.approx(expected, abs=1e-12)


def test_constant_columns_of_pearson():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 6))
    answer = truth + rng.normal(0, 0.2, (40, 6))
    answer[:, 2] = 0.5
    expected = np.mean([np.corrcoef(truth[:, k], answer[:, k])[0, 1] for k in (0, 1, 3, 4, 5)])
    videos = [{f"{k:05d}": row[None] for k, row in enumerate(values)} for values in (truth, answer)]
    value, difference = of(EMI, *videos)["constant columns left out of the mean"]
    assert value == pytest.approx(expected, abs=1e-12)
    assert difference == pytest.approx(expected / 6, abs=1e-12)


def test_the_parts_of_the_sum_are_exchanged_one_at_a_time():
    rng = np.random.default_rng(0)
    parts = [rng.uniform(-1, 1, (60, 2)), rng.integers(0, 8, (60, 1)), rng.integers(0, 2, (60, 12))]
    truth = np.concatenate(parts, axis=1)
    answer = np.roll(truth, 1, axis=0)
    found = of(MTL, split(truth, 20), split(answer, 20))
    alone = of(EXPR, split(truth[:, 2], 20), split(answer[:, 2], 20))
    assert {name.split(":")[0] for name in found} == {"va", "expr", "au"}
    assert found["expr: accuracy"][1] == pytest.approx(alone["accuracy"][1], abs=1e-12)


def test_weighted_f1_is_what_ah_was_once_reported_in():
    truth, answer = {"a": np.array([0]), "b": np.array([1]), "c": np.array([0])}, {}
    answer = {"a": np.array([0]), "b": np.array([0]), "c": np.array([0])}
    expected = f1_score([0, 1, 0], [0, 0, 0], average="weighted")
    assert of(AHV, truth, answer)["weighted F1"][0] == pytest.approx(expected, abs=1e-12)


def test_other_definitions_of_ah_are_macro_and_positive_f1():
    rng = np.random.default_rng(3)
    truth, answer = rng.integers(0, 2, 300), (rng.random(300) < 0.3).astype(int)
    found = of(AH, split(truth, 100), split(answer, 100))
    official = f1_score(truth, answer, average="weighted")
    for name, average in (("macro-F1", "macro"), ("F1 of present", "binary")):
        expected = f1_score(truth, answer, average=average)
        assert found[name] == pytest.approx((expected, expected - official), abs=1e-12)


def test_frames_without_a_crop_left_out(expressions):
    truth, answer = expressions
    mask = np.random.default_rng(1).random(300) < 0.9
    found = without_uncropped_frames(EXPR, split(truth, 100), split(answer, 100), split(mask, 100))
    expected = f1_score(truth[mask], answer[mask], labels=range(8), average="macro", zero_division=0)
    official = f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.difference == pytest.approx(expected - official, abs=1e-12)


def test_a_mask_of_crops_that_is_too_short_is_refused(expressions):
    truth, answer = expressions
    with pytest.raises(DataError, match="v1: can't tell which frames have a crop; found 5 frames, expected 200"):
        without_uncropped_frames(EXPR, split(truth, 100), split(answer, 100), split(np.ones(105, bool), 100))
    with pytest.raises(DataError, match="video v0: 300 labels, 0 predictions"):
        without_uncropped_frames(EXPR, split(truth), {}, split(np.ones(300, bool)))


@pytest.mark.parametrize("task", [*TASKS.values(), *OTHER_TASKS.values()], ids=lambda task: task.name)
def test_every_task_has_variants_and_each_says_who(task):
    width = {"classes": (5,), "binaries": (5, 12), "values": (5, task.n_outputs), "parts": (5, 15)}[task.kind]
    rows = {"v": np.zeros(width)} if task.kind == "values" else {"v": np.ones(width, int)}
    statistics = video_statistics(task, metric_for(task), rows, rows)
    found = variants(task, statistics)
    assert found
    assert len({v.name for v in found}) == len(found)
    assert all(v.who and np.isfinite(v.value) for v in found)
