"""Real speech laid out as EMI and as AH: what was laid out is read back. Skips where the recordings are missing."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from harness.datasets.checking.dataset import check_data
from harness.datasets.open import open_dataset
from harness.files.labels.truth import read_truth
from harness.tasks import AH, AHV, EMI
from tests.support.places import REAL

pytestmark = [pytest.mark.real, pytest.mark.process]
BUILDER = REAL / "emi_ah" / "build.py"
LIMIT = 12


def built(folder: Path, *arguments: str) -> Path:
    """Run the builder; its video files need ffmpeg, and are left out where that is missing."""
    if not BUILDER.is_file():
        pytest.skip("the real recordings (../shared/real/emi_ah) are not here")
    films = "all" if shutil.which("ffmpeg") else "none"
    command = [sys.executable, str(BUILDER), *arguments[:1], str(folder), *arguments[1:]]
    subprocess.run(
        [*command, "--faces", "none", "--films", films, "--limit", str(LIMIT)], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def mimics(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("real") / "emi", "emi")


@pytest.fixture(scope="module")
def doubts(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("real") / "ah", "ah")


@pytest.fixture(scope="module")
def later(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("real") / "ahv", "ah", "--edition", "11")


def test_labels_of_real_clips_are_those_of_their_files(mimics):
    data = open_dataset(mimics, EMI)
    for split, file in (("train", "train_split.csv"), ("val", "valid_split.csv")):
        with (mimics / file).open(newline="") as stream:
            rows = list(csv.reader(stream))[1:]
        assert [video.name for video in data.videos(split)] == [row[0] for row in rows]
        np.testing.assert_array_equal(data.labels(split), np.array([row[1:] for row in rows], float))


def test_real_clips_have_images_audio_and_words(mimics):
    data = open_dataset(mimics, EMI)
    for video in data.videos("train"):
        folder = mimics / "face_images" / video.name
        assert video.n_frames == len(list(folder.glob("*.jpg")))
        assert video.images.names == tuple(f"{k}.jpg" for k in range(video.n_frames))
        assert soundfile.info(video.audio).duration == pytest.approx(video.n_frames / 25, abs=0.05)
        assert video.transcript.text
    assert (mimics / "face_images" / data.videos("train")[0].name / "Thumbs.db").is_file()
    truth = read_truth(mimics / "held_out" / "EMI" / "test_split.csv", "EMI")
    assert sorted(truth.labels) == [video.name for video in data.videos("test")]


def test_real_frames_equal_those_of_a_whole_load(doubts):
    data = open_dataset(doubts, AH)
    whole = yaml.safe_load((doubts / "ABAW-8th-BAH-train-data" / "annotation.yml").read_text(encoding="utf-8"))
    videos = [video for split in ("train", "val") for video in data.videos(split)]
    assert {video.name for video in videos} == set(whole)
    for video in videos:
        pairs = whole[video.name]["frame_annotation"]
        assert video.labels.tolist() == [label for _, label in pairs]
        names = [f"{video.name}/{name}" for name in video.images.names]
        assert names == [path for path, _ in pairs]
        assert video.person == video.name.split("/")[0]
    assert any("Visite 1" in video.name for video in videos)
    for video in data.videos("test"):
        assert video.n_frames == data.template.counts()[video.name] + 1 == len(video.images)


def test_real_transcripts_have_times_and_words(doubts):
    for video in open_dataset(doubts, AH).videos("val"):
        (line,) = video.transcript.lines
        assert line.text == video.transcript.text
        assert 0 < line.end <= video.n_frames / 24 + 0.1


def test_real_videos_have_the_labels_of_their_lists(doubts, later):
    for root, folder in ((doubts / "ABAW-8th-BAH-train-data", "default-split"), (later, "split")):
        data = open_dataset(root, AHV)
        lines = (root / folder / "val.txt").read_text(encoding="utf-8").splitlines()
        assert [f"{v.name},{v.labels[0]},{v.transcript.text.strip()}" for v in data.videos("val")] == lines


def test_real_packs_have_no_problem(mimics, doubts, later):
    for root in (mimics, doubts, later):
        assert check_data(root).problems == []
