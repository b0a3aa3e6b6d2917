"""Filling the cache: the same bytes however the work is cut, and only what is missing, whatever went wrong before."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import stat
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError, MissingDependencyError, SolutionError, StorageError, UnknownNameError
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.system.atomic import PARTIAL
from harness.system.images import read_rgb
from harness.system.locks import Claim, claim
from harness.tasks import EXPR
from solutions.cache import fill, video_store
from solutions.cache.features_file import FeatureCache, Features
from solutions.cache.images import extract_features
from solutions.encoders.encoder import Part
from solutions.encoders.images.tiny import TinyEncoder
from solutions.provider import PROVIDER
from tests.support.digests import digests

FRAMES = {"a": 20, "b_left": 5, "c": 3}
ON_DISK = 2 * len(FRAMES)  # an array and a manifest each


class Colours:
    """Mean and spread of each channel. Keeps the sizes of the batches that it was asked for."""

    name = "colours"
    parts = (Part("embeddings", 6, np.dtype(np.float16)),)
    parallel = "threads"
    batch_size = 8

    def __init__(self) -> None:
        self.asked: list[int] = []

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        self.asked.append(len(images))
        return np.array([[*image.mean((0, 1)), *image.std((0, 1))] for image in images], np.float32)


class Fragile(Colours):
    """Kills its own process at a picture of the given height."""

    name = "fragile"
    parallel = "processes"

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        if any(len(image) == FATAL_HEIGHT for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(images)


class Unstartable(Colours):
    """Can be made in the first process only."""

    name = "unstartable"
    parallel = "processes"

    def __init__(self) -> None:
        super().__init__()
        if multiprocessing.parent_process() is not None:
            raise MissingDependencyError("no library here")


class Refusing(Colours):
    """Says that it can't do it, whatever it is shown."""

    name = "refusing"
    parallel = "processes"

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        raise SolutionError("not my kind of picture")


FATAL_HEIGHT = 61


def made(kind: type[Colours], settings: Settings) -> Colours:
    """How a worker makes an encoder; it imports this module."""
    return kind()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


@pytest.fixture
def elsewhere(tmp_path) -> Callable[..., Settings]:
    """Settings with an empty cache of their own."""
    made: list[Settings] = []

    def make(workers: int = 1) -> Settings:
        made.append(Settings(cache=tmp_path / f"elsewhere-{len(made)}", device="cpu", workers=workers))
        return made[-1]

    return make


def extract(encoder: Colours, data: Dataset, settings: Settings) -> ExtractionReport:
    return extract_features(encoder, data, ["train"], settings, make=partial(made, type(encoder)))[1]


def arrays(settings: Settings) -> dict[str, str]:
    return digests(settings.cache, "*.npy")


def stems(settings: Settings) -> set[str]:
    """Videos that are whole: an array and a manifest."""
    names = [Path(name).name for name in digests(settings.cache)]
    made = {
        end: {name.removesuffix(end) for name in names if name.endswith(end)} for end in (".embeddings.npy", ".json")
    }
    return made[".embeddings.npy"] & made[".json"]


def features_of(encoder: Colours, data: Dataset, settings: Settings) -> dict[str, Features | None]:
    cache, _ = extract_features(encoder, data, ["train"], settings)
    return {video.name: cache.get(video) for video in data.videos("train")}


def test_a_row_is_what_the_encoder_makes_of_that_crop_alone(album, settings):
    encoder, data = Colours(), album.open()
    found = features_of(encoder, data, settings)
    for video in data.videos("train"):
        crops = [read_rgb(path) for path in video.images.paths()]
        expected = np.concatenate([encoder.encode([crop]) for crop in crops]).astype(np.float16)
        assert found[video.name].values.tobytes() == expected.tobytes()
        assert found[video.name].frames.tolist() == video.images.frames.tolist()
    assert found["b_left"].frames.tolist() == [2, 3, 5, 8, 13]


@pytest.mark.parametrize("parallel", ["threads", "batches"])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 3, 5, 1000])
def test_batches_and_threads_never_change_a_byte(album, settings, elsewhere, batch_size, workers, parallel):
    extract(Colours(), album.open(), settings)
    encoder, other = Colours(), elsewhere(workers)
    encoder.parallel = parallel
    encoder.batch_size = batch_size
    extract(encoder, album.open(), other)
    assert len(digests(other.cache)) == ON_DISK
    assert digests(other.cache) == digests(settings.cache)


