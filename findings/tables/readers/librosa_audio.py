"""soundfile and librosa; lengths of the resamplers of librosa, soxr and SciPy."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from math import gcd
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import scipy.signal
import soundfile
import soxr
from samples import measure_all

TARGET = 16_000


def soundfile_samples(path: str) -> tuple[Any, int]:
    """Return what ``soundfile.read`` gives."""
    return soundfile.read(path)


def librosa_samples(path: str) -> tuple[Any, int]:
    """Return what ``librosa.load`` gives at the file's own rate."""
    return librosa.load(path, sr=None)


def resampled_lengths() -> dict[str, dict[str, int]]:
    """Return the number of samples at 16 kHz by resampler."""
    lengths = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    answers: dict[str, dict[str, int]] = {}
    for n, rate in lengths:
        silence, divisor = np.zeros(n, np.float32), gcd(rate, TARGET)
        for name, resampled in (
            (f"librosa {version('librosa')} (soxr_hq)", librosa.resample(silence, orig_sr=rate, target_sr=TARGET)),
            (f"soxr {version('soxr')}", soxr.resample(silence, rate, TARGET)),
            (
                f"SciPy {version('scipy')} resample_poly",
                scipy.signal.resample_poly(silence, TARGET // divisor, rate // divisor),
            ),
        ):
            answers.setdefault(name, {})[f"{n} at {rate}"] = len(resampled)
    return answers


warnings.simplefilter("ignore")
measure_all(
    {f"soundfile {version('soundfile')}": soundfile_samples, f"librosa {version('librosa')}": librosa_samples},
    ["soundfile", "librosa", "soxr", "scipy"],
    resampled=resampled_lengths(),
)
