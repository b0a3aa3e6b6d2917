"""What became of each thing that was handed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.records.failure import Failure
from harness.records.run import RunRecord

NEW, REPLACED, HERE, REFUSED, PASSED_OVER = "new", "replaced", "here", "refused", "passed over"


@dataclass(frozen=True)
class Outcome:
    """What became of a run, of a note of a failed run, or of a source as a whole.

    Attributes:
        where: it lies in what was handed over.
        state: ``new``; ``replaced``, what was here before; ``here`` already, with the same result; ``refused``;
            ``passed over``, what is no run.
        problems: why it was refused.
        left_out: files that were not taken.
        run: record, and its folder here; ``None`` where it was refused.
        failure: the note, and its file here.
    """

    where: str
    state: str
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    run: tuple[RunRecord, Path] | None = field(default=None, repr=False)
    failure: tuple[Failure, Path] | None = field(default=None, repr=False)