def test_a_batch_never_spans_two_videos(album, settings):
    encoder = Colours()
    extract(encoder, album.open(), settings)
    assert sorted(encoder.asked) == [3, 4, 5, 8, 8]


@pytest.mark.parametrize(("parallel", "at_once"), [("threads", 1), ("batches", 3)])
def test_encode_runs_in_several_threads_only_if_declared(album, elsewhere, monkeypatch, parallel, at_once):
    together = threading.Barrier(at_once, timeout=20)  # is passed only by so many calls at once
    count, calls, inside, most = threading.Lock(), 0, 0, 0
    encode = Colours.encode

    def watched(self, images):
        nonlocal calls, inside, most
        with count:
            calls, inside = calls + 1, inside + 1
            most, first = max(most, inside), calls <= at_once
        if first:
            together.wait()
        rows = encode(self, images)
        with count:
            inside -= 1
        return rows

    monkeypatch.setattr(Colours, "encode", watched)
    encoder = Colours()
    encoder.parallel, encoder.batch_size = parallel, 4
    extract(encoder, album.open("a", "c"), elsewhere(workers=3))
    assert most == at_once


def test_torch_takes_one_core_per_thread_and_is_restored(album, settings, monkeypatch):
    torch = pytest.importorskip("torch")
    before, seen = torch.get_num_threads(), []
    encode = Colours.encode
    monkeypatch.setattr(
        Colours, "encode", lambda self, images: seen.append(torch.get_num_threads()) or encode(self, images)
    )
    torch.set_num_threads(2)
    try:
        encoder = Colours()
        encoder.parallel = "batches"
        extract(encoder, album.open(), settings)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.process
def test_messages_on_unreadable_crops_are_in_video_order(album, settings, monkeypatch):
    monkeypatch.setattr(TinyEncoder, "parallel", "processes")
    for video, frame in (("c", 2), ("a", 5), ("b_left", 3)):
        album.crop(video, frame).write_bytes(b"not a picture")
    several = Settings(cache=settings.cache, device="cpu", workers=2)
    with pytest.raises(DataError) as caught:
        extract(TinyEncoder(), album.open("b_left", "c", "a"), several)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        "3 crops of 3 videos can't be read; features of the other 0 videos are kept, and the same command"
    )
    assert [Path(line.split(":")[0]).parent.name for line in lines[1:]] == ["b_left", "c", "a"]


def test_a_video_as_long_as_whole_batches_has_no_empty_one(album, settings):
    encoder = Colours()
    encoder.batch_size = 5
    extract(encoder, album.open("a", "b_left"), settings)
    assert encoder.asked == [5, 5, 5, 5, 5]


@pytest.mark.process
def test_processes_give_the_bytes_of_threads(album, settings, elsewhere, monkeypatch):
    extract(TinyEncoder(), album.open(), settings)
    monkeypatch.setattr(TinyEncoder, "parallel", "processes")
    other = elsewhere(workers=2)
    report = extract(TinyEncoder(), album.open(), other)
    assert (report.videos, report.frames) == (3, 28)
    assert len(digests(other.cache)) == ON_DISK
    assert digests(other.cache) == digests(settings.cache)


def test_the_order_of_videos_does_not_matter(album, settings, elsewhere):
    other = elsewhere()
    extract(Colours(), album.open(), settings)
    extract(Colours(), album.open("c", "a", "b_left"), other)
    assert len(digests(other.cache)) == ON_DISK
    assert digests(other.cache) == digests(settings.cache)


def test_other_videos_beside_it_do_not_matter(album, settings, elsewhere):
    extract(Colours(), album.open(), settings)
    alone = elsewhere()
    extract(Colours(), album.open("b_left"), alone)
    assert len(digests(alone.cache)) == 2
    assert digests(alone.cache).items() <= digests(settings.cache).items()


def test_the_report_counts(album, settings):
    report = extract(Colours(), album.open(), settings)
    assert (report.encoder, report.videos, report.frames, report.reused) == ("colours", 3, sum(FRAMES.values()), 0)
    assert report.undetected == 0
    assert report.frames_per_second == report.frames / report.seconds


