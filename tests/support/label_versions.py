"""A data set with two versions of its labels, and predictions scored on both, as ``abaw score`` records them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.files.score import score_submission
from harness.records.run import RunRecord
from harness.runs.external import record_scored
from harness.settings import Settings
from harness.tasks import EXPR
from tests.support.places import SHARED

CASE = SHARED / "cases" / "F09_two_versions_of_labels"
LABELS = Path("6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set")
FRAMES = 40


@dataclass(frozen=True)
class Versions:
    """What lies on disk.

    Attributes:
        predictions: file that is scored.
        labels: folder of the labels, by version: ``old``, ``new``.
        difference: how the board tells the older labels from the newer ones.
    """

    predictions: Path
    labels: dict[str, Path]
    difference: str

    def record(self, store: Path, version: str, name: str = "our-cnn") -> RunRecord:
        """Score the predictions on one version of the labels and record them."""
        settings = Settings(out=store.parent / "submissions", store=store)
        scored = score_submission(self.predictions, self.labels[version], task="EXPR")
        return record_scored(scored, self.predictions, self.labels[version], settings, name=name).record


def write_versions(folder: Path, name: str = "example") -> Versions:
    """Write two data sets of one name whose labels differ in three frames of ``vy``, and predictions of both videos."""
    labels, rows = {}, []
    for video in ("vx", "vy"):
        rows += [f"{video}/{frame + 1:05d}.jpg,{frame % 8}" for frame in range(FRAMES)]
    for version, changed in (("old", {}), ("new", {0: 3, 9: -1, 17: 5})):
        root = folder / f"root_{version}"
        labels[version] = root / LABELS
        labels[version].mkdir(parents=True)
        (root / "DATASET.toml").write_text(f'name = "{name}"\n')
        for video in ("vx", "vy"):
            own = [changed.get(frame, frame % 8) if video == "vy" else frame % 8 for frame in range(FRAMES)]
            (labels[version] / f"{video}.txt").write_text("\n".join([EXPR.header, *map(str, own), ""]))
    predictions = folder / "predictions.txt"
    predictions.write_text("\n".join([EXPR.submission_header, *rows, ""]))
    return Versions(predictions, labels, "other labels in 1 of 2 videos, vy")


def shared_case() -> Versions:
    """The case that a user handed in; skips where it is missing."""
    if not CASE.is_dir():
        pytest.skip(f"the case {CASE} is not here")
    labels = {version: CASE / f"root_{version}" / LABELS for version in ("old", "new")}
    return Versions(CASE / "pred.txt", labels, "the same number of each label in every video, but in other frames")


CASES: dict[str, Callable[[Path], Versions]] = {"made here": write_versions, "F09": lambda folder: shared_case()}
"""Where two versions come from, by name; each takes a folder that it may write to."""
