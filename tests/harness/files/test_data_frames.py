"""Data frames as predictions, and cards, comparisons and reports as a notebook shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import abaw
from harness.errors import DataError
from harness.files.data_frames import arrays_of
from harness.tasks import AU, EMI, EXPR, VA

LABELS = {f"v{k}": [0, 4, 6, 6] for k in range(6)}


def rows_of(labels: dict[str, list[int]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"image_location": f"{name}/{k:05d}.jpg", "expression": value}
            for name, values in labels.items()
            for k, value in enumerate(values, start=1)
        ]
    )


def test_rows_in_any_order_are_those_of_the_arrays():
    shuffled = rows_of(LABELS).sample(frac=1, random_state=0)
    arrays = arrays_of(shuffled, EXPR)
    assert {name: values.tolist() for name, values in arrays.items()} == LABELS
    card = abaw.score("expr", shuffled, rows_of(LABELS))
    assert card.headline.value == abaw.score("EXPR", LABELS, LABELS).headline.value


def test_columns_video_and_frame_are_taken_in_any_case():
    table = pd.DataFrame({"Frame": [2, 1], "VIDEO": ["a", "a"], "Arousal": [0.2, 0.1], "valence": [0.4, 0.3]})
    np.testing.assert_array_equal(arrays_of(table, VA)["a"], [[0.3, 0.1], [0.4, 0.2]])


def test_targets_are_put_into_official_order():
    table = pd.DataFrame({"video": ["a"], "frame": [1], **{name: [k % 2] for k, name in enumerate(AU.targets[::-1])}})
    assert arrays_of(table, AU)["a"].tolist() == [[(11 - k) % 2 for k in range(12)]]


def test_task_of_videos_needs_no_frames(tmp_path):
    table = pd.DataFrame({"Filename": ["00001"], **{target: [0.1] for target in EMI.targets}})
    report = abaw.write(tmp_path / "emi.csv", "emi", table)
    assert (report.valid, report.rows) == (True, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(index=1), r"video v0: frame 2 is missing; found 3 rows"),
        (lambda t: pd.concat([t, t.iloc[[2]]]), r"video v0: frame 3 is there twice"),
        (lambda t: t.drop(columns="image_location"), "lacks the columns that identify its rows"),
        (lambda t: t.drop(columns="expression"), "expected one column with the class"),
        (lambda t: t.assign(other=1), "expected one column with the class"),
        (lambda t: t.assign(expression=[None, *t.expression[1:]]), "1 row without a value"),
        (lambda t: t.assign(image_location="v0"), "row 0 names no image"),
    ],
)
def test_data_frame_that_leaves_a_doubt_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        arrays_of(change(rows_of({"v0": [0, 4, 6, 6]})), EXPR)


@pytest.fixture(scope="module")
def cards():
    return abaw.score("EXPR", LABELS, LABELS), abaw.score("ExPr", {name: [0, 4, 4, 6] for name in LABELS}, LABELS)


def test_card_prints_as_one_line_and_as_a_frame(cards):
    assert repr(cards[0]) == "<ScoreCard EXPR: macro-F1 0.375 [0.375, 0.375], 24 labelled frames of 6 videos>"
    frame = cards[0].to_frame()
    assert list(frame.columns) == ["metric", "target", "value", "low", "high"]
    assert frame["value"].tolist() == [score.value for score in cards[0].scores]
    assert "[0.375, 0.375]" in cards[0]._repr_html_()


def test_comparison_prints_as_one_line_and_as_a_frame(cards):
    found = abaw.compare(*cards)
    assert repr(found).startswith("<Comparison EXPR: A - B +0.083 [+0.083, +0.083], p = 0.03")
    assert found.to_frame()["difference"].tolist() == [row.difference for row in found.differences]
    assert "95 % by video" in found._repr_html_()


def test_report_prints_as_one_line_and_as_a_frame(tmp_path):
    path = tmp_path / "predictions.txt"
    path.write_text(f"{EXPR.submission_header}\na/00001.jpg,9\n")
    report = abaw.validate(path, "expr")
    assert repr(report) == "<Report EXPR: NOT valid, 1 error, 1 row, 1 video>"
    assert "range" in report.to_frame()["code"].tolist()
    assert "range" in report._repr_html_()
