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


def slug(name: str) -> str:
    """Return a solution's or file's name as the beginning of a run's id: letters, digits, dashes and dots.

    The result begins with another character than a dot, which would hide the run's folder, and has 1 to 100 characters.
    """
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name.partition("/")[2] or name)
    return plain.strip("-.")[:_LONGEST_SLUG].rstrip("-.").lower() or "run"
