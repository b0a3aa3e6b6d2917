"""The pose encoder: two people, one picture at a time, out of the models in mediapipe's wheel."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.errors import MissingDependencyError
from harness.settings import Settings
from harness.system.images import opencv, read_rgb
from harness.tasks import VD
from solutions.cache.features import FeatureSource
from solutions.encoders.pose import encoder as pose
from solutions.encoders.pose.encoder import DIM, PoseEncoder
from solutions.encoders.pose.features import CLEAN_DIM, PAPER_DIM, clean, paper
from tests.support.places import REAL, REPOSITORY

CLIPS = REAL / "fights"
N_CLIPS = 6

IN_A_FRESH_PROCESS = """
import hashlib, sys
from pathlib import Path
from harness.system.images import read_rgb
from solutions.encoders.pose.encoder import PoseEncoder, bundle
rows = PoseEncoder().encode([read_rgb(Path(p)) for p in sys.argv[1:]])
print(hashlib.sha256(rows.tobytes() + bundle()).hexdigest())
"""


@pytest.fixture(scope="module")
def encoder(mediapipe):
    return PoseEncoder()


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[Path]:
    """A frame out of the middle of several real clips."""
    if not CLIPS.is_dir():
        pytest.skip("the real clips (../shared/real) are not here")
    folder = tmp_path_factory.mktemp("frames")
    cv2 = opencv()
    for k, path in enumerate(sorted((CLIPS / "fight").glob("*.mp4"))[:N_CLIPS]):
        capture = cv2.VideoCapture(str(path))
        for _ in range(20):
            image = capture.read()[1]
        cv2.imwrite(str(folder / f"{k}.png"), image)
    return sorted(folder.iterdir())


def test_without_mediapipe_the_error_names_the_remedy(monkeypatch):
    pose.bundle.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(
        MissingDependencyError, match=r"the pose encoder needs MediaPipe(.|\n)*pip install -e .*\[mediapipe\]"
    ):
        PoseEncoder()


@pytest.mark.process
def test_what_is_cached_needs_no_mediapipe_in_memory(mediapipe):
    code = (
        "import sys; from solutions.encoders.pose.encoder import PoseEncoder; "
        "PoseEncoder().identity(); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert "mediapipe" not in done.stdout.split()


def test_bundle_is_reproducible_and_holds_both_models(mediapipe):
    content = pose.bundle()
    pose.bundle.cache_clear()
    assert pose.bundle() == content
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.namelist() == ["pose_detector.tflite", "pose_landmarks_detector.tflite"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_identity_is_plain_data_and_says_which_model_it_is(encoder):
    identity = encoder.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["landmarks"] == "full"
    assert [len(digest) for *_, digest in identity["models"]] == [64, 64]


def test_empty_frame_is_zero_except_for_the_aspect_ratio(encoder):
    rng = np.random.default_rng(0)
    sizes = ((60, 90), (120, 60), (2, 30), (1, 1))
    rows = encoder.encode([rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes])
    assert (rows.shape, rows.dtype) == ((4, DIM), np.float32)
    assert not rows[:, :-1].any()
    np.testing.assert_allclose(rows[:, -1], [1.5, 0.5, 15, 1])
    assert encoder.encode([]).shape == (0, DIM)


def test_poses_by_name_have_a_row_for_every_frame(encoder, tmp_path):
    folder = tmp_path / "data" / "a"
    folder.mkdir(parents=True)
    for frame in (1, 2, 5):
        opencv().imwrite(str(folder / f"{frame:05d}.png"), np.zeros((30, 60, 3), np.uint8))
    data = Dataset("data", folder.parent, VD, {"train": [Video("a", 7, image_folder=folder, noun="picture")]})
    source = FeatureSource(Settings(cache=tmp_path / "cache", workers=1))
    for name, dim in (("pose:paper", PAPER_DIM), ("pose:clean", CLEAN_DIM)):
        features = source.features(name, data, "train")
        own = features.of(data.videos("train")[0])
        assert own.frames.tolist() == list(range(1, 8))
        assert own.values.shape == (7, dim)
        assert features.identity["of"] == encoder.identity()
    assert source.features("pose", data, "train").of(data.videos("train")[0]).frames.tolist() == [1, 2, 5]
    assert source.identity("pose:paper") != source.identity("pose:clean")


@pytest.mark.real
def test_people_are_found_and_the_more_visible_comes_first(encoder, frames):
    rows = encoder.encode([read_rgb(path) for path in frames])
    here = rows[:, 264:266]
    assert here[:, 0].any()
    assert (here[:, 0] >= here[:, 1]).all()
    visible = rows[:, :264].reshape(-1, 2, 33, 4)[..., 3].mean(2)
    assert (visible[:, 0] >= visible[:, 1]).all()
    assert (visible[here > 0] > 0).all()
    assert paper(rows).shape == (len(rows), PAPER_DIM)
    assert np.isfinite(clean(rows)).all()


@pytest.mark.process
@pytest.mark.real
def test_a_row_depends_on_its_own_image_only_in_any_process(encoder, frames):
    images = [read_rgb(path) for path in frames]
    together = encoder.encode(images)
    np.testing.assert_array_equal(encoder.encode(images[::-1])[::-1], together)
    fresh = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS, *map(str, frames)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=120,
        check=True,
    )
    assert fresh.stdout.strip() == hashlib.sha256(together.tobytes() + pose.bundle()).hexdigest()
    assert fresh.stderr == ""


IN_A_WORKER = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np
encoder = None
def start():
    global encoder
    from solutions.encoders.pose.encoder import PoseEncoder
    encoder = PoseEncoder()
def work(_):
    return encoder.encode([np.zeros((64, 64, 3), np.uint8)]).shape
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start) as pool:
        print(*pool.map(work, [0]))
"""


@pytest.mark.process
def test_workers_end_without_a_word_on_stderr(mediapipe, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(IN_A_WORKER)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    call = [sys.executable, str(program)]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=300, check=True)
    assert done.stdout == f"(1, {DIM})\n"
    assert done.stderr == ""
