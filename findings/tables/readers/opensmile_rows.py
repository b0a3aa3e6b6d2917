"""opensmile: rows and index of each set and level, by length."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import opensmile
from words import said

SETS = ("eGeMAPSv02", "ComParE_2016", "emobase")
LEVELS = ("LowLevelDescriptors", "LowLevelDescriptors_Deltas", "Functionals")
SECONDS = (0.05, 1.0, 10.0)


def levels() -> dict[str, dict[str, Any]]:
    """Return rows, first row's times and last row's times by set, level and seconds of noise at 16 kHz."""
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000 * 10).astype(np.float32)
    answers: dict[str, dict[str, Any]] = {}
    for name in SETS:
        for level in LEVELS:
            row = answers.setdefault(f"{name} {level}", {})
            for seconds in SECONDS:
                try:
                    smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel[level])
                    table = smile.process_signal(noise[: int(seconds * 16_000)], 16_000)
                except Exception as error:
                    row[f"{seconds:g}"] = said(error)
                    continue
                times = [[round(part.total_seconds(), 4) for part in table.index[k][-2:]] for k in (0, -1)]
                row[f"{seconds:g}"] = {
                    "rows": len(table),
                    "first": times[0],
                    "last": times[1],
                    "nan": int(table.isna().all(axis=1).sum()),
                }
    return answers


warnings.simplefilter("ignore")
Path(sys.argv[2]).write_text(
    json.dumps({"versions": {"opensmile": version("opensmile")}, "levels": levels()}), encoding="utf-8"
)