def test_several_splits_are_done_in_one_go(album, settings):
    train = album.open("a", "b_left").videos("train")
    data = Dataset("album", album.root, EXPR, {"train": train, "val": album.open("c").videos("train")})
    _, report = extract_features(Colours(), data, ["train", "val"], settings)
    assert (report.videos, report.frames) == (3, 28)
    assert stems(settings) == set(FRAMES)


def test_the_same_again_does_nothing(album, settings):
    extract(Colours(), album.open(), settings)
    times = {path: path.stat().st_mtime_ns for path in settings.cache.rglob("*")}
    encoder = Colours()
    report = extract(encoder, album.open(), settings)
    assert encoder.asked == []
    assert (report.frames, report.reused, report.frames_per_second) == (0, 28, None)
    assert {path: path.stat().st_mtime_ns for path in settings.cache.rglob("*")} == times


@pytest.mark.parametrize("batch_size", [3, 8, 100])
def test_touched_crops_are_not_encoded_again(album, settings, batch_size):
    """The hash of the source is taken batch by batch while encoding, and at once afterwards."""
    encoder = Colours()
    encoder.batch_size = batch_size
    extract(encoder, album.open(), settings)
    for path in album.root.rglob("*.jpg"):
        os.utime(path, (0, 0))
    assert extract(Colours(), album.open(), settings).frames == 0


@pytest.mark.parametrize("end", [".json", ".embeddings.npy"])
def test_only_a_missing_video_is_done_again(album, settings, end):
    extract(Colours(), album.open(), settings)
    whole = digests(settings.cache)
    next(settings.cache.rglob(f"b_left{end}")).unlink()
    kept = {path: path.stat().st_mtime_ns for path in settings.cache.rglob("[ac].*")}
    encoder = Colours()
    report = extract(encoder, album.open(), settings)
    assert encoder.asked == [5]
    assert (report.frames, report.reused) == (5, 23)
    assert digests(settings.cache) == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_only_a_changed_video_is_done_again(album, settings):
    extract(Colours(), album.open(), settings)
    album.crop("a", 3).write_bytes(album.crop("a", 4).read_bytes())
    encoder = Colours()
    values = features_of(encoder, album.open(), settings)["a"].values
    assert sum(encoder.asked) == 20
    np.testing.assert_array_equal(values[2], values[3])


def test_changed_encoder_starts_again_and_keeps_old_features(album, settings, monkeypatch):
    extract(Colours(), album.open(), settings)
    before = digests(settings.cache)
    monkeypatch.setattr(Colours, "identity", lambda self: {"encoder": self.name, "format": 2})
    assert extract(Colours(), album.open(), settings).frames == 28
    assert before.items() < digests(settings.cache).items()


@pytest.mark.parametrize("parallel", ["threads", pytest.param("processes", marks=pytest.mark.process)])
def test_unreadable_crops_are_reported_and_other_videos_kept(album, settings, monkeypatch, parallel):
    monkeypatch.setattr(TinyEncoder, "parallel", parallel)
    album.crop("a", 2).write_bytes(b"not a picture")
    album.crop("a", 19).write_bytes(b"")
    album.crop("c", 1).write_bytes(album.crop("c", 1).read_bytes()[:10])
    several = Settings(cache=settings.cache, device="cpu", workers=2)
    with pytest.raises(DataError) as caught:
        extract(TinyEncoder(), album.open(), several)
    message = str(caught.value)
    assert message.startswith(
        "3 crops of 2 videos can't be read; features of the other 1 video are kept, and the same command "
    )
    for path in (album.crop("a", 2), album.crop("a", 19), album.crop("c", 1)):
        assert message.count(str(path)) == 1
    assert stems(several) == {"b_left"}
    assert len(digests(several.cache)) == 2


def test_of_many_unreadable_crops_some_are_shown_and_all_counted(album, settings):
    for frame in range(1, 13):
        album.crop("a", frame).write_bytes(b"not a picture")
    with pytest.raises(DataError) as caught:
        extract(Colours(), album.open(), settings)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("12 crops of 1 video can't")
    shown = len(lines) - 2
    assert 1 <= shown < 12
    assert lines[-1].strip() == f"… and {12 - shown} more"


