"""MediaPipe in a user's own locale: Turkish has another capital i, German another decimal point."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import REAL, REPOSITORY

pytestmark = pytest.mark.process

LOCALES = ("tr_TR.UTF-8", "de_DE.UTF-8")

ENCODE = """
import hashlib, locale, sys
from pathlib import Path
if sys.argv[1] == "whole":  # as a program that embeds Python may do; by itself Python takes letters alone from it
    locale.setlocale(locale.LC_ALL, "")
import numpy as np
from harness.system.images import read_rgb
from solutions.encoders.images.landmarks import LandmarksEncoder
from solutions.encoders.pose.encoder import PoseEncoder
images = [read_rgb(Path(path)) for path in sys.argv[2:]]
images.append(np.random.default_rng(0).integers(0, 256, (120, 96, 3), dtype=np.uint8))
for make in (LandmarksEncoder, PoseEncoder):
    print(hashlib.sha256(make().encode(images).tobytes()).hexdigest())
print(locale.localeconv()["decimal_point"], locale.setlocale(locale.LC_CTYPE))
"""

THREADS = """
import ctypes, locale, threading
from solutions.encoders.mediapipe_wheel import plain_locale
locale.setlocale(locale.LC_ALL, "")
library = ctypes.CDLL(None)
library.strtod.restype = ctypes.c_double
half = lambda: (library.strtod(b"0,5", None), library.strtod(b"0.5", None))
elsewhere = []
with plain_locale():
    with plain_locale():
        pass
    inside = half()
    encoding = locale.getencoding()
    thread = threading.Thread(target=lambda: elsewhere.append(half()))
    thread.start()
    thread.join()
try:
    with plain_locale():
        raise RuntimeError
except RuntimeError:
    pass
print(inside, elsewhere[0], half(), encoding)
"""


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> Path:
    """A folder of these locales, made of the system's sources; skips where it has none."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed")
    for name in LOCALES:
        source, _, charmap = name.partition(".")
        done = subprocess.run(
            ["localedef", "-i", source, "-f", charmap, str(folder / name)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"{name} can't be made here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def run(code: str, *arguments: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, cwd=REPOSITORY, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def photographs() -> list[Path]:
    return sorted((REAL / "faces").rglob("*.jpg"))[:2]


@pytest.fixture(scope="module")
def in_english(mediapipe) -> list[str]:
    return run(ENCODE, "letters", *photographs(), LC_ALL="C.UTF-8").splitlines()[:2]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCALES)
@pytest.mark.parametrize("share", ["letters", "whole"])
def test_mediapipe_gives_the_same_bytes_in_any_locale(locales, in_english, name, share):
    *found, after = run(ENCODE, share, *photographs(), LC_ALL=name, LOCPATH=str(locales)).splitlines()
    assert found == in_english
    assert after == f"{',' if share == 'whole' else '.'} {name}"


@pytest.mark.parametrize("name", LOCALES)
def test_plain_locale_is_the_calling_threads_alone(locales, name):
    found = run(THREADS, LC_ALL=name, LOCPATH=str(locales)).strip()
    assert found == "(0.0, 0.5) (0.5, 0.0) (0.5, 0.0) UTF-8"
