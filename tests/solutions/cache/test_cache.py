"""Features on disk: whole or absent, recognised by what the crops hold, and never a pickle."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.errors import DataError, StorageError
from harness.system.atomic import PARTIAL
from harness.system.names import unusable
from harness.system.provenance import digest_of
from harness.tasks import EXPR
from solutions.cache import video_store
from solutions.cache.derived import PictureCache
from solutions.cache.features_file import FeatureCache
from solutions.encoders.encoder import Part
from tests.support.digests import digests
from tests.support.places import REPOSITORY

DIM = 3
HALF = Part("embeddings", DIM, np.dtype(np.float16))
FULL = Part("embeddings", DIM, np.dtype(np.float32))
LOGITS = Part("logits", 2, np.dtype(np.float32))


class Named:
    """As much of an encoder as the cache asks for."""

    def __init__(
        self, name: str = "timm:some/model.tag", parts: tuple[Part, ...] = (HALF,), **settings: object
    ) -> None:
        self.name = name
        self.parts = parts
        self.settings = settings

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name, "weights": "0" * 64, **self.settings}


def rows_for(video: Video, columns: int = DIM) -> np.ndarray:
    """What an encoder gives, of numbers that float16 can hold."""
    rows = np.random.default_rng(len(video.images)).normal(size=(len(video.images), columns))
    return rows.astype(np.float16).astype(np.float32)


def store(cache: FeatureCache, video: Video, values: np.ndarray | None = None) -> np.ndarray:
    values = rows_for(video) if values is None else values
    cache.put(video, video.images.frames, values, video.images.source_hash())
    return values


def must_not_read(crops: object) -> str:
    raise AssertionError("the crops were read")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "caches"


@pytest.fixture
def filled(album, root) -> FeatureCache:
    """A cache that holds video a."""
    data = album.open()
    cache = FeatureCache(root, Named(), data)
    store(cache, data.videos("train")[0])
    return cache


@pytest.fixture
def array(filled) -> Path:
    return filled.folder / "a.embeddings.npy"


@pytest.fixture
def manifest(filled) -> Path:
    return filled.folder / "a.json"


@pytest.fixture
def reopened(album) -> Callable[[], Video]:
    """Video a as it lies on disk now."""
    return lambda: album.open("a").videos("train")[0]


@pytest.mark.parametrize("part", [HALF, FULL], ids=["float16", "float32"])
def test_what_was_put_is_what_is_got(album, root, part):
    data = album.open()
    cache = FeatureCache(root, Named(parts=(part,)), data)
    stored = {video.name: store(cache, video) for video in data.videos("train")}
    fresh = FeatureCache(root, Named(parts=(part,)), album.open())
    for video in album.open().videos("train"):
        features = fresh.get(video)
        assert features.frames.tolist() == video.images.frames.tolist()
        assert features.frames.dtype == np.int64
        assert features.values.dtype == part.dtype
        np.testing.assert_array_equal(features.values, stored[video.name])
        assert features.undetected == 0


@pytest.fixture
def filled_with_two(album, root) -> FeatureCache:
    """A cache of embeddings and logits that holds video a."""
    data = album.open()
    cache = FeatureCache(root, Named(parts=(HALF, LOGITS)), data)
    video = data.videos("train")[0]
    store(cache, video, rows_for(video, DIM + 2))
    return cache


def test_each_part_has_its_own_columns_type_and_file(filled_with_two, reopened):
    rows = rows_for(reopened(), DIM + 2)
    features = filled_with_two.get(reopened())
    assert {name: values.dtype for name, values in features.parts.items()} == {
        "embeddings": np.float16,
        "logits": np.float32,
    }
    np.testing.assert_array_equal(features.parts["embeddings"], rows[:, :DIM])
    np.testing.assert_array_equal(features.parts["logits"], rows[:, DIM:])
    np.testing.assert_array_equal(features.values, rows[:, :DIM])
    names = sorted(path.name for path in filled_with_two.folder.iterdir())
    assert names == ["a.embeddings.npy", "a.json", "a.logits.npy"]


@pytest.mark.parametrize("part", ["embeddings", "logits"])
def test_without_one_of_its_parts_a_video_does_not_count(filled_with_two, reopened, part):
    (filled_with_two.folder / f"a.{part}.npy").unlink()
    assert filled_with_two.get(reopened()) is None


def test_nothing_found_leaves_out_the_row_of_every_part(album, root, reopened):
    cache = FeatureCache(root, Named(parts=(HALF, LOGITS)), album.open())
    rows = rows_for(reopened(), DIM + 2)
    rows[4, DIM] = np.nan
    store(cache, reopened(), rows)
    features = cache.get(reopened())
    assert features.undetected == 1
    np.testing.assert_array_equal(features.parts["embeddings"], np.delete(rows, 4, 0)[:, :DIM])
    np.testing.assert_array_equal(features.parts["logits"], np.delete(rows, 4, 0)[:, DIM:])


def test_nothing_is_got_where_nothing_was_put(album, filled):
    assert filled.get(album.open("b_left").videos("train")[0]) is None


def test_values_are_mapped_and_can_not_be_written_to(filled, reopened):
    values = filled.get(reopened()).values
    assert isinstance(values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0] = 1


def test_crops_without_face_are_counted_and_left_out(album, root, reopened):
    video = reopened()
    values = rows_for(video)
    values[[0, 7]] = np.nan
    values[3, 1] = np.nan
    cache = FeatureCache(root, Named(), album.open())
    store(cache, video, values)
    features = cache.get(video)
    kept = [k for k in range(20) if k not in (0, 3, 7)]
    assert features.undetected == 3
    assert features.frames.tolist() == [k + 1 for k in kept]
    np.testing.assert_array_equal(features.values, values[kept])


def test_a_video_in_which_nothing_was_found_has_no_rows(album, root, reopened):
    video = reopened()
    cache = FeatureCache(root, Named(), album.open())
    store(cache, video, np.full((20, DIM), np.nan, np.float32))
    features = cache.get(video)
    assert (features.undetected, features.values.shape, features.frames.shape) == (20, (0, DIM), (0,))


@pytest.mark.parametrize("there", [True, False])
def test_a_video_without_crops_is_stored_like_any_other(album, root, there):
    folder = album.root / "cropped" / "empty" if there else None
    if folder:
        folder.mkdir()
    video = Video("empty", 9, image_folder=folder)
    cache = FeatureCache(root, Named(), album.open())
    store(cache, video, np.empty((0, DIM), np.float32))
    features = cache.get(video)
    assert (features.undetected, features.values.shape, features.values.dtype) == (0, (0, DIM), np.float16)


def test_put_again_replaces(filled, reopened):
    values = store(filled, reopened(), -rows_for(reopened()))
    np.testing.assert_array_equal(filled.get(reopened()).values, values)
    assert sorted(path.name for path in filled.folder.iterdir()) == ["a.embeddings.npy", "a.json"]


def test_the_manifest_says_what_the_array_is(filled, manifest, array, reopened):
    video = reopened()
    content = json.loads(manifest.read_text())
    assert content.pop("crc32") == zlib.crc32(json.dumps(content, separators=(",", ":")).encode())
    size, checksum = array.stat().st_size, zlib.crc32(array.read_bytes())
    assert content == {
        "identity": Named().identity(),
        "key": digest_of(Named().identity()),
        "video": "a",
        "parts": {"embeddings": {"shape": [20, DIM], "dtype": "float16", "bytes": size, "crc32": checksum}},
        "undetected": 0,
        "listing": video.images.listing_signature(),
        "source": video.images.source_hash(),
        "frames": list(range(1, 21)),
    }


def test_the_source_is_numbers_and_bytes_of_the_crops(reopened):
    digest = hashlib.sha256()
    for frame in range(1, 21):
        digest.update(f"{frame}\0".encode())
        digest.update((reopened().image_folder / f"{frame:05d}.jpg").read_bytes())
    assert reopened().images.source_hash() == digest.hexdigest()


def test_the_place_names_encoder_key_and_data_set(filled, root):
    parts = filled.folder.relative_to(root).parts
    assert parts[:2] == ("features", f"timm-some-model.tag-{filled.key[:8]}")
    assert parts[2].startswith("album-")
    assert len(parts) == 3


@pytest.mark.parametrize("name", ["../../../elsewhere", "/elsewhere", "..", "a/b", "Aff-Wild2, 12 of 70 videos"])
def test_no_name_of_a_data_set_leads_out_of_the_cache(album, root, name):
    folder = FeatureCache(root, Named(), album.open(name=name)).folder
    assert folder.resolve().parents[1] == (root / "features").resolve()


def test_without_its_manifest_an_array_does_not_count(filled, manifest, reopened):
    manifest.unlink()
    assert filled.get(reopened()) is None


def test_without_its_array_a_manifest_does_not_count(filled, array, reopened):
    array.unlink()
    assert filled.get(reopened()) is None


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_truncated_array_does_not_count(filled, array, reopened, size):
    array.write_bytes(array.read_bytes()[:size])
    assert filled.get(reopened()) is None


def test_a_longer_array_does_not_count(filled, array, reopened):
    array.write_bytes(array.read_bytes() + b"\0")
    assert filled.get(reopened()) is None


def test_an_array_that_is_no_array_does_not_count(filled, array, reopened):
    array.write_bytes(bytes(array.stat().st_size))  # as some file systems leave a file after a power cut
    assert filled.get(reopened()) is None


def flip(path: Path, bit: int) -> None:
    """Flip a bit as a disk does: size and time stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def every_nth_bit(path: Path, step: int) -> range:
    return range(step // 2, 8 * path.stat().st_size, step)


def forget_what_was_verified() -> None:
    """As in a new process."""
    video_store._verified.clear()
    video_store._logged.clear()


def test_any_flipped_bit_of_an_array_is_found(filled, array, reopened, repetitions, caplog):
    whole = array.read_bytes()
    for bit in every_nth_bit(array, repetitions(37, 1)):
        flip(array, bit)
        forget_what_was_verified()
        caplog.clear()
        assert filled.get(reopened()) is None
        expected = f"{array}: damaged on the disk, so that features of a are made again; found "
        assert [record.getMessage().startswith(expected) for record in caplog.records] == [True]
        array.write_bytes(whole)


def test_any_flipped_bit_of_a_manifest_is_found(filled, manifest, reopened, repetitions):
    whole = manifest.read_bytes()
    expected = filled.get(reopened())
    for bit in every_nth_bit(manifest, repetitions(101, 3)):
        flip(manifest, bit)
        found = filled.get(reopened())
        if found is not None:  # white space, or a name of the checksum that nothing else hangs on
            assert found.frames.tolist() == expected.frames.tolist()
            assert json.loads(manifest.read_bytes())["parts"] == json.loads(whole)["parts"]
        manifest.write_bytes(whole)


def test_damaged_headers_of_earlier_versions_do_not_count(filled, array, manifest, reopened, repetitions):
    """Their manifests hold no checksum: the header has to be read with care."""
    without_checksums(manifest)
    whole = array.read_bytes()
    for bit in range(0, 8 * 128, repetitions(3, 1)):
        flip(array, bit)
        found = filled.get(reopened())
        assert found is None or found.values.shape == (20, DIM)
        array.write_bytes(whole)
    for start in (
        b"\x93NUMPY\x01\0\x76\0{'descr': '<f2', 'shape': (",
        b"\x93NUMPY\x02\0\xff\xff\xff\xff",
        b"PK\x03\x04",
    ):
        array.write_bytes(start + whole[len(start) :])
        assert filled.get(reopened()) is None


def without_checksums(manifest: Path) -> None:
    """Make it a manifest as earlier versions wrote it."""
    content = json.loads(manifest.read_text())
    del content["crc32"]
    for part in content["parts"].values():
        del part["crc32"]
    manifest.write_text(json.dumps(content, separators=(",", ":")) + "\n")


def test_features_of_earlier_versions_without_checksums_count(filled, manifest, reopened):
    without_checksums(manifest)
    forget_what_was_verified()
    assert filled.get(reopened()) is not None


@pytest.mark.parametrize("kind", ["features", "pictures"])
def test_manifest_of_an_earlier_version_counts(album, root, kind):
    for frame in (2, 3, 5, 8, 13):
        album.crop("b_left", frame).write_bytes(b"\xff\xd8" + bytes([frame]))
    data = album.open()
    cache = FeatureCache(root, Named(), data) if kind == "features" else PictureCache(root, Named("flow"), data)
    cache.folder.mkdir(parents=True)
    for path in (REPOSITORY / "tests/harness/golden/documents").glob(f"{kind}.*"):
        shutil.copy(path, cache.folder / path.name.replace(kind, "b_left"))
    found = cache.get(data.videos("train")[1])
    assert found is not None
    assert found.frames.tolist() == ([2, 5, 8, 13] if kind == "features" else [2, 3])
    assert found.undetected == (kind == "features")


def test_a_manifest_that_lost_its_own_checksum_does_not_count(filled, manifest, reopened):
    content = json.loads(manifest.read_text())
    del content["crc32"]
    manifest.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    assert filled.get(reopened()) is None


def test_an_array_is_verified_once_a_process(filled, array, reopened, monkeypatch):
    forget_what_was_verified()
    read = []
    monkeypatch.setattr(video_store, "checksum_of", lambda path: read.append(path) or zlib.crc32(path.read_bytes()))
    for _ in range(3):
        assert filled.get(reopened()) is not None
    assert read == [array]


def test_an_array_with_a_bad_sector_does_not_count(filled, array, reopened, monkeypatch):
    def bad(path: Path) -> int:
        raise OSError(errno.EIO, "Input/output error")

    forget_what_was_verified()
    monkeypatch.setattr(video_store, "checksum_of", bad)
    assert filled.get(reopened()) is None


@pytest.mark.parametrize(
    "name", ["../b", "/b", "..", ".", "", "a/../../b", "a\\b", "C:b", "a\nb", ".b", "b ", "b" * 300]
)
def test_no_name_of_a_video_leads_out_of_the_cache(album, root, name):
    cache = FeatureCache(root, Named(), album.open())
    video = Video(name, 3)
    rows = np.empty((0, DIM), np.float32)
    for attempt in (cache.get, cache.claim_path, lambda item: cache.put(item, np.empty(0, np.int64), rows, "")):
        with pytest.raises(DataError, match="this can't be the name of a file"):
            attempt(video)
    assert not root.exists()


@given(st.one_of(st.text(max_size=12), st.lists(st.sampled_from(["a", "..", ".", "", "/", "\\", "b c"])).map("/".join)))
def test_whatever_a_video_is_called_its_files_lie_in_the_cache(name):
    data = Dataset("d", Path("d"), EXPR, {})
    cache = FeatureCache(Path("/cache"), Named(), data)
    try:
        paths = [*cache.files(Video(name, 3)).values(), cache.claim_path(Video(name, 3))]
    except DataError:
        assert unusable(name)
        with pytest.raises(DataError):
            Dataset("d", Path("d"), EXPR, {"val": [Video(name, 3)]})
        return
    for path in paths:
        inner = os.path.normpath(path)
        assert inner == str(path)
        assert Path(inner).is_relative_to(cache.folder)


def test_folders_in_names_stay_below_the_cache(album, root, reopened):
    cache = FeatureCache(root, Named(), album.open())
    video = Video("82683/Visite_1/q1.mp4", 30, image_folder=reopened().image_folder)
    store(cache, video)
    assert cache.get(video) is not None
    assert (cache.folder / "82683" / "Visite_1" / "q1.mp4.json").is_file()


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_torn_manifest_does_not_count(filled, manifest, reopened, share):
    text = manifest.read_text().rstrip()
    manifest.write_text(text[: int(len(text) * share)])
    assert filled.get(reopened()) is None


@pytest.mark.parametrize("text", ["null", "[]", "{}", '"a"', "3", '{"key": 1}'])
def test_json_that_is_no_manifest_does_not_count(filled, manifest, reopened, text):
    manifest.write_text(text)
    assert filled.get(reopened()) is None


def test_bytes_that_are_no_text_are_no_manifest(filled, manifest, reopened):
    manifest.write_bytes(b"\xff\xfe{")
    assert filled.get(reopened()) is None


def test_a_manifest_of_another_key_does_not_count(filled, manifest, reopened):
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "key": "0" * 64}))
    assert filled.get(reopened()) is None