def test_crop_that_fails_to_open_is_reported_like_damaged_one(album, settings):
    album.crop("c", 2).unlink()
    album.crop("c", 2).mkdir()
    with pytest.raises(DataError, match=r"1 crop of 1 video (.|\n)*c/00002\.jpg: can't read the crop"):
        extract(Colours(), album.open(), settings)
    assert stems(settings) == {"a", "b_left"}


def test_a_mended_crop_costs_its_own_video_only(album, settings, elsewhere):
    undisturbed = elsewhere()
    extract(Colours(), album.open(), undisturbed)
    whole = album.crop("c", 2).read_bytes()
    album.crop("c", 2).write_bytes(b"not a picture")
    with pytest.raises(DataError):
        extract(Colours(), album.open(), settings)
    album.crop("c", 2).write_bytes(whole)
    encoder = Colours()
    extract(encoder, album.open(), settings)
    assert encoder.asked == [3]
    assert arrays(settings) == arrays(undisturbed)


def test_a_crop_that_went_bad_makes_its_old_features_worthless(album, settings):
    extract(Colours(), album.open(), settings)
    album.crop("c", 2).write_bytes(b"not a picture")
    with pytest.raises(DataError, match="1 crop of 1 video "):
        extract(Colours(), album.open(), settings)


@pytest.mark.parametrize("writes", range(ON_DISK))
def test_full_disk_leaves_complete_videos_only(album, settings, elsewhere, monkeypatch, writes):
    undisturbed = elsewhere()
    extract(Colours(), album.open(), undisturbed)
    left = [writes]

    def fill_up(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            return
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fill_up)
        with pytest.raises(StorageError, match=r"the disk is full(.|\n)*ABAW_CACHE(.|\n)*what is finished is kept"):
            extract(Colours(), album.open(), settings)
    assert not list(settings.cache.rglob(f"{PARTIAL}*"))
    assert len(stems(settings)) == writes // 2
    assert digests(settings.cache).items() <= digests(undisturbed.cache).items()
    encoder = Colours()
    extract(encoder, album.open(), settings)
    assert sum(encoder.asked) == sum(list(FRAMES.values())[writes // 2 :])
    assert digests(settings.cache) == digests(undisturbed.cache)


def test_too_little_space_is_seen_before_anything_is_encoded(album, settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    need = 28 * 6 * 2
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, need - 1))
    encoder = Colours()
    with pytest.raises(StorageError, match=r"not enough space for the features(.|\n)*ABAW_CACHE"):
        extract(encoder, album.open(), settings)
    assert encoder.asked == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, need))
    assert extract(encoder, album.open(), settings).frames == 28


def test_a_cache_that_can_not_be_made_is_said(album, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match=r"can't make the feature cache(.|\n)*Set ABAW_CACHE"):
        extract(Colours(), album.open(), Settings(cache=tmp_path / "taken", workers=1))


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows[:, :-1],
        lambda rows: rows[:-1],
        lambda rows: np.vstack([rows, rows]),
        lambda rows: rows.ravel(),
        lambda rows: rows[:, :, None],
    ],
    ids=["narrow", "few", "many", "flat", "deep"],
)
def test_encoder_with_wrong_output_shape_is_an_error(album, settings, monkeypatch, answer):
    encode = Colours.encode
    monkeypatch.setattr(Colours, "encode", lambda self, images: answer(encode(self, images)))
    with pytest.raises(SolutionError, match=r"encoder colours gave \(.*\) for 8 images, expected \(8, 6\)"):
        extract(Colours(), album.open(), settings)
    assert digests(settings.cache) == {}


@pytest.mark.parametrize("there", [True, False])
def test_video_without_crops_has_no_features_and_no_encoding(album, settings, there):
    folder = album.root / "cropped" / "empty" if there else None
    if folder:
        folder.mkdir()
    videos = [*album.open("c").videos("train"), Video("empty", 7, image_folder=folder)]
    data = Dataset("album", album.root, EXPR, {"train": videos})
    encoder = Colours()
    features = features_of(encoder, data, settings)["empty"]
    assert encoder.asked == [3]
    assert (features.values.shape, features.undetected) == ((0, 6), 0)
    assert extract(encoder, data, settings).reused == 3
    assert encoder.asked == [3]


