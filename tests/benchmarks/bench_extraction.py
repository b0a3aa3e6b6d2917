"""Features of crops: decoded, encoded and stored, beside a loop over files; and again, when they are there."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.datasets.synthetic import write_affwild2
from harness.settings import load_settings
from harness.system.images import read_rgb
from harness.tasks import EXPR
from solutions.cache import video_store
from solutions.cache.features_file import FeatureCache
from solutions.cache.images import extract_features
from solutions.encoders.encoder import Part
from solutions.encoders.registry import make_encoder
from solutions.weights.store import import_weights


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> list[Path]:
    """Drawn crops of six people."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, videos={"val": 6}, frames=100)
    return [path for video in open_dataset(root, EXPR).videos("val") for path in video.images.paths()]


@pytest.fixture
def filmed(tmp_path, crops):
    """Makes a data set of so many videos with so many frames each, out of links to the drawn crops."""

    def film(videos: int, frames: int) -> Dataset:
        root = tmp_path / f"{videos}x{frames}"
        for k in range(videos):
            (root / str(k)).mkdir(parents=True)
            for frame in range(frames):
                os.link(crops[(k * frames + frame) % len(crops)], root / str(k) / f"{frame + 1:05d}.jpg")
        return Dataset(
            root.name, root, EXPR, {"val": [Video(str(k), frames, None, root / str(k)) for k in range(videos)]}
        )

    return film


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def loop(encoder, data, out):
    """As a script has it: each file read, encoded, and the features of a video saved."""
    cv2.setNumThreads(os.cpu_count() or 1)  # OpenCV's own choice; ours takes one thread a call
    found = {}
    for video in data.videos("val"):
        paths = sorted(video.image_folder.glob("*.jpg"))
        rows = [encoder.encode([encoder.prepare(read(path))])[0] for path in paths]
        found[video.name] = np.stack(rows).astype(encoder.parts[0].dtype)
        np.save(out / f"{video.name}.npy", found[video.name])
    return found


def extract(encoder, data, settings):
    cv2.setNumThreads(1)
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        cache, _ = extract_features(encoder, data, ["val"], settings)
    return {video.name: cache.get(video) for video in data.videos("val")}


def extract_anew(encoder, data, settings):
    shutil.rmtree(settings.cache, ignore_errors=True)
    data = dataclasses.replace(data, splits={"val": [dataclasses.replace(video) for video in data.videos("val")]})
    return extract(encoder, data, settings)


def same_features(theirs, ours):
    assert theirs.keys() == ours.keys()
    for name, features in ours.items():
        found = theirs[name][~np.isnan(theirs[name]).any(1)]
        assert np.array_equal(features.values, found)
        assert len(features.values) > 0.9 * len(theirs[name])


def settings_in(folder):
    return dataclasses.replace(load_settings(), cache=folder / "cache", workers=os.cpu_count() or 1)


def test_tiny(beside, filmed, tmp_path):
    data, settings = filmed(4, 500), settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)
    beside(
        "extraction, tiny, decoded ahead; ours hashes its sources",
        "2,000 crops, 4 videos",
        "a loop: cv2.imread, encode, np.save a video",
        theirs=lambda: loop(encoder, data, tmp_path),
        ours=lambda: extract_anew(encoder, data, settings),
        same=same_features,
    )  # fmt: skip


def test_growth(grows, filmed, tmp_path):
    settings = settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)
    films = {n: filmed(1, n) for n in (1_000, 2_000, 4_000)}
    work = {n: lambda data=data: extract_anew(encoder, data, settings) for n, data in films.items()}
    grows("extraction, tiny, of one video", "crops", work, repeats=2)


class Wide:
    """As much of an encoder as the cache asks for, as wide as EfficientNet-B0's."""

    name = "wide"
    parts = (Part("embeddings", 1280, np.dtype(np.float16)),)

    def identity(self):
        return {"encoder": self.name}


def test_reading_with_checksums(beside, filmed, tmp_path):
    """A process verifies each file once; later reads are the unverified ones."""
    data = filmed(20, 2_000)
    cache, videos = FeatureCache(tmp_path / "cache", Wide(), data), data.videos("val")
    for video in videos:
        rows = np.random.default_rng(0).normal(size=(2_000, 1280)).astype(np.float32)
        cache.put(video, video.images.frames, rows, "0" * 64)

    def theirs():
        arrays = (np.load(cache.files(video)["embeddings"], mmap_mode="r") for video in videos)
        return [float(np.array(values)[-1, -1]) for values in arrays]

    def ours(verified):
        if not verified:
            video_store._verified.clear()
        return [float(np.array(cache.get(video).values)[-1, -1]) for video in videos]

    def same(theirs, ours):
        assert theirs == ours

    for what, verified in (("first read, checksums verified", False), ("later reads", True)):
        beside(
            f"features from the cache into memory, {what}",
            "100 MB, 20 videos",
            "np.load of each array, nothing verified, no manifest",
            theirs=theirs, ours=lambda verified=verified: ours(verified), same=same,
        )  # fmt: skip


