"""Optical flow: pictures of it as the paper's and of fixed scale, kept one file a video; statistics of it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import UnreadablePictures
from harness.errors import DataError, UnknownNameError, UsageError
from harness.settings import Settings
from harness.system.atomic import PARTIAL
from harness.system.images import opencv
from harness.tasks import VD
from solutions.cache.features import FeatureSource
from solutions.cache.images import extract_features, extract_pictures
from solutions.encoders.encoder import Part
from solutions.encoders.flow import statistics as flow_statistics
from solutions.encoders.flow.encoder import FARNEBACK, LIMIT, CodeFlow, FixedFlow, PaperFlow, farneback
from solutions.encoders.flow.statistics import BLOCKS, DIM, FlowStatisticsEncoder
from solutions.encoders.registry import is_encoder, make_encoder
from solutions.provider import PROVIDER
from tests.support.digests import digests
from tests.support.moving_squares import moving_square, write_film, write_frames

KINDS = {"flow": PaperFlow, "flow-code": CodeFlow, "flow-fixed": FixedFlow}


def opened(root: Path) -> Dataset:
    videos = [Video(name, n, image_folder=root / name, noun="picture") for name, n in (("a", 6), ("b", 3))]
    return Dataset("filmed", root, VD, {"train": [*videos, Video("c", 3, film=root / "c.mp4", noun="picture")]})


@pytest.fixture(scope="module")
def filmed_once(tmp_path_factory) -> Dataset:
    """Write two folders of frames and a film, shared: read them, don't change them."""
    root = tmp_path_factory.mktemp("filmed") / "data"
    write_frames(root / "a", moving_square(6))
    write_frames(root / "b", moving_square(3, step=(0, 2)))
    write_film(root / "c.mp4", moving_square(3))
    return opened(root)


@pytest.fixture(scope="module")
def settings_once(tmp_path_factory) -> Settings:
    """Return settings with a cache for what is made of them, shared: fill it, and nothing else."""
    return Settings(cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=1)


@pytest.fixture
def filmed(filmed_once, tmp_path) -> Dataset:
    """Return a copy of the frames and the film that a test may spoil."""
    return opened(Path(shutil.copytree(filmed_once.root, tmp_path / "data")))


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


def images_of(kind: str, data: Dataset, settings: Settings) -> dict[str, list[np.ndarray]]:
    cache, _ = extract_pictures(kind, data, ["train"], settings)
    found = {}
    for video in data.videos("train"):
        pictures = cache.open(video)
        with pictures.reader() as reader:
            found[video.name] = [picture.image for picture in reader.read(range(len(pictures)))]
    return found


def reopened(data: Dataset) -> Dataset:
    return dataclasses.replace(data, splits={"train": [dataclasses.replace(v) for v in data.videos("train")]})


