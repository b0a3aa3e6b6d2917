"""What a team would write to score a file: parse, join, metric. No check, no interval, nothing stored."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

COLUMNS = {"EXPR": 1, "VA": 2, "AU": 12}


def main(task: str, file: str, folder: str) -> float:
    """The official score of ``file`` against the label files in ``folder``."""
    width = COLUMNS[task]
    given = pd.read_csv(file, header=None, skiprows=1, names=["location", *(f"p{k}" for k in range(width))])
    parts = []
    for path in sorted(Path(folder).glob("*.txt")):
        truth = pd.read_csv(path, header=None, skiprows=1, names=[f"t{k}" for k in range(width)])
        truth["location"] = [f"{path.stem}/{k:05d}.jpg" for k in range(1, len(truth) + 1)]
        parts.append(truth)
    joined = given.merge(pd.concat(parts), on="location")
    joined = joined[joined["t0"] != (-5 if task == "VA" else -1)]
    if task == "EXPR":
        return float(f1_score(joined["t0"], joined["p0"], average="macro", labels=range(8), zero_division=0))
    if task == "AU":
        return float(np.mean([f1_score(joined[f"t{k}"], joined[f"p{k}"]) for k in range(width)]))
    return float(np.mean([_ccc(joined[f"t{k}"].to_numpy(), joined[f"p{k}"].to_numpy()) for k in range(width)]))


def _ccc(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
