"""Features that a team brings: read where they lie, held to the layout, and known by their bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError, UsageError
from harness.settings import Settings
from harness.system.provenance import sha256_of
from harness.tasks import EMI, EXPR
from solutions.cache import precomputed
from solutions.cache.features import FeatureSource, SplitFeatures
from solutions.cache.features_file import Features

NAME = "precomputed:libreface"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


@pytest.fixture
def folder(settings) -> Path:
    made = settings.cache / "precomputed" / "libreface"
    made.mkdir(parents=True)
    return made


def data(*videos: str) -> Dataset:
    return Dataset("d", Path("d"), EXPR, {"train": [Video(video, 9) for video in videos]})


def opened(settings: Settings, *videos: str) -> SplitFeatures:
    return FeatureSource(settings).features(NAME, data(*videos), "train")


def of(settings: Settings, video: str = "a") -> Features:
    return opened(settings, video).of(Video(video, 9))


def rows(k: int = 5, d: int = 3, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(k).normal(size=(k, d)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_array_is_the_rows_of_frames_1_to_k_and_stays_on_disk(folder, settings, dtype):
    np.save(folder / "a.npy", rows(dtype=dtype))
    got = of(settings)
    assert got.frames.tolist() == [1, 2, 3, 4, 5]
    assert got.undetected == 0
    assert isinstance(got.values, np.memmap)
    assert got.values.dtype == dtype
    assert (got.values == rows(dtype=dtype)).all()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_frames_may_have_numbers_of_their_own(folder, settings, dtype):
    np.save(folder / "a.npy", rows(3))
    np.save(folder / "a.frames.npy", np.array([2, 3, 7], dtype))
    got = of(settings)
    assert (got.frames.tolist(), got.frames.dtype) == ([2, 3, 7], np.int64)


def test_a_table_is_read_like_an_array(folder, settings):
    (folder / "a.csv").write_text("frame, AU1, AU2\n1, 0.5, 1\n2,,3\n4,-1.5,2e-1\n")
    got = of(settings)
    assert got.frames.tolist() == [1, 4]
    assert got.undetected == 1
    assert got.values.dtype == np.float32
    np.testing.assert_allclose(got.values, [[0.5, 1], [-1.5, 0.2]])


def test_rows_with_nan_are_frames_in_which_nothing_was_found(folder, settings, monkeypatch):
    monkeypatch.setattr(precomputed, "_BLOCK", 2)
    values = rows(7)
    values[1] = np.nan
    values[6, 2] = np.nan
    np.save(folder / "a.npy", values)
    got = of(settings)
    assert got.frames.tolist() == [1, 3, 4, 5, 6]
    assert got.undetected == 2
    assert (got.values == values[[0, 2, 3, 4, 5]]).all()


@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_a_video_may_have_no_rows_at_all(folder, settings, kind):
    if kind == "npy":
        np.save(folder / "a.npy", rows(0))
    else:
        (folder / "a.csv").write_text("frame,x,y,z\n")
    got = of(settings)
    assert (got.frames.shape, got.values.shape, got.undetected) == ((0,), (0, 3), 0)


def test_the_report_counts_frames_and_finds(folder, settings):
    values = rows(5, 8)
    values[0] = np.nan
    np.save(folder / "a.npy", values)
    np.save(folder / "b_left.npy", rows(2, 8))
    split = opened(settings, "a", "b_left")
    assert split.parts == ("embeddings",)
    report = split.report
    assert (report.encoder, report.videos, report.frames, report.reused, report.undetected) == (NAME, 2, 0, 7, 1)
    assert FeatureSource(settings).extract(NAME, data("a", "b_left"), ["train"]) == report


def test_nothing_is_copied(folder, settings):
    np.save(folder / "a.npy", rows())
    of(settings)
    assert [path.name for path in settings.cache.rglob("*.npy")] == ["a.npy"]


def refused(settings: Settings, *videos: str) -> str:
    with pytest.raises(DataError) as caught:
        opened(settings, *videos or ("a",))
    return str(caught.value)


def test_videos_without_a_file_are_named(folder, settings):
    np.save(folder / "b.npy", rows())
    message = refused(settings, "a", "b", "c", "d", "e")
    assert f"{folder}: {NAME} lacks 4 of 5 videos; found nothing for a, c, d and 1 more" in message


def test_a_folder_that_is_not_there_says_which_are(folder, settings):
    with pytest.raises(DataError, match="found folders libreface, expected <video>"):
        FeatureSource(settings).features("precomputed:openface", data("a"), "train")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\\b", ".hidden", "a b"])
def test_a_name_leads_nowhere_else(settings, name):
    with pytest.raises(UsageError, match="names no folder of features"):
        FeatureSource(settings).features(f"precomputed:{name}", data("a"), "train")


def test_other_columns_in_another_video_are_said(folder, settings):
    np.save(folder / "a.npy", rows(d=3))
    np.save(folder / "b.npy", rows(d=4))
    assert "differ in their number of columns; found 3 for a, 4 for b" in refused(settings, "a", "b")


def test_two_files_for_one_video_are_said(folder, settings):
    np.save(folder / "a.npy", rows())
    (folder / "a.csv").write_text("frame,x\n1,2\n")
    assert "two files for one video; found a.csv" in refused(settings)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.ones((4, 3), np.int64), "found int64 (4, 3), expected float (frames, columns)"),
        (np.ones(4), "found float64 (4,)"),
        (np.ones((4, 3, 2)), "found float64 (4, 3, 2)"),
        (np.ones((4, 0)), "found float64 (4, 0)"),
        (np.ones((4, 2), complex), "found complex128"),
        (np.array([[1.0, 2], [3, np.inf]]), "infinity in row 2"),
    ],
)
def test_arrays_that_can_not_be_features_are_said(folder, settings, values, says):
    np.save(folder / "a.npy", values)
    message = refused(settings)
    assert message.startswith(f"{folder / 'a.npy'}: ")
    assert says in message


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([1, 2], "found int64 (2,), expected integer (3,)"),
        ([[1, 2, 3]], "found int64 (1, 3)"),
        ([1.0, 2, 3], "found float64 (3,)"),
        ([0, 1, 2], "out of order; found 0 in row 1"),
        ([1, 3, 3], "out of order; found 3 in row 3"),
        ([1, 3, 2], "out of order; found 2 in row 3"),
        ([-1, 1, 2], "out of order; found -1 in row 1"),
    ],
)
def test_frame_numbers_that_can_not_be_are_said(folder, settings, frames, says):
    np.save(folder / "a.npy", rows(3))
    np.save(folder / "a.frames.npy", np.array(frames))
    assert says in refused(settings)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a.csv: not readable as a table"),
        ("a,b\n1,2\n", "a.csv:1: columns that can't be used; found a, b"),
        ("frame\n1\n", "a.csv:1: columns that can't be used"),
        ("frame,x\n1,2\n2,high\n", "a.csv:3: not a number; found 'high' in column x"),
        ("frame,x\n1,2\n2.5,3\n", "a.csv:3: not a frame number; found 2.5"),
        ("frame,x\n1,2\n,3\n", "a.csv:3: not a frame number; found nan"),
        ("frame,x\n2,2\n1,3\n", "out of order; found 1 in row 2"),
        ("frame,x\n1,inf\n", "infinity in row 1"),
        ("frame,x\n1,2\n2,3,4,5\n", "a.csv: not readable as a table"),
    ],
)
def test_tables_that_can_not_be_features_are_said(folder, settings, text, says):
    (folder / "a.csv").write_text(text)
    assert says in refused(settings)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY"])
def test_files_that_are_no_arrays_are_said(folder, settings, content):
    (folder / "a.npy").write_bytes(content)
    assert "a.npy: not readable as an array" in refused(settings)


@pytest.mark.parametrize("name", ["a.npy", "a.frames.npy"])
@pytest.mark.parametrize("at", [0, 6, 8, 11, 15, 30, 61, 70])
def test_damaged_headers_name_the_file_and_what_to_do(folder, settings, name, at):
    np.save(folder / "a.npy", rows())
    np.save(folder / "a.frames.npy", np.arange(1, 6))
    content = bytearray((folder / name).read_bytes())
    content[at : at + 3] = b"(\\\0"
    (folder / name).write_bytes(content)
    text = refused(settings)
    assert text.startswith(f"{folder / name}: not readable as an array; found ")
    assert text.endswith("expected an array of numbers, .npy. Write it again, with numpy.save.")


def test_an_archive_is_no_array(folder, settings):
    with (folder / "a.npy").open("wb") as stream:
        np.savez(stream, rows())
    assert "a.npy: not readable as an array; found an archive" in refused(settings)


def test_objects_are_never_unpickled(folder, settings, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], object), allow_pickle=True)
    (folder / "a.npy").write_bytes(stream.getvalue())
    assert "not readable as an array" in refused(settings)
    assert not (tmp_path / "sprung").exists()


class Reading:
    """Counts the files that are hashed."""

    def __init__(self, monkeypatch) -> None:
        self.names: list[str] = []
        monkeypatch.setattr(precomputed, "sha256_of", self)

    def __call__(self, path: Path) -> str:
        self.names.append(path.name)
        return sha256_of(path)


def test_the_identity_is_of_the_files_bytes(folder, settings, monkeypatch):
    reading = Reading(monkeypatch)
    np.save(folder / "a.npy", rows())
    (folder / "b.csv").write_text("frame,x\n1,2\n")

    def identity() -> dict[str, object]:
        return FeatureSource(settings).identity(NAME)

    first = identity()
    assert first["encoder"] == NAME
    assert sorted(reading.names) == ["a.npy", "b.csv"]
    assert identity() == first
    assert len(reading.names) == 2  # sizes and times are known
    os.utime(folder / "a.npy", (0, 0))
    assert identity() == first
    assert reading.names[2:] == ["a.npy"]
    np.save(folder / "a.npy", rows(4))
    assert identity() != first


def test_names_and_frame_numbers_are_part_of_the_identity(folder, settings):
    seen = []
    for change in (
        lambda: np.save(folder / "a.npy", rows(2)),
        lambda: np.save(folder / "a.frames.npy", np.array([1, 2])),
        lambda: np.save(folder / "a.frames.npy", np.array([1, 3])),
        lambda: (folder / "a.npy").rename(folder / "b.npy"),
    ):
        change()
        seen.append(FeatureSource(settings).identity(NAME)["files"])
    assert len(set(seen)) == len(seen)


def test_features_carry_the_identity(folder, settings):
    np.save(folder / "a.npy", rows())
    assert opened(settings, "a").identity == FeatureSource(settings).identity(NAME)


@pytest.mark.parametrize("content", ["{", "[]", '"a"', '{"a.npy": 3}', '{"a.npy": []}'])
def test_a_spoilt_memory_of_hashes_is_made_anew(folder, settings, content):
    np.save(folder / "a.npy", rows())
    first = FeatureSource(settings).identity(NAME)
    (settings.cache / "features" / "precomputed-libreface.json").write_text(content)
    assert FeatureSource(settings).identity(NAME) == first


def test_the_command_reads_them(drawn_once, settings, folder, abaw):
    from harness.datasets.open import open_dataset

    for split in open_dataset(drawn_once, EXPR).splits.values():
        for video in split:
            np.save(folder / f"{video.name}.npy", rows(video.n_frames, 4))
    done = abaw("extract", NAME, "--data", drawn_once, "--cache", settings.cache)
    assert done.returncode == 0, done.stderr
    assert NAME in done.stdout
    for path in folder.glob("*.npy"):
        np.save(path, np.load(path)[:-1])
    done = abaw("extract", NAME, "--data", drawn_once, "--cache", settings.cache)
    assert f"note: {NAME}: no row for the last frame of 11 of 11 videos" in done.stderr
    next(folder.glob("*.npy")).unlink()
    done = abaw("extract", NAME, "--data", drawn_once, "--cache", settings.cache)
    assert done.returncode == 1
    assert "lacks 1 of" in done.stderr


# --- a row per video: embeddings of words ---


@pytest.mark.parametrize(("task", "rows"), [(EMI, 1), (EXPR, None)])
def test_one_row_per_video_is_a_vector(settings, task, rows):
    folder = settings.cache / "precomputed" / "gigachat"
    folder.mkdir(parents=True)
    vectors = np.random.default_rng(0).normal(size=(2, 1024)).astype(np.float32)
    for name, vector in zip(("a", "b"), vectors, strict=True):
        np.save(folder / f"{name}.npy", vector[None])
    videos = [Video(name, 9, rows=rows) for name in ("a", "b")]
    found = FeatureSource(settings).features(
        "precomputed:gigachat", Dataset("d", Path("d"), task, {"train": videos}), "train"
    )
    for video, vector in zip(videos, vectors, strict=True):
        features = found.of(video)
        assert features.frames.tolist() == ([1] if rows else list(range(1, 10)))
        assert (features.values == vector).all()
    note = ("precomputed:gigachat: one row per video, taken for all of its frames",)
    assert found.notes == (() if rows else note)


@pytest.mark.parametrize(("name", "width"), [("openai-small", 1536), ("gigachat", 1024)])
def test_vectors_of_another_width_are_refused(settings, name, width):
    folder = settings.cache / "precomputed" / name
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", np.zeros((1, 768), np.float32))
    data = Dataset("d", Path("d"), EMI, {"train": [Video("a", 9, rows=1)]})
    with pytest.raises(DataError, match=rf"not precomputed:{name}; found 768 columns for a, expected {width:,}"):
        FeatureSource(settings).features(f"precomputed:{name}", data, "train")


@pytest.mark.parametrize(("columns", "said"), [(8, 0), (24, 1)])
def test_libreface_of_another_width_is_noted(folder, settings, columns, said):
    np.save(folder / "a.npy", rows(5, columns))
    notes = opened(settings, "a").notes
    matching = [note for note in notes if "24 columns, where abaw10's row has LibreFace's scores of 8" in note]
    assert len(matching) == said


def test_missing_libreface_folder_says_what_is_needed(settings):
    with pytest.raises(DataError, match=r"expected LibreFace's scores of 8 expressions .* folder cropped"):
        opened(settings, "a")
