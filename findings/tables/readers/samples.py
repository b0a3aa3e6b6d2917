"""The measurement that all readers of audio share: number of samples, and place of the click."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from words import said

Read = Callable[[str], tuple[Any, int]]
"""A path to samples, first or last axis for channels, and their rate."""


def measured(path: Path, reader: Read) -> dict[str, Any]:
    """Return the number of samples, their rate and the sample with the click's peak."""
    try:
        samples, rate = reader(str(path))
    except Exception as error:
        return {"error": said(error)}
    samples = np.squeeze(np.asarray(samples))
    return {"samples": len(samples), "rate": int(rate), "click": int(np.abs(samples).argmax())}


def measure_all(readers: dict[str, Read], packages: list[str], **more: Any) -> None:
    """Measure the clicks in the folder of the first argument, and write the second argument's JSON."""
    folder, answer = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(folder.glob("click*"))
    answers = {
        name: {"versions": {package: version(package) for package in packages},
               "files": {path.name: measured(path, reader) for path in files}}
        for name, reader in readers.items()
    }  # fmt: skip
    answer.write_text(json.dumps({"readers": answers, **more}), encoding="utf-8")
