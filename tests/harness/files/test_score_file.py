"""``abaw score``: predictions and labels joined by video and frame, the score as scikit-learn has it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from harness.errors import DataError, SubmissionError
from harness.files.one_file import write_one_file
from harness.files.repair import repair
from harness.files.score import score_file, score_submission
from harness.tasks import EXPR, VD


@pytest.fixture
def labels(tmp_path):
    """Writes label files; returns their folder."""

    def write(**videos):
        folder = tmp_path / "labels"
        folder.mkdir(exist_ok=True)
        for name, values in videos.items():
            (folder / f"{name}.txt").write_text("\n".join([EXPR.header, *map(str, values), ""]))
        return folder

    return write


@pytest.mark.parametrize("present", [range(8), [0, 2, 5], [3]], ids=["all classes", "three classes", "one class"])
def test_the_score_is_scikit_learns(tmp_path, labels, present):
    rng = np.random.default_rng(len(present))
    truth = {f"v{k}": rng.choice([-1, *present], size=200) for k in range(4)}
    answer = {name: rng.choice(list(present), size=200) for name in truth}
    path = tmp_path / "predictions.txt"
    write_one_file(path, EXPR, answer, list(answer))
    card, notes = score_file(path, EXPR, labels(**truth))
    y, p = np.concatenate(list(truth.values())), np.concatenate(list(answer.values()))
    y, p = y[y >= 0], p[y >= 0]
    expected = f1_score(y, p, labels=range(8), average="macro", zero_division=0)
    assert card.headline.value == pytest.approx(expected, abs=1e-12)
    by_name = {(s.metric, s.target): s.value for s in card.scores}
    assert by_name["accuracy", "all"] == pytest.approx(accuracy_score(y, p), abs=1e-12)
    assert card.n_frames == len(y)
    assert notes == []


def test_rows_are_joined_by_name_not_by_place(submission, labels):
    path = submission("b/00002.jpg,4", "a/00001.jpg,1", "b/00001.jpg,3", "a/00002.jpg,2")
    card, _ = score_file(path, EXPR, labels(a=[1, 2], b=[3, 4]))
    assert {s.target: s.value for s in card.scores}["Disgust"] == 1
    assert card.headline.value == pytest.approx(4 / 8)


def test_a_frame_without_a_row_is_refused(submission, labels):
    path = submission("a/00001.jpg,1", "a/00003.jpg,1")
    with pytest.raises(
        SubmissionError, match=r"1 of the 3 labelled frames of a have no row, the first is a/00002\.jpg"
    ):
        score_file(path, EXPR, labels(a=[1, 1, 1]))


def test_a_labelled_video_without_rows_is_refused(submission, labels):
    with pytest.raises(SubmissionError, match="no rows for video b, which has labels"):
        score_file(submission("a/00001.jpg,1"), EXPR, labels(a=[1], b=[1]))


def test_videos_without_labels_are_left_out_and_said(submission, labels):
    card, notes = score_file(submission("a/00001.jpg,1", "z/00001.jpg,2"), EXPR, labels(a=[1]))
    assert card.n_frames == 1
    assert "1 video of the file has no labels and was left out: ['z']" in notes[0]


def test_rows_beyond_the_labels_are_left_out_and_said(submission, labels):
    card, notes = score_file(submission("a/00001.jpg,1", "a/00002.jpg,2"), EXPR, labels(a=[1]))
    assert card.n_frames == 1
    assert "1 video has rows beyond their last label, left out: ['a']" in notes[0]


def test_a_malformed_file_is_not_scored(submission, labels):
    with pytest.raises(SubmissionError, match=r":2:13: error \[range\]"):
        score_file(submission("a/00001.jpg,9"), EXPR, labels(a=[1]))


def test_labels_of_another_task_are_refused(submission, labels):
    folder = labels(a=[1])
    (folder / "a.txt").write_text("valence,arousal\n0,0\n")
    with pytest.raises(DataError, match="not a label file for EXPR"):
        score_file(submission("a/00001.jpg,1"), EXPR, folder)


@pytest.mark.parametrize(("name", "words"), [("labels", "no label files"), ("missing", "no such folder")])
def test_a_folder_without_labels_is_named(submission, labels, tmp_path, name, words):
    labels()
    with pytest.raises(DataError, match=words):
        score_file(submission("a/00001.jpg,1"), EXPR, tmp_path / name)


def test_labels_without_a_valid_frame_are_an_error(submission, labels):
    with pytest.raises(DataError, match="no labelled frame to score EXPR on"):
        score_file(submission("a/00001.jpg,1"), EXPR, labels(a=[-1]))


@pytest.mark.parametrize("rest", ["_aligned", ".m4v", "_v2"])
def test_names_in_other_spelling_are_refused_with_a_remedy(submission, labels, tmp_path, rest):
    folder = labels(a=[1], b=[2])
    path = submission(f"a{rest}/00001.jpg,1", f"b{rest}/00001.jpg,2")
    with pytest.raises(
        SubmissionError, match=r"names of videos are spelled otherwise(.|\n)*expected 'a'(.|\n)*--labels"
    ):
        score_file(path, EXPR, folder)
    repair(path, tmp_path / "mended.txt", labels=folder)
    card, _ = score_file(tmp_path / "mended.txt", EXPR, folder)
    assert card.headline.value == pytest.approx(2 / 8)


def test_file_of_a_video_without_zeros_is_scored_and_said(tmp_path):
    for folder, name in (("labels", "0001"), ("given", "1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.csv").write_text("Frame_Number,Label\n1,0\n2,1\n")
    card, notes = score_file(tmp_path / "given", VD, tmp_path / "labels")
    assert card.n_frames == 2
    assert "taken for the file of 0001" in " ".join(notes)


@pytest.mark.parametrize("task", [None, "EXPR"])
def test_rows_under_several_names_of_a_video_are_never_scored(submission, labels, task):
    path = submission("a/00001.jpg,1", "a_aligned/00001.jpg,2")
    with pytest.raises(SubmissionError, match="a has rows under several names: 'a', 'a_aligned'"):
        score_submission(path, labels(a=[1]), task=task)


def test_video_without_rows_may_be_one_with_another_name(submission, labels):
    with pytest.raises(SubmissionError, match=r"no rows for video a, .*; 1 video has rows but no labels.* 'anna'"):
        score_file(submission("anna/00001.jpg,1"), EXPR, labels(a=[1]))
