"""One environment per reader, made by ``venv`` and pip, or taken as it is where its pinned versions are there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PINS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("environments.toml").read_text(encoding="utf-8"))
LIBRARIES = "ffmpeg-libraries"
"""Folder of an environment that gives the FFmpeg of PyAV's wheel its usual names, by which torchcodec looks for it."""

_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


def prepared(name: str, folder: Path) -> Path:
    """Return the Python of an environment with the pinned versions; make the environment where it is missing.

    Raises:
        subprocess.CalledProcessError: pip can't install them.
    """
    python = folder / name / "bin" / "python"
    if not _has(python, PINS[name]):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / name)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", *PINS[name]]
        subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return python


def surroundings(python: Path) -> dict[str, str]:
    """Return the variables to run in: without this project, and with FFmpeg's libraries where PyAV brings some."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables |= {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    wheels = list(python.parent.parent.glob("lib/python3*/site-packages/av.libs"))
    if wheels:
        names = python.parent.parent / LIBRARIES
        names.mkdir(exist_ok=True)
        for library in wheels[0].glob("lib[as][vw]*.so.*"):
            link = names / re.sub(r"-[0-9a-f]+\.so\.(\d+).*", r".so.\1", library.name)
            if not link.is_symlink():
                link.symlink_to(library)
        variables["LD_LIBRARY_PATH"] = f"{names}:{wheels[0]}"
    return variables


def ffmpeg_of(python: Path) -> str:
    """Return the path of the ffmpeg that imageio-ffmpeg brings into an environment."""
    ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
    return subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _has(python: Path, pins: list[str]) -> bool:
    if not python.exists():
        return False
    pinned = dict(pin.split("==") for pin in pins)
    done = subprocess.run([str(python), "-c", _VERSIONS, *pinned], capture_output=True, text=True, check=False)
    return done.returncode == 0 and json.loads(done.stdout) == pinned
