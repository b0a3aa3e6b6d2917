"""``abaw data check``: all that is there and all that is wrong, not the first of it."""

from __future__ import annotations

import json

import pytest

from harness.datasets.checking.dataset import check_affwild2
from harness.errors import DataError
from harness.tasks import AU, VA


def test_each_split_is_counted(small_tree):
    (small_tree.root / "cropped/a/00002.jpg").unlink()
    report = check_affwild2(small_tree.root)
    rows = {row.split: row for row in report.splits}
    assert [(r.videos, r.frames, r.labelled, r.without_picture) for r in rows.values()] == [
        (2, 7, 6, 1),
        (1, 2, 2, 0),
        (1, 3, None, 0),
    ]
    assert report.problems == []


def test_labels_are_counted_by_class(small_tree):
    counts = check_affwild2(small_tree.root).label_counts["EXPR"]
    assert counts["train"]["Neutral"] == 1
    assert counts["train"]["Happiness"] == 0
    assert counts["val"]["Other"] == 2


def test_units_are_counted_and_values_averaged(small_tree):
    small_tree.labels("train", "u", ["1" + ",0" * 11, "1" + ",1" * 11, "-1" + ",-1" * 11], task=AU)
    small_tree.labels("train", "v", ["0.5,-0.5", "-0.5,-0.5", "-5,-5"], task=VA)
    counts = check_affwild2(small_tree.root).label_counts
    assert counts["AU"]["train"]["AU1"] == 2
    assert counts["AU"]["train"]["AU26"] == 1
    assert counts["VA"]["train"] == {
        "valence mean": 0, "valence deviation": 0.5, "arousal mean": -0.5, "arousal deviation": 0,
    }  # fmt: skip


def test_the_report_is_plain_data(small_tree):
    assert json.loads(json.dumps(check_affwild2(small_tree.root).as_dict()))["name"] == "data"


def test_every_bad_label_file_is_named(small_tree):
    small_tree.labels("train", "a", [0, "x"])
    small_tree.labels("val", "c", ["y"])
    small_tree.labels("train", "b_left", ["0.5,-0.5"] * 4, task=VA)
    problems = check_affwild2(small_tree.root).problems
    assert len(problems) == 2
    assert "a.txt:3:1" in problems[0]
    assert "c.txt:2:1" in problems[1]


def test_every_video_with_bad_crops_is_named(small_tree):
    small_tree.crops("a", [0])
    small_tree.crops("c", [0])
    problems = check_affwild2(small_tree.root).problems
    assert sum("crops must be numbered from 1" in text for text in problems) == 2


def test_lengths_that_disagree_are_a_problem_told_once(small_tree):
    small_tree.labels("train", "a", ["0,0"] * 4, task=VA)
    problems = check_affwild2(small_tree.root).problems
    assert sum("longer than its video" in text for text in problems) == 1


def test_videos_without_any_crop_are_a_problem(small_tree):
    small_tree.labels("train", "bare", [0])
    assert "EXPR train: 1 video has no crop at all; found bare" in check_affwild2(small_tree.root).problems[0]


def test_a_test_video_that_was_trained_on_is_a_problem(small_tree):
    small_tree.template({"a": 3})
    assert "EXPR: videos in both train and test: ['a']" in check_affwild2(small_tree.root).problems


def test_crops_past_the_end_are_a_note(small_tree):
    small_tree.crops("c", [9])
    report = check_affwild2(small_tree.root)
    assert "EXPR val: c has 2 official frames, but a crop numbered 9" in report.notes
    assert report.splits[1].without_picture == 0


def test_a_task_without_annotations_is_a_note(small_tree):
    assert "no annotations for VA" in check_affwild2(small_tree.root).notes


def test_a_template_alone_is_counted(tree):
    tree.crops("d", [1])
    tree.template({"d": 3})
    report = check_affwild2(tree.root)
    assert [(r.task, r.split, r.frames, r.without_picture) for r in report.splits] == [("EXPR", "test", 3, 2)]
    assert "no annotations for EXPR" in report.notes


def test_nothing_that_opens_is_an_error(tree):
    tree.labels("train", "a", ["x"])
    tree.crops("a", [1])
    with pytest.raises(DataError, match=r"a\.txt:2:1: not a label"):
        check_affwild2(tree.root)
