"""Report of a check: problems with their places, the full count of each kind, and the first few of it in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.system.counts import counted

if TYPE_CHECKING:
    import pandas as pd

SHOWN_PER_KIND = 5


@dataclass(frozen=True)
class Problem:
    """One problem of a file: its place, its kind, and a message with the text found and expected."""

    where: str
    line: int
    column: int
    code: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        """Return the problem in one line, with its place first."""
        place = f"{self.where}:{self.line}:{self.column}" if self.line else self.where
        return f"{place}: {self.severity} [{self.code}] {self.message}"


@dataclass
class Report:
    """Result of a check. It keeps at most :data:`SHOWN_PER_KIND` problems of a kind and counts all.

    Attributes:
        where: the checked file, folder or archive member.
        format: name of the format that the check used.
        problems: the problems kept.
        counts: number of problems by severity and code.
        rows: number of rows, without the header.
        videos: number of different videos or clips.
        assumed: assumptions of the check, in words.
        tables: number of tables side by side, such as trials.
        noun: name of these tables, in plural.
    """

    where: str
    format: str
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    videos: int = 0
    assumed: list[str] = field(default_factory=list)
    tables: int = 1
    noun: str = "predictions"

    def __repr__(self) -> str:
        """Return one line: the number of errors, and the size of the submission."""
        state = "without errors" if self.valid else f"NOT valid, {counted(self.n_errors, 'error')}"
        return f"<Report {self.format}: {state}, {self.size}>"

    def _repr_html_(self) -> str:
        """Return the problems as a table, for a notebook."""
        from harness.tables.html import write_html
        from harness.tables.table import Column, Table

        names = ("where", "line", "column", "severity", "code", "message")
        columns = tuple(Column(name, name.capitalize()) for name in names)
        rows = tuple({name: getattr(problem, name) for name in names} for problem in self.problems)
        return write_html(Table(repr(self).strip("<>"), columns, rows, notes=tuple(self.assumed)))

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with a row per kept problem: its place, kind and message."""
        import pandas as pd

        names = ["where", "line", "column", "severity", "code", "message"]
        return pd.DataFrame([[getattr(problem, name) for name in names] for problem in self.problems], columns=names)

    @property
    def size(self) -> str:
        """Size of the submission, in words: rows, and trials or videos."""
        videos = counted(self.videos, "video")
        return f"{counted(self.rows, 'row')}, {videos if self.tables < 2 else f'{self.tables} {self.noun} of {videos}'}"

    def wants(self, code: str, severity: str = "error") -> bool:
        """Tell if one more problem of this kind would be kept. Otherwise its message is superfluous."""
        return self.counts[severity, code] < SHOWN_PER_KIND

    def add(
        self, line: int, column: int, code: str, message: str, severity: str = "error", *, where: str | None = None
    ) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        if self.wants(code, severity):
            self.problems.append(Problem(where or self.where, line, column, code, message, severity))
        self.counts[severity, code] += 1

    def count(self, code: str, n: int, severity: str = "error") -> None:
        """Count ``n`` more problems of a kind without keeping a message."""
        if n > 0:
            self.counts[severity, code] += n

    def merge(self, other: Report) -> None:
        """Add the report of a part: a file of a folder, or a member of an archive."""
        for problem in other.problems:
            if sum(p.code == problem.code and p.severity == problem.severity for p in self.problems) < SHOWN_PER_KIND:
                self.problems.append(problem)
        self.counts += other.counts
        self.rows += other.rows
        self.videos += other.videos
        self.assumed += [text for text in other.assumed if text not in self.assumed]

    @property
    def errors(self) -> list[Problem]:
        """Kept errors, in the order of the file."""
        return sorted((p for p in self.problems if p.severity == "error"), key=lambda p: (p.line, p.column))

    @property
    def n_errors(self) -> int:
        """Number of all errors, kept or only counted."""
        return sum(n for (severity, _), n in self.counts.items() if severity == "error")

    @property
    def valid(self) -> bool:
        """True without errors; warnings are allowed."""
        return self.n_errors == 0
