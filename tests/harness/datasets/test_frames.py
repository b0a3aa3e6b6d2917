"""Films to folders of frames: whole or not at all, resumed, counted, never over anything that is there."""

from __future__ import annotations

import json

import cv2
import pytest

from harness.datasets.dvd import open_dvd
from harness.datasets.video_files import export as frames_module
from harness.datasets.video_files.export import decode_films, films_to_decode
from harness.errors import DataError, StorageError
from harness.system.atomic import PARTIAL
from tests.support.numbered_films import cut_short, number_in, write_film


@pytest.fixture
def root(tmp_path):
    """Two films of training, one of validation, annotated."""
    root = tmp_path / "films"
    for split, video, n in (("Training", "0001", 12), ("Training", "0002", 7), ("Validation", "0007", 9)):
        write_film(root / split / "videos" / f"{video}.mp4", n)
        path = root / split / "annotations" / f"{video}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["Frame_Number,Label", *(f"{k},0" for k in range(1, n + 1)), ""]))
    return root


def decoded(root, *splits):
    return {d.video: d for d in decode_films(films_to_decode(root, splits), workers=2)}


def test_every_frame_of_every_film_becomes_a_file(root):
    done = decoded(root)
    assert {name: (d.split, d.frames, d.reused, d.problem) for name, d in done.items()} == {
        "0001": ("train", 12, False, ""), "0002": ("train", 7, False, ""), "0007": ("val", 9, False, "")
    }  # fmt: skip
    paths = sorted((root / "Training/frames/0001").iterdir())
    assert [p.name for p in paths] == [f"{k:05d}.jpg" for k in range(1, 13)]
    assert [number_in(cv2.imread(str(p))) for p in paths] == list(range(12))
    video = open_dvd(root).videos("train")[0]
    assert video.images.random_access
    assert len(video.images) == video.n_frames


def test_only_the_splits_asked_for(root):
    assert set(decoded(root, "val")) == {"0007"}
    assert not (root / "Training/frames").exists()


def test_the_same_call_again_does_only_what_is_missing(root):
    decoded(root, "val")
    before = (root / "Validation/frames/0007/00001.jpg").stat().st_mtime_ns
    assert {name: d.reused for name, d in decoded(root).items()} == {"0001": False, "0002": False, "0007": True}
    assert (root / "Validation/frames/0007/00001.jpg").stat().st_mtime_ns == before


def test_what_is_there_is_never_overwritten(root):
    folder = root / "Validation/frames/0007"
    folder.mkdir(parents=True)
    (folder / "00001.jpg").write_bytes(b"mine")
    done = decoded(root, "val")["0007"]
    assert (done.frames, done.reused) == (1, True)
    assert "not as many as in the film; nothing was overwritten; found 1 frame, expected 9" in done.problem
    assert [p.read_bytes() for p in folder.iterdir()] == [b"mine"]


def test_a_folder_of_something_else_is_left_alone(root):
    folder = root / "Validation/frames/0007"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    assert decoded(root, "val")["0007"].problem
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]


def test_a_film_shorter_than_its_labels_is_decoded_and_told(root):
    write_film(root / "Validation/videos/0007.mp4", 6)
    done = decoded(root, "val")["0007"]
    assert done.frames == 6
    assert "0007.mp4: this film is shorter than its labels; found 6 frames, expected 9, as annotated in" in done.problem


def test_a_damaged_film_gives_what_it_has_and_is_told(root):
    cut_short(write_film(root / "Validation/videos/0008.mp4", 60), 0.5)
    done = decoded(root, "val")["0008"]
    assert 0 < done.frames < 60
    assert f"not all of this film can be decoded, or its header is wrong; found {done.frames} of 60" in done.problem


def test_unreadable_video_file_leaves_no_folder_others_continue(root):
    (root / "Training/videos/0001.mp4").write_bytes(b"no film")
    cut_short(root / "Training/videos/0002.mp4", 0.0)
    done = decoded(root)
    assert "0001.mp4: can't be opened as a film" in done["0001"].problem
    assert "0002.mp4: this film's frames can't be decoded" in done["0002"].problem
    assert done["0007"].frames == 9
    assert not (root / "Training/frames").exists() or not list((root / "Training/frames").iterdir())


def test_a_film_whose_writing_fails_leaves_nothing(root, monkeypatch):
    def pictures(path, milliseconds):
        yield cv2.imread(str(path)) if False else __import__("numpy").zeros((4, 4, 3), "uint8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frames_module, "film_pictures", pictures)
    with pytest.raises(StorageError, match="the disk is full"):
        decoded(root, "val")
    assert [p for p in root.rglob("*") if p.name.startswith(PARTIAL) or p.parent.name == "0007"] == []


def test_a_root_without_films_says_so(tiny_dvd_once):
    with pytest.raises(DataError, match="no films; found Training, Validation, Test, expected Training/videos/"):
        films_to_decode(tiny_dvd_once)


def test_the_command_counts_and_exits_with_1_on_problems(root, abaw):
    done = abaw("data", "frames", root, "--split", "train")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "train: 19 frames of 2 films written; 0 films were done\n"
    write_film(root / "Validation/videos/0007.mp4", 6)
    wrong = abaw("data", "frames", root, "--workers", "1", "--json")
    assert wrong.returncode == 1
    films = json.loads(wrong.stdout)["films"]
    assert [(d["video"], d["frames"], d["reused"]) for d in films] == [
        ("0001", 12, True), ("0002", 7, True), ("0007", 6, False)
    ]  # fmt: skip