def test_whatever_is_half_there_can_be_put_again(filled, manifest, array, reopened):
    whole = digests(filled.folder)
    for spoil in (manifest.unlink, array.unlink, lambda: array.write_bytes(b""), lambda: manifest.write_text("{")):
        spoil()
        assert filled.get(reopened()) is None
        store(filled, reopened())
        assert digests(filled.folder) == whole


@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_leaves_no_half_and_no_old_manifest(filled, reopened, monkeypatch, writes):
    """The array is the first file to be written, its manifest the second."""
    left = [writes]

    def fill_up(_descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(StorageError, match="the disk is full"):
        store(filled, reopened(), rows_for(reopened()) + 1)
    assert filled.get(reopened()) is None
    assert not list(filled.folder.glob(f"{PARTIAL}*"))
    assert not (filled.folder / "a.json").exists()


def test_kill_between_array_and_manifest_leaves_no_entry(filled, reopened, monkeypatch):
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FeatureCache, "_write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        store(filled, reopened(), rows_for(reopened()) + 1)
    assert filled.get(reopened()) is None


def test_an_array_that_would_be_unpickled_is_never_opened(filled, array, manifest, reopened, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], object), allow_pickle=True)
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301 - shows that the trap would spring
    (tmp_path / "sprung").unlink()
    array.write_bytes(stream.getvalue())
    content = json.loads(manifest.read_text())
    content["parts"]["embeddings"]["bytes"] = array.stat().st_size
    manifest.write_text(json.dumps(content))
    assert filled.get(reopened()) is None
    assert not (tmp_path / "sprung").exists()


