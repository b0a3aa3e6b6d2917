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


def test_write_names_the_video_of_an_unofficial_value(tmp_path):
    with pytest.raises(SubmissionError, match=r"^video b: class of EXPR, row 2; found 9, expected"):
        abaw.write(tmp_path / "p.txt", "EXPR", {"a": [1, 2], "b": [3, 9]})
    with pytest.raises(SubmissionError, match=r"^video b: values for EXPR; found shape \(3, 8\)"):
        abaw.write(tmp_path / "p.txt", "EXPR", {"a": [1], "b": np.zeros((3, 8))})
    assert not (tmp_path / "p.txt").exists()


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


# tasks by video, and frames from 0

BAH = [f"{person}/Visite_1/{person}_Question_{q}.mp4" for person in range(10, 16) for q in (1, 2, 3)]


def test_intensities_become_a_row_per_clip(tmp_path):
    values = {f"{k:05d}": RNG.random(6).round(3) for k in range(5)}
    report = abaw.write(tmp_path / "p.csv", "EMI", values)
    assert (report.valid, report.format, report.rows) == (True, "EMI", 5)
    assert abaw.write(tmp_path / "q.csv", "EMI", {name: row[None] for name, row in values.items()}).valid
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()
    card = abaw.score("EMI", values, {name: row**2 for name, row in values.items()})
    expected = np.mean([
        np.corrcoef(*([own[k] ** power for own in values.values()] for power in (1, 2)))[0, 1] for k in range(6)
    ])  # fmt: skip
    assert card.headline.value == pytest.approx(expected, abs=1e-12)
    with pytest.raises(SubmissionError, match="Joy of EMI"):
        abaw.write(tmp_path / "p.csv", "EMI", {"00000": [0, 0, 0, 0, 0, -0.2]})


def test_hesitancy_becomes_frames_from_zero(tmp_path):
    report = abaw.write(tmp_path / "p.txt", "AH", {"1/Visite 1/a b.mp4": [0, 1, 1]})
    assert (report.valid, report.format) == (True, "AH-frames")
    assert (tmp_path / "p.txt").read_text().splitlines() == [
        f"1/Visite 1/a b.mp4/frame-{k}.jpg,{k > 0:d}" for k in range(3)
    ]


@pytest.mark.parametrize(
    ("values", "format", "line"),
    [(1, "AH-labels", "1"), ([1], "AH-labels", "1"), ([0.25, 0.75, 1], "AH-trials", "0.250000,0.750000,1")],
)
def test_hesitancy_of_a_video_becomes_one_row(tmp_path, values, format, line):
    report = abaw.write(tmp_path / "p.txt", "ahv", {"Videos/1/Visite_1/a.mp4": values})
    assert (report.valid, report.format) == (True, format)
    assert (tmp_path / "p.txt").read_text() == f"Videos/1/Visite_1/a.mp4,{line}\n"


def test_persons_come_from_names_or_from_the_caller():
    labels = {name: RNG.integers(0, 2, 20) for name in BAH}
    answers = {name: np.where(RNG.random(20) < 0.3, 1 - own, own) for name, own in labels.items()}
    by_name = abaw.score("AH", answers, labels)
    assert (by_name.units.noun, by_name.units.number) == ("person", 6)
    given = abaw.score("AH", answers, labels, persons={name: name.split("/")[0] for name in BAH})
    assert given.scores == by_name.scores
    by_video = abaw.score("AH", answers, labels, persons={})
    assert (by_video.units.noun, by_video.units.number) == ("video", 18)
    assert by_video.headline.value == by_name.headline.value
    assert (by_video.headline.low, by_video.headline.high) != (by_name.headline.low, by_name.headline.high)
    assert abaw.compare(by_name, by_name).unit == "person"
    with pytest.raises(DataError, match="they name other persons"):
        abaw.compare(by_name, abaw.score("AH", answers, labels, persons=dict.fromkeys(BAH, "x")))


def test_files_of_frames_and_labels_of_videos_do_not_mix(tmp_path):
    frames = {name: [0, 1] for name in BAH}
    abaw.write(tmp_path / "frames.txt", "AH", frames)
    abaw.write(tmp_path / "videos.txt", "AHV", dict.fromkeys(BAH, 1))
    card = abaw.score("AH", tmp_path / "frames.txt", tmp_path / "frames.txt")
    assert (card.task.name, card.headline.metric, card.headline.value) == ("AH", "weighted_f1", 1.0)
    # the organisers call both AH
    card = abaw.score("AH", tmp_path / "videos.txt", tmp_path / "videos.txt")
    assert (card.task.name, card.headline.metric) == ("AHV", "macro_f1")
    assert card.units.number == 6
    for sent, labels in (("frames.txt", "videos.txt"), ("videos.txt", "frames.txt")):
        with pytest.raises(SubmissionError, match="has labels of AH"):
            abaw.score("AH", tmp_path / sent, tmp_path / labels)