def straight(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Flow as a script has it: OpenCV on grey 224 x 224."""
    cv2 = opencv()
    small = [cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), (224, 224)) for p in pictures]
    return [cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0) for a, b in zip(small, small[1:])]  # noqa: B905, RUF007


def test_the_authors_parameters():
    authors = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2}
    assert {**authors, "flags": 0} == FARNEBACK


def test_paper_flow_is_stretched_per_frame_first_is_black(filmed_once, settings_once):
    images = images_of("flow", filmed_once, settings_once)["a"]
    assert [image.shape for image in images] == [(224, 224, 3)] * 6
    assert not images[0].any()
    for image, flow in zip(images[1:], straight(moving_square(6)), strict=True):
        dx, dy = flow[..., 0], flow[..., 1]
        for channel, values in enumerate((np.hypot(dx, dy), dy, dx)):
            expected = (values - values.min()) / (values.max() - values.min()) * 255
            assert np.abs(image[..., channel] - expected).mean() < 6  # JPEG
            assert np.corrcoef(image[..., channel].ravel(), expected.ravel())[0, 1] > 0.9


def test_the_papers_pictures_are_jpeg_of_default_quality(filmed_once, settings_once):
    cache, _ = extract_pictures("flow", filmed_once, ["train"], settings_once)
    pictures = cache.open(filmed_once.videos("train")[0])
    raw = pictures.path.read_bytes()[pictures.ends[0] : pictures.ends[1]]
    assert raw[:3] == b"\xff\xd8\xff"
    with pictures.reader() as reader:
        image = reader.read([1])[0].image
    again = opencv().imencode(".jpg", opencv().cvtColor(image, opencv().COLOR_RGB2BGR))[1]
    tables = [content[content.index(b"\xff\xdb") : content.index(b"\xff\xc0")] for content in (raw, again.tobytes())]
    assert tables[0] == tables[1]


def test_fixed_pictures_hold_displacements_without_loss(filmed_once, settings_once):
    images = images_of("flow-fixed", filmed_once, settings_once)["a"]
    assert (images[0] == [0, 128, 128]).all()
    for image, flow in zip(images[1:], straight(moving_square(6)), strict=True):
        cut = np.clip(flow, -LIMIT, LIMIT)
        undone = (image[..., 2:0:-1].astype(float) - 128) * LIMIT / 127
        np.testing.assert_allclose(undone, cut, atol=LIMIT / 127 / 2 + 1e-4)
        speed = np.clip(np.hypot(flow[..., 0], flow[..., 1]), 0, LIMIT)
        np.testing.assert_allclose(image[..., 0] * LIMIT / 255, speed, atol=LIMIT / 255 / 2 + 1e-4)


def test_mirrored_frames_give_mirrored_image_with_reversed_dx():
    frames = [FixedFlow().prepare(picture) for picture in moving_square(2)]
    cv2 = opencv()
    there, mirrored = (
        cv2.cvtColor(cv2.imdecode(np.frombuffer(FixedFlow().encode(pair)[1], np.uint8), 1), cv2.COLOR_BGR2RGB)
        for pair in (frames, [np.ascontiguousarray(frame[:, ::-1]) for frame in frames])
    )
    turned = there[:, ::-1].astype(int)
    turned[..., 2] = 256 - turned[..., 2]
    assert np.abs(turned - mirrored).mean() < 0.5


def assert_same_pictures(kind: str, data: Dataset, one: Settings, other: Settings) -> None:
    folders = [extract_pictures(kind, reopened(data), ["train"], own)[0].folder for own in (one, other)]
    assert folders[0].relative_to(one.cache) == folders[1].relative_to(other.cache)
    whole = digests(folders[0])
    assert len(whole) == 6  # a file and a manifest a video
    assert digests(folders[1]) == whole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_pictures_do_not_depend_on_where_batches_are_cut(
    filmed_once, settings_once, settings, monkeypatch, kind, batch_size
):
    extract_pictures(kind, filmed_once, ["train"], settings_once)
    monkeypatch.setattr(KINDS[kind], "batch_size", batch_size)
    assert_same_pictures(kind, filmed_once, settings_once, settings)


@pytest.mark.process
@pytest.mark.parametrize("kind", KINDS)
def test_processes_make_the_same_pictures(filmed_once, settings_once, settings, kind):
    assert_same_pictures(kind, filmed_once, settings_once, dataclasses.replace(settings, workers=2))


def test_any_picture_can_be_read_at_any_time_by_many_threads(filmed_once, settings_once):
    expected = images_of("flow-fixed", filmed_once, settings_once)["a"]
    pictures = FeatureSource(settings_once).images("flow-fixed", filmed_once, "train")(filmed_once.videos("train")[0])
    assert (pictures.random_access, pictures.noun, len(pictures)) == (True, "image", 6)
    assert pictures.frames.tolist() == list(range(1, 7))
    assert pictures.sizes.sum() == pictures.path.stat().st_size
    order = np.random.default_rng(0).integers(0, 6, 40).tolist()
    with pictures.reader() as reader, ThreadPoolExecutor(8) as pool:
        for index, (picture,) in zip(order, pool.map(lambda k: reader.read([k]), order), strict=True):
            assert picture.frame == index + 1
            np.testing.assert_array_equal(picture.image, expected[index])


def test_only_what_changed_is_made_again(filmed, settings):
    first = extract_pictures("flow", filmed, ["train"], settings)[1]
    again = extract_pictures("flow", reopened(filmed), ["train"], settings)[1]
    assert (first.videos, first.frames, again.frames, again.reused) == (3, 12, 0, 12)
    path = filmed.videos("train")[1].image_folder / "00002.png"
    path.write_bytes((path.parent / "00003.png").read_bytes())
    assert extract_pictures("flow", reopened(filmed), ["train"], settings)[1].frames == 3
    for path in filmed.root.rglob("*.png"):
        os.utime(path, (0, 0))
    assert extract_pictures("flow", reopened(filmed), ["train"], settings)[1].frames == 0


@pytest.mark.parametrize("lost", ["manifest", "bytes", "images", "bit"])
def test_pictures_that_are_not_whole_are_made_again(filmed, settings, lost):
    extract_pictures("flow", filmed, ["train"], settings)
    whole = digests(settings.cache)
    images, manifest = (next(settings.cache.rglob(f"b.{end}")) for end in ("images", "json"))
    match lost:
        case "manifest":
            manifest.unlink()
        case "bytes":
            images.write_bytes(images.read_bytes()[:-1])
        case "images":
            images.unlink()
        case "bit":
            content = bytearray(images.read_bytes())
            content[len(content) // 2] ^= 1
            images.write_bytes(content)
    assert extract_pictures("flow", reopened(filmed), ["train"], settings)[1].frames == 3
    assert digests(settings.cache) == whole


def test_a_video_with_an_unreadable_frame_leaves_nothing(filmed, settings):
    (filmed.videos("train")[0].image_folder / "00005.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"1 picture of 1 video can't be read; pictures of the other 2 videos are kept"):
        extract_pictures("flow", filmed, ["train"], settings)
    names = {path.name for path in settings.cache.rglob("*") if path.is_file()}
    assert names == {"b.images", "b.json", "c.images", "c.json"}
    assert not any(name.startswith(PARTIAL) for name in names)


def test_a_picture_that_rotted_is_named(filmed, settings):
    cache, _ = extract_pictures("flow", filmed, ["train"], settings)
    pictures = cache.open(filmed.videos("train")[0])
    raw = bytearray(pictures.path.read_bytes())
    raw[pictures.ends[2] : pictures.ends[3]] = bytes(pictures.sizes[3])
    pictures.path.write_bytes(raw)
    with pictures.reader() as reader:
        assert len(reader.read([0, 2, 4])) == 3
        with pytest.raises(UnreadablePictures) as caught:
            reader.read([2, 3, 4])
    assert len(caught.value.messages) == 1
    assert "frame 4" in caught.value.messages[0]


def test_a_video_without_frames_has_no_pictures(filmed_once, settings_once):
    videos = [Video("nothing", 7, noun="picture"), *filmed_once.videos("train")]
    data = dataclasses.replace(filmed_once, splits={"train": videos})
    assert images_of("flow", data, settings_once)["nothing"] == []
    assert extract_pictures("flow", data, ["train"], settings_once)[1].frames == 0


def test_where_no_video_has_a_frame_it_stops(tmp_path, settings):
    data = Dataset("empty", tmp_path, VD, {"train": [Video("nothing", 7, noun="picture")]})
    with pytest.raises(DataError, match=r"no train video has a picture; found 1 video such as nothing\."):
        extract_pictures("flow", data, ["train"], settings)


class MeanColour:
    """Mean of each channel of pictures of flow."""

    name = "mean-colour"
    parts = (Part("embeddings", 3, np.dtype(np.float32)),)
    parallel = "threads"
    batch_size = 4
    sees = "flow-fixed"

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image

    def encode(self, images: list[np.ndarray]) -> np.ndarray:
        return np.array([image.mean((0, 1)) for image in images], np.float32)


def test_an_encoder_may_see_flow_which_is_made_first(filmed, settings):
    cache, report = extract_features(MeanColour(), filmed, ["train"], settings)
    assert (report.frames, report.videos) == (12, 3)
    images = images_of("flow-fixed", filmed, settings)
    for video in filmed.videos("train"):
        features = cache.get(video)
        expected = [image.mean((0, 1)) for image in images[video.name]]
        np.testing.assert_allclose(features.values, expected, rtol=1e-6)
    for path in settings.cache.rglob("*.images"):
        path.unlink()  # features that are there need no pictures
    assert extract_features(MeanColour(), reopened(filmed), ["train"], settings)[1].frames == 0


def test_frames_can_be_had_by_the_same_call(filmed, settings):
    video = filmed.videos("train")[0]
    assert FeatureSource(settings).images("frames", filmed, "train")(video) is video.images


def test_flow_is_extracted_by_name_but_has_no_columns(filmed, settings):
    assert PROVIDER.extract("flow", filmed, ["train"], settings).frames == 12
    features = FeatureSource(settings).features("flow", filmed, "train")
    with pytest.raises(UsageError, match="images, not features"):
        features.of(filmed.videos("train")[0])


def test_names_of_streams_are_known():
    for name in ("pose", "pose:paper", "pose:clean", "flow", "flow-fixed", "flow-statistics", "flow:resnet18.tv_in1k"):
        assert is_encoder(name)
    assert not is_encoder("frames")
    assert not is_encoder("pose:other")
    with pytest.raises(UsageError, match="frames: needs a model's name"):
        is_encoder("frames:")
    with pytest.raises(UnknownNameError):
        make_encoder("pose:other", Settings())


# statistics


def columns(block: str) -> slice:
    at = 0
    for name, width in BLOCKS.items():
        if name == block:
            return slice(at, at + width)
        at += width
    raise KeyError(block)


def statistics(pictures: list[np.ndarray]) -> np.ndarray:
    encoder = FlowStatisticsEncoder()
    return encoder.encode([encoder.prepare(picture) for picture in pictures])


def test_statistics_are_finite_and_of_sensible_size():
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (60, 90, 3), dtype=np.uint8) for _ in range(3)]
    still = [np.full((50, 40, 3), 90, np.uint8)] * 3
    for pictures in (moving_square(5), noise, still, [np.zeros((1, 1, 3), np.uint8)] * 3, [noise[0], still[0]]):
        rows = statistics(pictures)
        assert (rows.shape, rows.dtype) == ((len(pictures), DIM), np.float32)
        assert np.isfinite(rows).all()
        assert np.abs(rows).max() < 20
    assert FlowStatisticsEncoder().encode([]).shape == (0, DIM)


def test_without_a_frame_before_nothing_moves():
    rows = statistics(moving_square(3))
    assert rows[:, columns("any")].ravel().tolist() == [0, 1, 1]
    assert not rows[0, : DIM - BLOCKS["picture"]].any()
    assert not rows[1, columns("change")].any()  # there is no flow before the first
    assert rows[2, columns("change")].any()


def test_what_moves_is_seen_where_it_moves():
    rows = statistics(moving_square(4, step=(4, 0)))
    still = statistics(moving_square(4, step=(0, 0)))
    assert rows[1:, columns("residual")].max() > 1
    assert still[1:, columns("residual")].max() < 0.1
    grid = rows[2, columns("grid")].reshape(4, 4)
    assert grid[:, :2].sum() > 3 * grid[:, 2:].sum()  # the square is on the left
    directions = rows[2, columns("directions")]
    np.testing.assert_allclose(directions[:8].sum(), 1, rtol=1e-4)
    assert directions[:8].argmax() == 0  # to the right


def test_the_cameras_motion_is_taken_away():
    cv2 = opencv()
    rng = np.random.default_rng(1)
    grey = cv2.GaussianBlur(rng.normal(size=(200, 260)), (0, 0), 4)
    ground = np.repeat(cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)[..., None], 3, axis=2)
    panned = [np.ascontiguousarray(ground[20:140, 4 * k : 4 * k + 160]) for k in range(4)]
    rows = statistics(panned)[2]
    assert rows[columns("flow")][0] > 1
    assert rows[columns("residual")][0] < 0.3 * rows[columns("flow")][0]
    assert rows[columns("camera")][0] > 1
    grown = [cv2.resize(ground[k : 120 - k, k : 160 - k], (160, 120)) for k in (0, 2, 4, 6)]
    assert statistics(grown)[2][columns("camera")][1] > 0.5  # it comes nearer


def test_neither_resolution_nor_colour_changes_statistics_much():
    cv2 = opencv()
    pictures = moving_square(4, step=(4, 1), size=(144, 192))
    large = [cv2.resize(picture, (576, 432), interpolation=cv2.INTER_CUBIC) for picture in pictures]
    rows, same = statistics(pictures), statistics(large)
    moving = slice(0, DIM - BLOCKS["picture"])
    assert np.abs(rows[2, moving] - same[2, moving]).mean() < 0.05


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_statistics_do_not_depend_on_where_batches_are_cut(
    filmed_once, settings_once, settings, monkeypatch, batch_size
):
    whole, _ = extract_features(FlowStatisticsEncoder(), filmed_once, ["train"], settings_once)
    monkeypatch.setattr(FlowStatisticsEncoder, "batch_size", batch_size)
    cut, _ = extract_features(FlowStatisticsEncoder(), filmed_once, ["train"], settings)
    for video in filmed_once.videos("train"):
        np.testing.assert_array_equal(cut.get(video).values, whole.get(video).values)


def test_a_frame_of_another_size_is_no_obstacle():
    small, large = moving_square(1)[0], moving_square(1, size=(100, 200))[0]
    assert np.isfinite(statistics([small, large, large])).all()
    assert farneback(np.zeros((10, 20), np.uint8), np.zeros((40, 30), np.uint8)).shape == (40, 30, 2)


def test_identities_are_plain_data_and_differ():
    identities = [maker().identity() for maker in (PaperFlow, FixedFlow, FlowStatisticsEncoder)]
    assert json.loads(json.dumps(identities)) == identities
    assert len({json.dumps(one, sort_keys=True) for one in identities}) == 3
    assert identities[2]["format"] == flow_statistics.FORMAT