def test_nothing_found_is_counted_now_and_the_next_time(album, settings, monkeypatch):
    encode = Colours.encode

    def blind(self, images):
        rows = encode(self, images)
        rows[::4] = np.nan
        return rows

    monkeypatch.setattr(Colours, "encode", blind)
    first = extract(Colours(), album.open(), settings)
    again = extract(Colours(), album.open(), settings)
    assert (first.frames, first.undetected) == (28, 2 + 2 + 1 + 2 + 1)
    assert (again.reused, again.undetected) == (28, first.undetected)
    found = features_of(Colours(), album.open(), settings)
    assert found["b_left"].frames.tolist() == [3, 5, 8]
    assert found["b_left"].undetected == 2


@pytest.mark.process
def test_a_dead_worker_is_said_and_the_same_command_completes(album, settings, elsewhere, monkeypatch):
    monkeypatch.setattr(Fragile, "parallel", "threads")
    undisturbed, several = elsewhere(), Settings(cache=settings.cache, device="cpu", workers=2)
    extract(Fragile(), album.open(), undisturbed)
    monkeypatch.setattr(Fragile, "parallel", "processes")
    whole = album.crop("c", 1).read_bytes()
    album.write("c", 1, np.zeros((FATAL_HEIGHT, 20, 3), np.uint8))
    with pytest.raises(SolutionError, match=r"a worker process died(.|\n)*run the same command again(.|\n)*--workers"):
        extract(Fragile(), album.open(), several)
    assert "c" not in stems(several)
    assert not list(several.cache.rglob(f"{PARTIAL}c*"))
    album.crop("c", 1).write_bytes(whole)
    extract(Fragile(), album.open(), several)
    assert arrays(several) == arrays(undisturbed)


@pytest.mark.process
def test_what_a_worker_complains_of_is_what_is_raised(album, settings):
    several = Settings(cache=settings.cache, device="cpu", workers=2)
    with pytest.raises(SolutionError, match="not my kind of picture"):
        extract(Refusing(), album.open(), several)
    assert digests(several.cache) == {}


@pytest.mark.process
def test_a_worker_that_can_not_start_says_why(album, settings):
    several = Settings(cache=settings.cache, device="cpu", workers=2)
    with pytest.raises(SolutionError, match="a worker process can't start: no library here"):
        extract(Unstartable(), album.open(), several)
    assert digests(several.cache) == {}


def test_one_video_or_one_worker_needs_no_processes(album, settings, elsewhere, monkeypatch):
    monkeypatch.setattr(fill, "engine_of", None)
    monkeypatch.setattr(Colours, "parallel", "processes")
    extract(Colours(), album.open(), settings)
    extract(Colours(), album.open("a"), elsewhere(workers=4))
    assert stems(settings) == set(FRAMES)


def test_old_partial_files_are_removed_and_fresh_ones_kept(album, settings):
    extract(Colours(), album.open("c"), settings)
    folder = next(settings.cache.rglob("c.embeddings.npy")).parent
    stale, fresh = folder / f"{PARTIAL}a.npy-0", folder / f"{PARTIAL}a.npy-1"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 86_400,) * 2)
    os.utime(fresh, (time.time() - 60,) * 2)
    extract(Colours(), album.open(), settings)
    assert not stale.exists()
    assert fresh.read_bytes() == b"half"
    assert stems(settings) == set(FRAMES)


def test_manifests_carry_the_encoders_identity(album, settings):
    extract(Colours(), album.open(), settings)
    for path in settings.cache.rglob("*.json"):
        assert json.loads(path.read_text())["identity"] == {"encoder": "colours"}


def test_the_package_extracts_by_the_encoders_name(album, settings):
    report = PROVIDER.extract("tiny", album.open(), ["train"], settings)
    assert (report.encoder, report.frames) == ("tiny", 28)
    assert stems(settings) == set(FRAMES)


def test_provider_leaves_unknown_encoders_to_others(album, settings):
    assert PROVIDER.extract("their-encoder", album.open(), ["train"], settings) is None
    assert digests(settings.cache) == {}


def test_a_timm_model_that_nobody_has_gets_a_guess(album, settings):
    with pytest.raises(UnknownNameError, match="Did you mean resnet18"):
        PROVIDER.extract("timm:resnet-18", album.open(), ["train"], settings)