def test_again(beside, filmed, tmp_path):
    data, settings = filmed(4, 500), settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)

    def reopened():
        videos = [dataclasses.replace(video) for video in data.videos("val")]  # the crops are listed again, too
        return extract(encoder, dataclasses.replace(data, splits={"val": videos}), settings)

    def same(first, again):
        assert all(np.array_equal(first[name].values, again[name].values) for name in first)

    beside(
        "extraction, tiny, the same command again",
        "2,000 crops, 4 videos",
        "all encoded anew (ours, the first time)",
        theirs=lambda: extract_anew(encoder, data, settings),
        ours=reopened, same=same, repeats=3,
    )  # fmt: skip


def test_landmarks(beside, filmed, tmp_path, mediapipe):
    data, settings = filmed(4, 250), settings_in(tmp_path)
    encoder = make_encoder("landmarks", settings)
    beside(
        "extraction, landmarks, a process a core; ours with their start",
        "1,000 crops, 4 videos",
        "a loop: cv2.imread, encode, np.save a video",
        theirs=lambda: loop(encoder, data, tmp_path),
        ours=lambda: extract_anew(encoder, data, settings),
        same=same_features, repeats=2,
    )  # fmt: skip


NETWORK = "enet_b0_8_best_vgaf"
ENGINES = Path(__file__).with_name("emotiefflib_engines.py")
N_CROPS = int(os.environ.get("ABAW_BENCH_N_CROPS", 960)) // 6 * 6