CLASSES = {"a": [0, 4, 4, 6], "b": [1, 1, 2, 2]}
PAIRS = {"a": [[0.1, 0.2], [0.3, 0.4]], "b": [[0.5, 0.5], [0.1, 0.0]]}
NAN = float("nan")


@pytest.mark.parametrize(
    ("task", "predictions", "labels", "words"),
    [
        ("EXPR", {**CLASSES, "b": [1, 1, NAN, 2]}, CLASSES, ["video b: row 3 ", "label 2 and prediction nan"]),
        ("EXPR", {**CLASSES, "a": [0, 4, 8, 6]}, CLASSES, ["video a: row 3 ", "prediction 8,", "from 0 to 7"]),
        ("EXPR", {**CLASSES, "a": [0, 0.5, 4, 6]}, CLASSES, ["video a: row 2 ", "prediction 0.5", "fractions"]),
        ("EXPR", CLASSES, {**CLASSES, "b": [1, NAN, 2, 2]}, ["video b: row 2 ", "label nan and prediction 1"]),
        ("VA", {**PAIRS, "b": [[0.5, 0.5], [0.1, NAN]]}, PAIRS, ["video b: row 2 ", "prediction [0.1, nan]", "finite"]),
        ("VA", PAIRS, {**PAIRS, "a": [[NAN, 0.2], [0.3, 0.4]]}, ["video a: row 1 ", "label [nan, 0.2]", "may be -5"]),
        ("VA", {"a": [[0.1], [0.3]], "b": [[0.1], [0.3]]}, PAIRS, ["video a: ", "(2, 2)", "(2, 1)", "expected (n, 2)"]),
        ("VA", {**PAIRS, "b": [[0.1, 0.2], [0.3]]}, PAIRS, ["video b: ", "rows differ in length"]),
        ("EMI", {"a": [0.1] * 6}, {"a": [NAN] + [0.1] * 5}, ["video a: row 1 ", "labels hold NaN"]),
        ("AHV", {"p/a": [0.5, NAN, 1]}, {"p/a": [1]}, ["video p/a: row 1 ", "NaN"]),
        ("EXPR", {**CLASSES, "a": ["x", "4", "4", "6"]}, CLASSES, ["video a: ", "no numbers", "found 'x'"]),
        ("EXPR", None, CLASSES, ["no values of EXPR", "found None", "values by name of the video"]),
        ("EXPR", CLASSES, [0, 1], ["no values of EXPR", "a value of type list"]),
    ],
)  # fmt: skip
def test_value_that_cannot_be_scored_is_named(task, predictions, labels, words):
    with pytest.raises(DataError) as error:
        abaw.score(task, predictions, labels)
    for word in words:
        assert word in str(error.value)


def test_prediction_without_a_valid_label_may_be_nan():
    whole = abaw.score("EXPR", {"a": [0, 3, 4]}, {"a": [0, -1, 4]})
    assert abaw.score("EXPR", {"a": [0, NAN, 4]}, {"a": [0, -1, 4]}).headline == whole.headline
    objects = np.array([0, 3, 4], object)
    assert abaw.score("EXPR", {"a": objects}, {"a": [0, -1, 4]}).headline == whole.headline


@pytest.mark.parametrize(("others", "kind"), [(None, "None"), ([], "an empty list"), ({}, "an empty dict"), (3, "int")])
def test_comparison_with_no_cards_is_refused(others, kind):
    card = abaw.score("EXPR", CLASSES, CLASSES)
    with pytest.raises(DataError, match=rf"^others: .*; found .*{kind}, expected score cards by name, at least one\."):
        abaw.compare_several(card, others)


def test_comparison_of_something_else_than_cards_is_refused():
    card = abaw.score("EXPR", CLASSES, CLASSES)
    for call in (
        lambda: abaw.compare_several(None, {"x": card}),
        lambda: abaw.compare_several(card, {"x": None}),
        lambda: abaw.compare(card, []),
        lambda: abaw.compare("EXPR", card),
    ):
        with pytest.raises(DataError, match=r"this can't be compared; found .*, expected a score card"):
            call()
