"""Sizes of the real data sets in what encoders read: images, seconds of audio, texts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

from harness.datasets.identity import affwild2_frame_counts


@dataclass(frozen=True)
class DataSetSize:
    """One amount, with its source.

    Attributes:
        kind: ``image``, ``audio`` (seconds) or ``text``.
    """

    data_set: str
    kind: str
    amount: int
    source: str


def data_set_sizes() -> list[DataSetSize]:
    """Return the sizes of Aff-Wild2, DVD, Hume-Vidmimic2 and BAH, as far as they are known."""
    counts = affwild2_frame_counts()
    source = f"frames of {len(counts)} videos as OpenCV counts them, harness/reference/affwild2_frame_counts.csv"
    text = (resources.files("harness") / "reference" / "data_set_sizes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    others = [DataSetSize(row["data_set"], row["kind"], int(row["amount"]), row["source"]) for row in rows]
    return [DataSetSize("Aff-Wild2", "image", sum(counts.values()), source), *others]