def flip_a_bit(path: Path) -> None:
    """Flip the last bit as a disk does: size and time stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    for kept in (video_store._verified, video_store._logged):  # as in a new process
        kept.clear()


def test_a_video_whose_features_are_damaged_is_encoded_again(album, settings, caplog):
    extract(Colours(), album.open(), settings)
    whole = digests(settings.cache)
    array = next(settings.cache.rglob("b_left.embeddings.npy"))
    flip_a_bit(array)
    encoder = Colours()
    report = extract(encoder, album.open(), settings)
    assert encoder.asked == [5]
    assert (report.frames, report.reused) == (5, 23)
    assert digests(settings.cache) == whole
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{array}: damaged on the disk, so that features of b_left are made again; found another checksum than was "
        "written."
    )


def test_a_damaged_header_is_made_again_without_a_traceback(album, settings):
    extract(Colours(), album.open(), settings)
    whole = digests(settings.cache)
    array = next(settings.cache.rglob("a.embeddings.npy"))
    content = array.read_bytes()
    array.write_bytes(content[:10] + b"{'descr': (((" + content[23:])
    assert extract(Colours(), album.open(), settings).frames == 20
    assert digests(settings.cache) == whole


# Several at once


def claimed(settings: Settings, data: Dataset, *names: str) -> list[Claim]:
    """The videos, claimed as by another process."""
    cache = FeatureCache(settings.cache, Colours(), data)
    cache.make_room(0)
    found = [claim(cache.claim_path(video)) for video in data.videos("train") if video.name in names]
    assert None not in found
    return found


def test_a_video_that_another_process_is_at_is_left_for_last(album, settings, monkeypatch):
    data = album.open()
    (held,) = claimed(settings, data, "a")
    encoder = Colours()
    done: list[str] = []
    put = FeatureCache.put

    def watched(self, item, *rest):
        put(self, item, *rest)
        done.append(item.name)
        if len(done) == 2:
            held.release()

    monkeypatch.setattr(FeatureCache, "put", watched)
    extract(encoder, data, settings)
    assert done == ["b_left", "c", "a"]


def test_what_another_process_made_meanwhile_is_kept(album, settings, elsewhere, monkeypatch):
    data, other = album.open(), elsewhere()
    extract(Colours(), data, other)
    held = claimed(settings, data, "a", "b_left")

    def finish() -> None:
        """As the process that has the claims would."""
        shutil.copytree(other.cache, settings.cache, dirs_exist_ok=True, ignore=shutil.ignore_patterns("c.*"))
        for own in held:
            own.release()

    timer = threading.Timer(0.5, finish)
    timer.start()
    encoder = Colours()
    report = extract(encoder, data, settings)
    timer.join()
    assert encoder.asked == [3]
    assert (report.frames, report.reused) == (3, 25)
    assert digests(settings.cache) == digests(other.cache)


def test_what_a_killed_process_leaves_locks_nothing(album, settings):
    data = album.open()
    path = FeatureCache(settings.cache, Colours(), data).claim_path(data.videos("train")[0])
    path.parent.mkdir(parents=True)
    path.touch()
    assert extract(Colours(), data, settings).frames == 28
    assert not path.exists()


@pytest.mark.process
def test_workers_leave_what_another_command_is_at_for_last(album, settings, monkeypatch):
    data = album.open()
    monkeypatch.setattr(TinyEncoder, "parallel", "processes")
    cache = FeatureCache(settings.cache, TinyEncoder(), data)
    cache.make_room(0)
    held = claim(cache.claim_path(data.videos("train")[0]))
    timer = threading.Timer(2, held.release)
    timer.start()
    several = Settings(cache=settings.cache, device="cpu", workers=2)
    assert extract(TinyEncoder(), data, several).frames == 28
    timer.join()
    assert len(digests(settings.cache)) == ON_DISK


def test_two_threads_that_fill_one_cache_make_each_video_once(album, settings, elsewhere, repetitions):
    """Threads have locks of their own, as processes have; each opens the data set by itself."""
    alone = elsewhere()
    extract(Colours(), album.open(), alone)
    for _ in range(repetitions(5, 200)):
        encoders = [Colours(), Colours()]
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda encoder: extract(encoder, album.open(), settings), encoders))
        assert sum(sum(encoder.asked) for encoder in encoders) == 28
        assert sum(report.frames for report in reports) == 28
        assert digests(settings.cache) == digests(alone.cache)
        shutil.rmtree(settings.cache)
