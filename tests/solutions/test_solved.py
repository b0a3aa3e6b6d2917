"""Heads solved by scikit-learn beside scikit-learn itself; what was saved is what is loaded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from harness.errors import SolutionError
from harness.tasks import AH, AU, EMI
from solutions.heads.settings import KernelMachine, LinearModel
from solutions.heads.train import load_head, train_head

RNG = np.random.default_rng(0)
ROWS = RNG.normal(1, [[[0.5]], [[3.0]]], (2, 60, 24)).reshape(-1, 24).astype(np.float32)
UNSEEN = np.concatenate([ROWS[::2], RNG.normal(1, 0.7, (50, 24)).astype(np.float32)])
PAIR = (ROWS[:, :3].sum(1) + RNG.normal(size=120) > 3.0).astype(np.int64)
VALUES = np.clip(ROWS[:, :6] * 0.3, 0, 1).astype(np.float64)
SCALERS = {"none": (), "unit": (Normalizer(),), "standard": (StandardScaler(),)}


def trained(settings, labels, task):
    return train_head(settings, [ROWS[:50], ROWS[50:]], [labels[:50], labels[50:]], task, seed=0)


@pytest.mark.parametrize("scale", SCALERS)
@pytest.mark.parametrize(
    ("settings", "model"),
    [
        (KernelMachine(), SVC(C=1.1, kernel="rbf", gamma="scale", class_weight="balanced")),
        (KernelMachine(c=0.5, balanced=False), SVC(C=0.5)),
        (
            KernelMachine("linear", 0.5),
            LinearSVC(C=0.5, class_weight="balanced", random_state=0, tol=1e-6, max_iter=100_000),
        ),
        (LinearModel(2.0), LogisticRegression(C=0.5, max_iter=1000)),
        (LinearModel(2.0, balanced=True), LogisticRegression(C=0.5, class_weight="balanced", max_iter=1000)),
    ],
)
def test_pairs_are_decided_as_scikit_learn_does(settings, model, scale):
    settings = type(settings)(**{**vars(settings), "scale": scale})
    expected = make_pipeline(*SCALERS[scale], model).fit(ROWS.astype(np.float64), PAIR)
    head = trained(settings, PAIR, AH)
    margin = expected.decision_function(UNSEEN.astype(np.float64))
    scores = head.scores(UNSEEN)
    np.testing.assert_allclose(scores[:, 1], expit(margin), atol=2e-5)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    assert ((scores[:, 1] >= 0.5) == expected.predict(UNSEEN)).all()
    assert set(expected.predict(UNSEEN)) == {0, 1}


@pytest.mark.parametrize("scale", SCALERS)
def test_values_are_those_of_ridge_regression(scale):
    head = trained(LinearModel(3.0, scale=scale), VALUES, EMI)
    expected = make_pipeline(*SCALERS[scale], Ridge(alpha=3.0)).fit(ROWS.astype(np.float64), VALUES)
    np.testing.assert_allclose(head.scores(UNSEEN), expected.predict(UNSEEN.astype(np.float64)), atol=1e-5)


def test_values_of_a_kernel_are_those_of_kernel_ridge():
    head = trained(KernelMachine(c=2.5, scale="standard"), VALUES, EMI)
    scaler = StandardScaler().fit(ROWS.astype(np.float64))
    mean = VALUES.mean(0)
    expected = KernelRidge(alpha=0.2, kernel="rbf", gamma=1 / 24).fit(scaler.transform(ROWS), VALUES - mean)
    np.testing.assert_allclose(head.scores(UNSEEN), expected.predict(scaler.transform(UNSEEN)) + mean, atol=1e-5)


@pytest.mark.parametrize("settings", [KernelMachine(), KernelMachine("linear"), LinearModel()])
def test_a_single_class_is_given_to_every_row(settings):
    for label in (0, 1):
        head = trained(settings, np.full(120, label), AH)
        assert (head.scores(UNSEEN)[:, label] == 1).all()


@pytest.mark.parametrize(
    ("settings", "labels", "task"),
    [(KernelMachine(), PAIR, AH), (KernelMachine("linear", scale="unit"), PAIR, AH), (LinearModel(), VALUES, EMI)],
)
def test_a_saved_head_gives_the_same_bits(settings, labels, task, tmp_path):
    head = trained(settings, labels, task)
    head.save(tmp_path)
    loaded = load_head(tmp_path)
    assert loaded.scores(UNSEEN).tobytes() == head.scores(UNSEEN).tobytes()
    assert loaded.prior.tolist() == head.prior.tolist()
    assert loaded.settings == settings


def test_other_tasks_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(SolutionError, match="values or two classes"):
        trained(LinearModel(), np.zeros((120, 12), np.int64), AU)
    trained(LinearModel(), VALUES, EMI).save(tmp_path)
    (tmp_path / "solved.safetensors").write_bytes(b"")
    with pytest.raises(SolutionError, match="not a saved head"):
        load_head(tmp_path)
