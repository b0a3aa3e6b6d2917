"""A run's scores on disk: whatever is damaged is found, and said in the project's words."""

from __future__ import annotations

import random
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.plugins.interface import Predictions, VideoPrediction
from harness.records.scores import SCORES_FILE, read_scores, scored_videos, write_scores
from harness.system.provenance import sha256_of
from harness.tasks import EXPR
from tests.support.records import make_record


def predicted(*names: str) -> Predictions:
    rng = np.random.default_rng(0)
    videos = {}
    for name in names:
        scores = rng.random((20, 8), np.float32)
        videos[name] = VideoPrediction(scores, scores.argmax(1))
    return Predictions(EXPR, videos)


@pytest.fixture
def written() -> Predictions:
    return predicted("a", "file", "video 2_left")


@pytest.fixture
def folder(tmp_path, written) -> Path:
    write_scores(tmp_path / SCORES_FILE, {name: video.scores for name, video in written})
    return tmp_path


@pytest.fixture
def recorded(folder) -> Path:
    replace(make_record("run"), files={SCORES_FILE: sha256_of(folder / SCORES_FILE)}).write(folder)
    return folder


def test_what_was_written_is_what_is_read(recorded, written):
    found = read_scores(recorded)
    assert [*found] == [*written.videos] == scored_videos(recorded)
    for name, scores in found.items():
        assert scores.tobytes() == written.videos[name].scores.tobytes()
    assert [*read_scores(recorded, only=["file", "absent"])] == ["file"]


def flipped(whole: bytes, bit: int) -> bytes:
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def test_any_flipped_bit_is_found_by_the_runs_record(recorded, repetitions):
    path = recorded / SCORES_FILE
    whole, dice = path.read_bytes(), random.Random(0)
    for _ in range(repetitions(60, 5000)):
        path.write_bytes(flipped(whole, dice.randrange(8 * len(whole))))
        with pytest.raises(DataError) as caught:
            read_scores(recorded, only=["a"])
        assert str(caught.value) == (
            f"{path}: a run's scores can't be read; found a changed file: it is not what the run wrote. Make the run "
            "again with --fresh."
        )


def test_without_a_record_damage_gives_the_scores_or_an_error(folder, written, repetitions):
    path = folder / SCORES_FILE
    whole, dice, refused = path.read_bytes(), random.Random(0), list[str]()
    rounds = repetitions(150, 20_000)
    for _ in range(rounds):
        path.write_bytes(flipped(whole, dice.randrange(8 * len(whole))))
        scored_videos(folder)
        try:
            found = read_scores(folder)
        except DataError as error:
            refused.append(str(error))
            continue
        for name, scores in found.items():
            assert scores.tobytes() == written.videos[name].scores.tobytes()
    assert len(refused) > 0.9 * rounds
    assert all(SCORES_FILE in text and "(not a run folder)" in text for text in refused)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_said(folder, content):
    (folder / SCORES_FILE).write_bytes(content)
    with pytest.raises(DataError, match="a run's scores can't be read"):
        read_scores(folder)
    assert scored_videos(folder) == []


@pytest.mark.parametrize("values", [np.zeros((3, 8)), np.zeros(8, np.float32), np.array([["a"]]), b"no array"])
def test_members_that_are_no_scores_are_said(folder, values):
    with zipfile.ZipFile(folder / SCORES_FILE, "w") as archive, archive.open("a.npy", "w") as member:
        if isinstance(values, bytes):
            member.write(values)
        else:
            np.save(member, values)
    with pytest.raises(DataError, match=r"a run's scores can't be read; found .*scores\.npz!a\.npy: not"):
        read_scores(folder)


def test_a_run_without_scores_is_said(tmp_path):
    with pytest.raises(DataError, match="a run's scores can't be read"):
        read_scores(tmp_path)
    assert scored_videos(tmp_path) == []
