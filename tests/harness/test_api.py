"""The library for those who bring only arrays."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

import abaw
from harness.errors import DataError, SubmissionError, UnknownNameError

RNG = np.random.default_rng(0)
LABELS = {f"v{k}": RNG.integers(0, 8, 50) for k in range(12)}
ANSWERS = {name: np.where(RNG.random(50) < 0.3, RNG.integers(0, 8, 50), y) for name, y in LABELS.items()}


def test_arrays_become_a_checked_file(tmp_path):
    report = abaw.write(tmp_path / "p.txt", "EXPR", ANSWERS)
    assert report.valid
    assert (report.rows, report.videos) == (600, 12)
    assert abaw.validate(tmp_path / "p.txt").format == "EXPR"


def test_whole_numbers_may_come_as_floats(tmp_path):
    abaw.write(tmp_path / "p.txt", "expr", {"v": np.array([1.0, 2.0])})
    assert (tmp_path / "p.txt").read_text().splitlines()[1:] == ["v/00001.jpg,1", "v/00002.jpg,2"]
    with pytest.raises(SubmissionError, match=r"found 1\.5, expected a whole number"):
        abaw.write(tmp_path / "p.txt", "EXPR", {"v": np.array([1.5])})


def test_violence_becomes_a_folder(tmp_path):
    assert abaw.write(tmp_path / "out", "VD", {"0001": np.array([0, 1])}).valid
    assert (tmp_path / "out/0001.csv").read_text() == "Frame_Number,Label\n1,0\n2,1\n"


def test_a_template_decides_rows_and_order(tmp_path, tree):
    template = tree.template({"v1": 50, "v0": 50})
    assert abaw.write(tmp_path / "p.txt", "EXPR", ANSWERS, template=template).problems == []
    assert (tmp_path / "p.txt").read_text().splitlines()[1].startswith("v1/00001.jpg,")


def test_scores_are_scikit_learns_from_arrays_or_files(tmp_path, tree):
    expected = f1_score(
        np.concatenate([*LABELS.values()]), np.concatenate([*ANSWERS.values()]), labels=range(8), average="macro"
    )
    from_arrays = abaw.score("EXPR", ANSWERS, LABELS)
    assert from_arrays.headline.value == pytest.approx(expected, abs=1e-12)
    for name, values in LABELS.items():
        tree.labels("val", name, values.tolist())
    folder = tree.root / "6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set"
    abaw.write(tmp_path / "p.txt", "EXPR", ANSWERS)
    for card in (abaw.score("EXPR", tmp_path / "p.txt", folder), abaw.score("EXPR", ANSWERS, str(folder))):
        assert card.headline.value == from_arrays.headline.value
    with pytest.raises(DataError, match="Give both as arrays"):
        abaw.score("EXPR", tmp_path / "p.txt", LABELS)


def test_two_cards_are_compared_over_the_same_videos():
    worse = {name: np.where(RNG.random(50) < 0.5, 0, y) for name, y in ANSWERS.items()}
    a, b = (abaw.score("EXPR", answers, LABELS) for answers in (ANSWERS, worse))
    assert abaw.compare(a, b).separable
    assert abaw.compare(a, b).headline.difference == pytest.approx(a.headline.value - b.headline.value)
    fewer = abaw.score("EXPR", ANSWERS, dict(list(LABELS.items())[:5]))
    with pytest.raises(DataError, match="can't be compared"):
        abaw.compare(a, fewer)


def test_unknown_names_get_a_guess(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean EXPR"):
        abaw.write(tmp_path / "p.txt", "EXP", {})
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = abaw.scores