def test_objects_are_not_stored(album, root, reopened):
    cache = FeatureCache(root, Named(), album.open())
    with pytest.raises((ValueError, TypeError)):
        store(cache, reopened(), np.array([[{}] * DIM] * 20, object))
    assert cache.get(reopened()) is None


def test_touched_crops_still_count_and_are_not_read_twice(filled, manifest, reopened, monkeypatch):
    before = json.loads(manifest.read_text())
    for path in reopened().images.paths():
        os.utime(path, (0, 0))
    assert filled.get(reopened()) is not None
    after = json.loads(manifest.read_text())
    assert after.pop("crc32") != before.pop("crc32")
    assert after == {**before, "listing": reopened().images.listing_signature()}
    assert after["listing"] != before["listing"]
    monkeypatch.setattr(ImageFiles, "source_hash", must_not_read)
    assert filled.get(reopened()) is not None


def test_untouched_crops_are_not_read(filled, reopened, monkeypatch):
    monkeypatch.setattr(ImageFiles, "source_hash", must_not_read)
    assert filled.get(reopened()) is not None


def test_a_changed_byte_is_noticed(filled, manifest, reopened):
    path = next(reopened().images.paths())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, (0, 0))
    before = manifest.read_bytes()
    assert filled.get(reopened()) is None
    assert manifest.read_bytes() == before


