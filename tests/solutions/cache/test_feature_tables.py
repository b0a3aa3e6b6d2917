"""Tables of face tools are taken as they come: features by name, failed rows as missing, frames by the tool's count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.cache.features import FeatureSource, SplitFeatures

N = 6
OPENFACE = "frame, face_id, timestamp, confidence, success, gaze_0_x, pose_Rx, x_0, AU01_r, AU45_c"
LIBREFACE = (
    "frame_idx,frame_time_in_ms,pitch,yaw,roll,lm_mp_0_x,au_1,au_12,au_1_intensity,au_12_intensity,facial_expression"
)
PYFEAT = ",FaceRectX,FaceRectY,FaceScore,x_0,Pitch,Roll,Yaw,AU01,AU12,anger,neutral,input,frame,approx_time"


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "cache/precomputed/tool"
    made.mkdir(parents=True)
    return made


def features(tmp_path, *names: str, n: int = N) -> SplitFeatures:
    data = Dataset("d", tmp_path, EXPR, {"train": [Video(name, n) for name in names or ("a",)]})
    return FeatureSource(Settings(cache=tmp_path / "cache", device="cpu")).features("precomputed:tool", data, "train")


def openface(frame: int, success: int = 1, face: int = 0, confidence: float = 0.9) -> str:
    return f"{frame}, {face}, {frame / 25:.3f}, {confidence}, {success}, 0.1, 0.2, 300.5, {frame}.5, 1"


def test_openface_table_gives_units_gaze_and_pose(tmp_path, folder):
    (folder / "a.csv").write_text("\n".join([OPENFACE, *(openface(k, success=k != 3) for k in range(1, N + 1))]))
    split = features(tmp_path)
    own = split.of(Video("a", N))
    assert own.frames.tolist() == [1, 2, 4, 5, 6]
    assert own.undetected == 1
    assert own.values[0].tolist() == pytest.approx([0.1, 0.2, 1.5, 1.0])
    assert split.notes == (
        "precomputed:tool: a.csv is OpenFace's table: 4 of its 10 columns are features, 1 row found no face",
    )


def test_openface_table_with_two_faces_gives_the_surer_one(tmp_path, folder):
    rows = [openface(k) for k in range(1, N + 1)] + [openface(2, face=1, confidence=0.95).replace("2.5", "9.5")]
    (folder / "a.csv").write_text("\n".join([OPENFACE, *rows]))
    split = features(tmp_path)
    own = split.of(Video("a", N))
    assert own.frames.tolist() == list(range(1, N + 1))
    assert own.values[1, 2] == 9.5
    assert "of 1 further face none was taken" in split.notes[0]


def test_libreface_table_counts_frames_from_zero(tmp_path, folder):
    rows = [f"{k},{k / 25},1,2,3,0.5,0,1,0.25,{k},Neutral" for k in range(N) if k != 2]
    (folder / "a.csv").write_text("\n".join([LIBREFACE, *rows]))
    split = features(tmp_path)
    own = split.of(Video("a", N))
    assert own.frames.tolist() == [1, 2, 4, 5, 6]
    assert own.values[-1].tolist() == [1, 2, 3, 0, 1, 0.25, 5]
    assert "LibreFace's table: 7 of its 11 columns are features, frames counted from 0 there" in split.notes[0]


def test_pyfeat_table_counts_from_zero_and_leaves_failures_out(tmp_path, folder):
    rows = [
        f"{k},1,2,{'' if k == 4 else 0.99},3,{'' if k == 4 else k},0,0,0.5,0.25,0.1,0.9,a.mp4,{k},00:00"
        for k in range(N)
    ]
    (folder / "a.csv").write_text("\n".join([PYFEAT, *rows]))
    split = features(tmp_path)
    own = split.of(Video("a", N))
    assert own.frames.tolist() == [1, 2, 3, 4, 6]
    assert own.values[1].tolist() == pytest.approx([1, 0, 0, 0.5, 0.25, 0.1, 0.9])
    assert "py-feat's table: 7 of its 15 columns are features, 1 row found no face" in split.notes[0]


def test_table_of_no_known_tool_is_read_as_before(tmp_path, folder):
    (folder / "a.csv").write_text("frame,one,two\n1,0.5,1\n2,0.25,0\n")
    split = features(tmp_path)
    assert split.of(Video("a", N)).values.tolist() == [[0.5, 1], [0.25, 0]]


# rows against frames


@pytest.mark.parametrize(("rate", "words"), [(0.5, "0.50 times"), (1.2, "1.20 times")])
def test_features_at_another_rate_are_refused(tmp_path, folder, rate, words):
    for name, n in {"a": 100, "b": 150, "c": 60}.items():
        np.save(folder / f"{name}.npy", np.zeros((round(n * rate), 2), np.float32))
    data = Dataset("d", tmp_path, EXPR, {"train": [Video("a", 100), Video("b", 150), Video("c", 60)]})
    source = FeatureSource(Settings(cache=tmp_path / "cache", device="cpu"))
    with pytest.raises(DataError, match=f"features: 3 videos have {words} the frames.*another rate"):
        source.features("precomputed:tool", data, "train")


def test_features_one_row_short_everywhere_are_noted(tmp_path, folder):
    for name in ("a", "b", "c"):
        np.save(folder / f"{name}.npy", np.zeros((N - 1, 2), np.float32))
    notes = features(tmp_path, "a", "b", "c").notes
    assert "no row for the last frame of 3 of 3 videos, and no other is missing" in notes[0]


def test_features_beyond_the_last_frame_are_noted(tmp_path, folder):
    np.save(folder / "a.npy", np.zeros((N + 2, 2), np.float32))
    np.save(folder / "b.npy", np.zeros((N, 2), np.float32))
    assert "1 video has rows beyond their last frame, left out: ['a']" in features(tmp_path, "a", "b").notes[0]


# rows against crops


LENGTHS = {"a": 20, "b": 30, "c": 25, "d": 12}


def cropped(tmp_path, gap: int = 5) -> Dataset:
    """Videos of which every fifth crop, or so, is missing."""
    for name, n in LENGTHS.items():
        (tmp_path / "cropped" / name).mkdir(parents=True)
        for k in (k for k in range(1, n + 1) if k % gap):
            (tmp_path / "cropped" / name / f"{k:05d}.jpg").touch()
    members = [Video(name, n, image_folder=tmp_path / "cropped" / name) for name, n in LENGTHS.items()]
    return Dataset("d", tmp_path, EXPR, {"train": members})


def read(tmp_path, data: Dataset):
    return FeatureSource(Settings(cache=tmp_path / "cache", device="cpu")).features("precomputed:tool", data, "train")


def save(folder, video: Video, kind: str, rows: int) -> None:
    if kind == "npy":
        np.save(folder / f"{video.name}.npy", np.zeros((rows, 2), np.float32))
    else:
        lines = [OPENFACE, *(openface(k) for k in range(1, rows + 1))]
        (folder / f"{video.name}.csv").write_text("\n".join(lines))


@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_features_with_a_row_per_crop_are_refused(tmp_path, folder, kind):
    data = cropped(tmp_path)
    for video in data.videos("train"):
        save(folder, video, kind, len(video.images))
    with pytest.raises(
        DataError, match=r"a row per crop, not per frame: 70 rows of 4 videos.*rows 1 to 16 for a, which"
    ):
        read(tmp_path, data)


def test_row_per_crop_with_the_frames_written_beside_is_read(tmp_path, folder):
    data = cropped(tmp_path)
    for video in data.videos("train"):
        save(folder, video, "npy", len(video.images))
        np.save(folder / f"{video.name}.frames.npy", video.images.frames)
    split = read(tmp_path, data)
    assert split.notes == ()
    assert split.of(data.videos("train")[0]).frames.tolist()[3:5] == [4, 6]


def test_row_per_crop_in_some_videos_is_noted(tmp_path, folder):
    data = cropped(tmp_path)
    for k, video in enumerate(data.videos("train")):
        save(folder, video, "npy", len(video.images) if k == 1 else video.n_frames)
    assert "1 video may have a row per crop, not per frame: rows 1 to 24 for b" in read(tmp_path, data).notes[0]


def test_row_per_crop_of_videos_without_gaps_is_no_doubt(tmp_path, folder):
    data = cropped(tmp_path, gap=100)
    for video in data.videos("train"):
        save(folder, video, "npy", len(video.images))
    assert read(tmp_path, data).notes == ()


def test_features_with_a_column_that_is_never_there_are_refused(tmp_path, folder):
    rows = [f"{k},{k / 25},1,2,3,0.5,0,1,,{k},Neutral" for k in range(N)]
    (folder / "a.csv").write_text("\n".join([LIBREFACE, *rows]))
    with pytest.raises(
        DataError, match=r"every row of every video holds NaN.*in 1 of 7 columns in all of 6 rows \(.*in a"
    ):
        features(tmp_path)


def test_extraction_tells_what_a_run_would_note(tmp_path, folder):
    for name in ("a", "b", "c"):
        np.save(folder / f"{name}.npy", np.zeros((N - 1, 2), np.float32))
    data = Dataset("d", tmp_path, EXPR, {"train": [Video(name, N) for name in ("a", "b", "c")]})
    report = FeatureSource(Settings(cache=tmp_path / "cache", device="cpu")).extract(
        "precomputed:tool", data, ["train"]
    )
    assert report.notes == features(tmp_path, "a", "b", "c").notes != ()