@pytest.fixture(scope="module")
def faces(tmp_path_factory, crops) -> Dataset:
    """Crops in six videos: those below ``ABAW_BENCH_CROPS``, spread over all of them, else drawn ones."""
    if folder := os.environ.get("ABAW_BENCH_CROPS"):
        crops = sorted(Path(folder).resolve().rglob("*.jpg"))
    chosen = [crops[k * len(crops) // N_CROPS] for k in range(N_CROPS)]
    root = tmp_path_factory.mktemp("faces")
    for k, path in enumerate(chosen):
        crop = root / str(k % 6) / f"{k // 6 + 1:05d}.jpg"
        crop.parent.mkdir(exist_ok=True)
        crop.symlink_to(path)
    videos = [Video(str(k), N_CROPS // 6, None, root / str(k)) for k in range(6)]
    return Dataset("faces", root, EXPR, {"val": videos})


def paths_of(data):
    return [path for video in data.videos("val") for path in video.images.paths()]


class Engines:
    """emotiefflib's engines, each in a process of its own environment, with the same seeded weights."""

    def __init__(self, python: str, home: Path, data: Dataset) -> None:
        self.home, self.command = home, [python, str(ENGINES)]
        self.listed = home / "crops.txt"
        self.listed.write_text("\n".join(map(str, paths_of(data))))
        self.environment = {**os.environ, "HOME": str(home)}
        subprocess.run([*self.command, "make", NETWORK, self.listed], env=self.environment, check=True)
        self.running = {}

    @property
    def weights(self) -> Path:
        return self.home / ".emotiefflib" / f"{NETWORK}.pt"

    def start(self, engine: str) -> None:
        """And once over all crops: the first time is slower."""
        if engine not in self.running:
            self.running[engine] = subprocess.Popen(
                [*self.command, "serve", NETWORK, engine, self.listed],
                env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            self.run(engine)

    def run(self, engine: str) -> np.ndarray:
        """Features of all crops, one a call."""
        process = self.running[engine]
        process.stdin.write("\n")
        process.stdin.flush()
        return np.load(process.stdout.readline().strip())

    def close(self) -> None:
        for process in self.running.values():
            process.communicate()


@pytest.fixture(scope="module")
def engines(tmp_path_factory, faces):
    """Skips unless ``ABAW_BENCH_EMOTIEFFLIB`` names the Python of an environment that has emotiefflib and timm 0.9."""
    python = os.environ.get("ABAW_BENCH_EMOTIEFFLIB")
    if not python:
        pytest.skip("ABAW_BENCH_EMOTIEFFLIB does not name the Python of an environment with emotiefflib")
    made = Engines(python, tmp_path_factory.mktemp("engines"), faces)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory, engines):
    """Makes our encoder of the same weights, read out of the package's own file."""
    made = {}

    def make(backend, precision="float32"):
        if backend == "openvino":
            pytest.importorskip("openvino", reason="the extra 'openvino' is not installed")
        if (backend, precision) not in made:
            cache = tmp_path_factory.mktemp("ours")
            settings = dataclasses.replace(settings_in(cache), device="cpu", backend=backend, precision=precision)
            import_weights(NETWORK, engines.weights, settings, replace=True)
            made[backend, precision] = (make_encoder(NETWORK, settings), settings)
        return made[backend, precision]

    return make


def extracted(encoder, data, settings):
    """Embeddings of all crops, in the engines' order."""
    shutil.rmtree(settings.cache / "features", ignore_errors=True)
    found = extract(encoder, data, settings)
    return np.concatenate([found[video.name].values for video in data.videos("val")])


def cosines(one, other):
    one, other = one.astype(np.float64), other.astype(np.float64)
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize(
    ("backend", "precision", "engine"),
    [
        ("torch", "float32", "torch"),
        ("openvino", "float32", "torch"),
        ("openvino", "float32", "onnx"),
        ("openvino", "bfloat16", "torch"),
        ("openvino", "bfloat16", "onnx"),
        ("torch", "bfloat16", "torch"),
    ],
)
def test_emotiefflib(beside, faces, engines, ours, backend, precision, engine):
    encoder, settings = ours(backend, precision)
    engines.start(engine)
    # the ONNX engine resizes with OpenCV and not with Pillow, so that its features are those of slightly other pictures
    least = 0.9 if engine == "onnx" or precision == "bfloat16" else 0.9999

    def same(theirs, found):
        assert cosines(theirs, found).min() > least

    beside(
        f"extraction, EfficientNet-B0, {backend}, {precision}",
        f"{N_CROPS} crops",
        f"emotiefflib's {engine} engine, a crop a call, features not saved",
        theirs=lambda: engines.run(engine),
        ours=lambda: extracted(encoder, faces, settings),
        same=same, repeats=5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "precision"), [("torch", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")]
)
def test_overlap(beside, faces, ours, backend, precision):
    """Where both use all cores, a pipeline can at best take the time of decoding alone and of encoding alone."""
    encoder, settings = ours(backend, precision)
    paths = paths_of(faces)
    batches = range(0, len(paths), encoder.batch_size)

    def decode(at):
        return [encoder.prepare(read_rgb(path)) for path in paths[at : at + encoder.batch_size]]

    def apart():
        with ThreadPoolExecutor(settings.workers, initializer=lambda: torch.set_num_threads(1)) as pool:
            decoded = list(pool.map(decode, batches))
            return np.concatenate(list(pool.map(encoder.encode, decoded)))[:, : encoder.parts[0].dim]

    def same(apart, found):
        assert cosines(apart, found).min() > 0.9999

    beside(
        f"extraction, EfficientNet-B0, {backend}, {precision}: share of the best that overlap can give",
        f"{N_CROPS} crops",
        "decoding alone, then encoding alone, each on all cores; nothing hashed or stored",
        theirs=apart,
        ours=lambda: extracted(encoder, faces, settings),
        same=same, repeats=5,
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_bfloat16_changes_this_much(faces, ours, backend):
    exact, rounded = (
        extracted(encoder, faces, settings).astype(np.float64)
        for encoder, settings in (ours(backend, precision) for precision in ("float32", "bfloat16"))
    )
    rng = np.random.default_rng(0)
    scaled = [(rows - exact.mean(0)) / (exact.std(0) + 1e-6) for rows in (exact, rounded)]
    hidden, last = rng.normal(size=(exact.shape[1], 128)) / exact.shape[1] ** 0.5, rng.normal(size=(128, 8))
    scores = [np.maximum(rows @ hidden, 0) @ last for rows in scaled]
    changed = (scores[0].argmax(1) != scores[1].argmax(1)).mean()
    near = cosines(exact, rounded)
    relative = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    print(
        f"\nbfloat16 by {backend}, {N_CROPS} crops, random weights: cosine {near.mean():.5f} in the mean, "
        f"{near.min():.5f} at least; relative difference {np.median(relative):.4f} in the median, "
        f"{relative.max():.4f} at most; {changed:.2%} of a random head's decisions change ",
        end="",
    )
    assert near.mean() > 0.99
