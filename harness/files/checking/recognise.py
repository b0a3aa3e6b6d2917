"""Recognition of the format that a file is meant to be in, by its first lines, a template, or the task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import SubmissionError
from harness.files.checking.table import plain_text
from harness.files.editions import in_words
from harness.files.format import Format
from harness.files.formats import FORMATS, detect, is_of_task
from harness.files.report import Report
from harness.system.regular import open_file

_ENOUGH_BYTES = 4096


@dataclass(frozen=True)
class Meant:
    """Facts about a file that the user names.

    Attributes:
        task: short name of the task; ``None`` if unknown.
        edition: number of the competition's edition; ``None`` if unknown.
        template: file with the organisers' rows; ``None`` if unknown.
    """

    task: str | None = None
    edition: int | None = None
    template: Path | None = None

    def detect(self, data: bytes, *, per_video: bool) -> Format | None:
        """Return the format by the first line, or by the second for a format that has no header."""
        first, second = first_lines(data)
        format = self._by_line(first, per_video)
        if format is None and (below := self._by_line(second, per_video)):
            format = None if below.header else below
        return format

    def named(self, data: bytes) -> Format | None:
        """Return the format that was meant, by task and template, for a file whose lines fit none."""
        if self.task is None:
            return None
        candidates = [f for f in FORMATS.values() if is_of_task(f, self.task) and not f.per_video]
        candidates = [f for f in candidates if self.edition in f.editions] or candidates
        if self.template is not None and self.template.is_file():
            with open_file(self.template) as stream:
                like = self.detect(stream.read(_ENOUGH_BYTES), per_video=False)
            candidates = [f for f in candidates if like is None or f.row is like.row] or candidates
        first, second = first_lines(data)
        width = (second or first).rstrip(",").count(",")
        newest = sorted(candidates, key=lambda f: -f.editions[-1])
        return next((f for f in newest if len(f.columns) == width), newest[0] if newest else None)

    def refuse_edition(self, data: bytes, where: str) -> None:
        """Raise an error if a file's format belongs to other editions than the named one.

        Raises:
            SubmissionError: the format belongs to other editions; the message names them.
        """
        any_edition = replace(self, edition=None)
        format = any_edition.detect(data, per_video=False) or any_edition.detect(data, per_video=True)
        if self.edition is None or format is None:
            return
        raise SubmissionError(
            f"a file of {format.name}, which other editions had",
            where=where,
            found=f"--edition {self.edition}",
            expected=in_words(format.editions),
            do=f"Run the same command with: --edition {format.editions[-1]}",
        )

    def _by_line(self, line: str, per_video: bool) -> Format | None:
        return detect(line, per_video=per_video, task=self.task, edition=self.edition)


def first_lines(data: bytes) -> tuple[str, str]:
    """Return the first two lines that are not blank, with commas between their fields."""
    head, _, _ = data[:_ENOUGH_BYTES].rpartition(b"\n") if len(data) > _ENOUGH_BYTES else (data, b"", b"")
    lines = [line for line in plain_text(head or data[:_ENOUGH_BYTES], Report("", "")).splitlines() if line.strip()]
    return (*lines, "", "")[0], (*lines, "", "")[1]
