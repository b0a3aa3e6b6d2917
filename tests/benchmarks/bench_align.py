"""``abaw data align`` beside one plain decoding pass with OpenCV: read every frame of every file, and keep its count.

Files last 10 s: 250 frames of 320 x 240, H.264, and AAC at 48 kHz, in mp4. The plain pass opens one file after the
other and lets OpenCV decode on all cores. Ours has an empty cache folder, reads packets, headers and audio too, and
writes what it learns. 20 files by default; ``ABAW_BENCH_FILES=200`` for as many.
"""

from __future__ import annotations

import itertools
import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.alignment.align import align_data
from harness.datasets.audio import streams
from harness.datasets.video_files import counts
from harness.plugins.registry import audio_rows
from harness.system.images import opencv

FILES = int(os.environ.get("ABAW_BENCH_FILES", "20"))
FRAMES, RATE, SIZE, HZ = 250, 25, (320, 240), 48_000
SOURCES = 4


def write(path: Path, seed: int) -> None:
    """Write a file of moving blocks and noise."""
    import av

    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (SIZE[1] // 4, SIZE[0] // 4, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as container:
        images = container.add_stream("libx264", rate=RATE)
        images.width, images.height, images.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=HZ, layout="mono")
        for k in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(blocks, k, 1)), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(images.encode(frame))
        container.mux(images.encode())
        noise = (0.05 * rng.standard_normal((1, FRAMES // RATE * HZ))).astype(np.float32)
        for at in range(0, noise.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(noise[:, at : at + 1024].copy(), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = HZ, at, Fraction(1, HZ)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("av", reason="PyAV, which makes the files, is not installed")
    folder = tmp_path_factory.mktemp("videos")
    for k in range(SOURCES):
        write(folder / f"{k:03d}.mp4", k)
    for k in range(SOURCES, FILES):
        shutil.copy(folder / f"{k % SOURCES:03d}.mp4", folder / f"{k:03d}.mp4")
    return folder


def plain_pass(folder: Path) -> list[int]:
    """As a script has it: count the frames that come out."""
    cv2, found = opencv(), []
    for path in sorted(folder.iterdir()):
        capture = cv2.VideoCapture(str(path))
        n = 0
        while capture.read()[0]:
            n += 1
        capture.release()
        found.append(n)
    return found


def test_align_beside_a_plain_pass(folder, tmp_path, beside):
    encoders, caches = audio_rows(), (tmp_path / str(k) for k in itertools.count())

    def align() -> list[int]:
        counts._READINGS.memory.clear()
        streams._READINGS.memory.clear()
        return [video.frames for video in align_data(folder, encoders=encoders, cache=next(caches)).videos]

    def same(theirs: list[int], ours: list[int]) -> None:
        assert theirs == ours == [FRAMES] * FILES

    beside(
        "frames, times, audio and rows of each file",
        f"{FILES} files of 10 s",
        "one decoding pass with OpenCV",
        theirs=lambda: plain_pass(folder),
        ours=align,
        same=same,
        repeats=3,
    )