@pytest.mark.parametrize("change", ["added", "removed", "renumbered", "swapped"])
def test_other_crops_are_noticed(album, filled, reopened, change):
    first, second, new = (album.crop("a", frame) for frame in (1, 2, 25))
    if change == "added":
        shutil.copy(first, new)
    elif change == "removed":
        first.unlink()
    elif change == "renumbered":
        album.crop("a", 20).rename(new)
    else:
        first.rename(new)
        second.rename(first)
        new.rename(second)
    assert filled.get(reopened()) is None


def test_crops_that_can_not_be_read_do_not_count(album, filled, reopened):
    path = album.crop("a", 4)
    path.unlink()
    path.mkdir()
    assert filled.get(reopened()) is None


def test_another_root_is_another_place(album, filled, root, tmp_path):
    copied = shutil.copytree(album.root, tmp_path / "copied")
    data = album.open()
    elsewhere = Dataset(data.name, copied, data.task, data.splits)
    other = FeatureCache(root, Named(), elsewhere)
    assert other.folder.parent == filled.folder.parent
    assert other.folder != filled.folder


def test_one_root_is_one_place_however_it_is_written(album, filled, root, tmp_path, monkeypatch):
    data = album.open()
    monkeypatch.chdir(album.root.parent)
    (tmp_path / "link").symlink_to(album.root)
    for way in (Path(album.root.name), tmp_path / "link", album.root / "cropped" / ".."):
        assert FeatureCache(root, Named(), Dataset(data.name, way, data.task, data.splits)).folder == filled.folder


@pytest.mark.parametrize("other", [Named(weights="1" * 64), Named("tiny"), Named(precision="float16")])
def test_another_encoder_is_another_place_and_key(album, filled, root, other, reopened):
    cache = FeatureCache(root, other, album.open())
    assert cache.key != filled.key
    assert cache.folder != filled.folder
    assert cache.get(reopened()) is None


def test_names_that_look_alike_as_folders_stay_apart(album, root):
    folders = {FeatureCache(root, Named(name), album.open()).folder for name in ("timm:a/b", "timm:a-b", "timm-a-b")}
    assert len(folders) == 3
