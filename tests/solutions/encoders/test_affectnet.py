"""AffectNet's classes in Aff-Wild2's order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from harness.errors import SolutionError
from harness.tasks import EXPR
from solutions.encoders.affectnet import AROUSAL, CLASSES, TO_AFFWILD2, VALENCE, probabilities


@pytest.fixture(scope="module")
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (200, 10)).astype(np.float32)


def test_each_class_goes_where_affwild2_has_it():
    expressions = [name.lower() for name in EXPR.targets]
    assert [CLASSES[k].lower() for k in TO_AFFWILD2[:7]] == expressions[:7]
    assert expressions[7] == "other"
    assert CLASSES[TO_AFFWILD2[7]] == "Contempt"
    assert sorted(TO_AFFWILD2) == list(range(8))


def test_it_is_the_authors_index():
    assert TO_AFFWILD2 == (5, 0, 2, 3, 4, 6, 7, 1)


@pytest.mark.parametrize("k", range(8))
def test_a_sure_classifier_is_understood(k):
    rows = probabilities(np.eye(8, dtype=np.float32)[[k]] * 50)
    assert CLASSES[TO_AFFWILD2[int(rows.argmax())]] == CLASSES[k]
    assert rows.max() > 0.999


def test_it_is_the_softmax_of_each_row(logits):
    rows = probabilities(logits)
    assert (rows.shape, rows.dtype) == ((200, 8), np.float32)
    np.testing.assert_allclose(rows, softmax(logits[:, :8].astype(np.float64), 1)[:, list(TO_AFFWILD2)], rtol=1e-6)
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-6)


def test_contempt_keeps_its_share(logits):
    """The other seven don't add up to one: a face that looks contemptuous is not believed to be anything else."""
    sure = np.zeros((1, 8), np.float32)
    sure[0, CLASSES.index("Contempt")] = 10
    assert probabilities(sure)[0, :7].sum() < 0.001


def test_valence_and_arousal_are_not_read(logits):
    assert (VALENCE, AROUSAL) == (8, 9)
    other = logits.copy()
    other[:, VALENCE:] = np.nan
    np.testing.assert_array_equal(probabilities(other), probabilities(logits[:, :8]))


def test_a_row_depends_on_itself_only(logits):
    """The authors' notebooks take one column's maximum off all its rows, which changes each by what the others are."""
    np.testing.assert_array_equal(probabilities(logits)[3:5], probabilities(logits[3:5]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_logits_stay_finite(dtype):
    rows = probabilities(np.array([[6e4, -6e4, 0, 0, 0, 0, 0, 0], [-6e4] * 8], dtype))
    np.testing.assert_allclose(rows, [[0, 1, 0, 0, 0, 0, 0, 0], [0.125] * 8], atol=1e-7)


def test_no_rows():
    assert probabilities(np.empty((0, 8), np.float32)).shape == (0, 8)


@pytest.mark.parametrize("shape", [(3, 7), (8,), (2, 2, 8)])
def test_what_is_no_table_of_logits_is_refused(shape):
    with pytest.raises(SolutionError, match=r"logits of AffectNet's classes; found .*, expected \(n, 8\)"):
        probabilities(np.zeros(shape, np.float32))
