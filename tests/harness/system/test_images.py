"""The one door to OpenCV: what a bad picture, or a bad installation, says."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness.errors import DataError
from harness.system.images import HEADLESS_REMEDY, opencv, read_rgb
from tests.support.places import REPOSITORY

LIBRARIES = ("libGL.so.1", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libX11.so.6", "libxcb.so.1")


def picture(form: str) -> bytes:
    """A smooth picture of 40 × 30 pixels with some noise, encoded."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:30, :40]
    pixels = np.stack([rows * 5, columns * 4, 255 - rows * 3], axis=-1) + rng.integers(-10, 10, (30, 40, 3))
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_pixels_are_those_that_pillow_reads(tmp_path, form):
    path = tmp_path / "00001.jpg"
    path.write_bytes(picture(form))
    image = read_rgb(path)
    assert image.shape == (30, 40, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.asarray(Image.open(path).convert("RGB")))


def test_a_grey_picture_becomes_three_channels(tmp_path):
    path = tmp_path / "00001.jpg"
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(path)
    assert read_rgb(path).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "found 0 bytes, beginning nothing"),
        (b"not a picture", "found 13 bytes, beginning 6e 6f 74 20 61 20 70 69"),
        (b"\xff\xd8\xff\xe0", "found 4 bytes, beginning ff d8 ff e0"),
        (picture("JPEG")[:100], "found 100 bytes, beginning ff d8 ff e0 00 10 4a 46"),
        (picture("JPEG")[:-20], "found 774 bytes, beginning ff d8 ff e0 00 10 4a 46"),
    ],
    ids=["empty", "text", "start of a JPEG", "JPEG without pixels", "JPEG without its end"],
)
def test_what_is_no_picture_is_named_with_what_to_do(tmp_path, data, found):
    path = tmp_path / "00001.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_rgb(path)
    assert str(caught.value).startswith(f"{path}: not a readable image; {found}, expected a JPEG or PNG file. ")
    assert "its frame then counts as one without a crop" in str(caught.value)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(DataError, match=r"00001\.jpg: can't read the crop; found No such file or directory"):
        read_rgb(tmp_path / "00001.jpg")


def test_opencv_uses_one_thread_a_call():
    assert opencv().getNumThreads() == 1


def test_opencv_without_system_library_names_the_remedy(abaw, tmp_path):
    (tmp_path / "path/cv2").mkdir(parents=True)
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "path/cv2/__init__.py").write_text(f"raise ImportError({reason!r})")
    result = abaw(
        "data", "synth", tmp_path / "drawn", PYTHONPATH=os.pathsep.join([str(tmp_path / "path"), str(REPOSITORY)])
    )
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("abaw: ")]
    assert errors == [f"abaw: OpenCV can't be imported; found {reason}. {HEADLESS_REMEDY}."]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "drawn").exists()


@pytest.mark.process
def test_our_opencv_needs_no_window_system(tmp_path):
    if not any(line.split() == ["GUI:", "NONE"] for line in opencv().getBuildInformation().splitlines()):
        pytest.skip("the OpenCV that is installed here is the one with a window system")
    for name in LIBRARIES:
        (tmp_path / name).write_bytes(b"")
    result = subprocess.run(
        [sys.executable, "-c", "import cv2"],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
