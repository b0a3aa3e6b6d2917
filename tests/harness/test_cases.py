"""Cases from the field, in the files in which they were met; each was handled wrongly once.

The same behaviour is tested on files made here in ``test_spelling``, ``test_patterns``, ``test_repair``,
``test_image_folders`` and others; this module runs the original files where they lie beside the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.datasets.checking.dataset import check_data
from harness.errors import SubmissionError
from harness.files.checking.submission import validate
from harness.files.repair import Options, plan, repair
from harness.files.score import score_submission
from tests.support.places import REPOSITORY, SHARED

CASES = SHARED / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases from the field (../shared/cases) are not here")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Builds a case that is made by its own script; the folder."""
    folder = tmp_path_factory.mktemp("cases")
    abaw = folder / "abaw"
    abaw.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness.cli.main "$@"\n')
    abaw.chmod(0o755)
    environment = {**os.environ, "ABAW": str(abaw), "PYTHONPATH": str(REPOSITORY)}

    def build(case: str) -> Path:
        out = folder / case
        if not out.exists():
            subprocess.run(
                ["sh", str(CASES / case / "make.sh"), str(out)], check=True, env=environment, capture_output=True
            )
        return out

    return build


def test_f01_path_before_the_name_is_named_and_taken_off(tmp_path):
    folder = CASES / "F01_path_before_video_name"
    assert not validate(folder / "plain.txt").valid
    surplus = {"prefixed": "'cropped_aligned/'", "film_name": "'.mp4'", "absolute": "'/data/affwild2/cropped/'"}
    for name, words in surplus.items():
        report = validate(folder / f"{name}.txt")
        assert not report.valid
        assert any(found.code == "name" and words in found.message for found in report.problems), name
        repair(folder / f"{name}.txt", tmp_path / "out.txt", force=True)
        assert (tmp_path / "out.txt").read_bytes() == (folder / "plain.txt").read_bytes()


@pytest.mark.process
def test_f02_crops_in_batch_folders_are_found(made):
    report = check_data(made("F02_crops_in_batch_folders") / "whole")
    assert report.problems == []
    report = check_data(made("F02_crops_in_batch_folders") / "test_only")
    assert not any("no crop at all" in text for text in report.problems)


def test_f04_ids_without_zeros_mean_the_same_clips(tmp_path):
    folder = CASES / "F04_emi_ids_without_zeros"
    report = validate(folder / "pred_int.csv")
    assert report.valid
    assert report.counts["warning", "padding"] == 3
    scores = {
        score_submission(folder / "pred_int.csv", folder / labels, task="EMI").card.headline.value
        for labels in ("labels.csv", "labels_int.csv")
    }
    assert scores == {score_submission(folder / "pred_padded.csv", folder / "labels.csv").card.headline.value}
    repair(folder / "pred_int.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (folder / "pred_padded.csv").read_bytes()


def test_f04_negative_intensities_are_clipped_if_asked(tmp_path):
    path = CASES / "F04_emi_ids_without_zeros/pred_negative.csv"
    assert not validate(path).valid
    assert score_submission(path, path.with_name("labels.csv")).notes[0].startswith("1 value is out of range")
    with pytest.raises(SubmissionError, match="--clip"):
        plan(path)
    assert plan(path, options=Options(clip=True)).changes == {"values put on the nearest end of 0 to 1": 1}


@pytest.mark.process
def test_f06_sound_shorter_than_the_frames_is_named(tmp_path, abaw):
    root = tmp_path / "base"
    abaw("data", "synth", root, "--seed", "3", "--videos", "12", "--frames", "80")
    subprocess.run([sys.executable, str(CASES / "F06_sound_shorter_than_film/make.py"), str(root)], check=True)
    problems = [text for text in check_data(root).problems if "shorter than its frames" in text]
    assert len(problems) == 2
    assert "found 1.33 s of audio, expected 2.67 s" in problems[0]


@pytest.mark.process
def test_f08_unnumbered_template_is_asked_about(made, abaw, tmp_path):
    root = made("F08_unnumbered_is_the_newest")
    notes = [note.replace(str(root), "") for note in check_data(root).notes]
    assert not any("newest" in note for note in notes)
    done = abaw("submit", "expr/tiny-mlp-smooth", "--data", root)
    assert done.returncode == 1
    assert "the newest can't be told" in done.stderr
    assert "--template FILE" in done.stderr


def test_f11_frames_without_a_label_need_no_row(tmp_path):
    folder = CASES / "F11_frames_without_label_not_predicted"
    scored = score_submission(folder / "only_labelled.txt", folder / "labels", task="EXPR")
    assert scored.card.headline.value == 1.0
    assert "no row for some frames that nobody annotated, which count nowhere" in scored.notes[0]
    with pytest.raises(SubmissionError, match=r"No row for the last frame of vx.*--trust-numbers"):
        score_submission(folder / "last_missing.txt", folder / "labels", task="EXPR")
    repair(
        folder / "last_missing.txt", tmp_path / "o.txt", labels=folder / "labels", options=Options(trust_numbers=True)
    )
    assert score_submission(tmp_path / "o.txt", folder / "labels", task="EXPR").card.n_frames == 8


def test_f13_columns_in_another_order_are_put_right(tmp_path):
    folder = CASES / "F13_arousal_before_valence"
    report = validate(folder / "pred.txt", task="VA", template=folder / "template.txt")
    assert [found.code for found in report.errors] == ["column-order"]
    assert "the columns are in another order: arousal, valence" in report.errors[0].message
    repair(folder / "pred.txt", tmp_path / "out.txt", task="VA", template=folder / "template.txt")
    assert (tmp_path / "out.txt").read_text().splitlines()[1] == "vx/00001.jpg,-0.5,0.1"


@pytest.mark.process
def test_f15_images_named_otherwise_are_read(tmp_path, made):
    report = check_data(made("F15_pictures_named_in_another_way"))
    assert report.problems == []
    assert any("frame_00001.jpg was taken for frame 1" in note for note in report.notes)


def test_f20_trials_are_counted_beside_videos():
    report = validate(CASES / "F20_trials_are_not_videos/trials")
    assert report.valid
    assert report.size == "12 rows, 3 trials of 4 videos"


def test_f22_black_placeholders_are_doubted(drawn):
    crops = sorted((drawn / "cropped").iterdir())[0]
    before = len(list(crops.iterdir()))
    import numpy as np

    from harness.system.images import opencv

    black = opencv().imencode(".jpg", np.zeros((112, 112, 3), np.uint8))[1].tobytes()
    for k in range(1, 91):
        path = crops / f"{k:05d}.jpg"
        if k % 4 == 0 or not path.exists():
            path.write_bytes(black)
    assert before > 50
    (text,) = [p for p in check_data(drawn).problems if "placeholders" in p]
    assert "which is black" in text
    shutil.rmtree(crops)


def test_readme_of_each_case_has_a_test_here():
    source = Path(__file__).read_text(encoding="utf-8").lower()
    names = sorted(path.name.partition("_")[0].lower() for path in CASES.iterdir() if path.is_dir())
    elsewhere = {"f09"}  # tests/leaderboard
    assert [name for name in names if f"test_{name}_" not in source and name not in elsewhere] == []
