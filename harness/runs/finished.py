"""Runs that are complete on disk, and the names of their folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.run import RunRecord, submission_of

MODEL_FOLDER = "model"
_LONGEST_SLUG = 100


@dataclass(frozen=True)
class Finished:
    """A run that is complete on disk.

    Attributes:
        reused: it was there already; nothing was computed.
    """

    record: RunRecord
    folder: Path
    reused: bool

    @property
    def submission(self) -> Path:
        """The official file, or the folder of the files of all videos."""
        return submission_of(self.record.files, self.folder)

    def plain(self) -> dict[str, Any]:
        """Return plain data without the statistics by video."""
        return {**self.record.plain(), "folder": str(self.folder), "reused": self.reused}


def seconds_beside_encoding(total: float, frames: int, rate: float | None) -> float:
    """Return the seconds that a run took apart from its features, which are in the cache for the next one.

    Args:
        total: seconds of the run.
        frames: number of frames that it encoded.
        rate: encoded frames per second; ``None`` where none was encoded.
    """
    return max(0.0, total - (frames / rate if rate else 0.0))


def slug(name: str) -> str:
    """Return a solution's or file's name as the beginning of a run's id: letters, digits, dashes and dots.

    The result begins with another character than a dot, which would hide the run's folder, and has 1 to 100 characters.
    """
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name.partition("/")[2] or name)
    return plain.strip("-.")[:_LONGEST_SLUG].rstrip("-.").lower() or "run"
