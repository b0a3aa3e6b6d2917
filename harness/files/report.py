"""What a check found: every kind of problem with its place and its full count, the first few of each kind shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SHOWN_PER_KIND = 5


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what kind, what was found and expected."""

    where: str
    line: int
    column: int
    code: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}:{self.column}" if self.line else self.where
        return f"{place}: {self.severity} [{self.code}] {self.message}"


@dataclass
class Report:
    """What a check found. At most :data:`SHOWN_PER_KIND` problems of a kind are kept; all are counted.

    Attributes:
        where: the file, folder or archive member.
        format: name of the format that it was held against.
        rows: rows that it has, the header left out.
        videos: different videos or clips.
        assumed: what was taken for granted.
        tables: how many tables stand side by side, such as trials.
        noun: what these are called.
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
        """Return one line: whether there are errors, and what the submission holds."""
        state = "without errors" if self.valid else f"NOT valid, {self.n_errors:,} errors"
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
        """Return a row per problem that was kept, with its place, kind and words."""
        import pandas as pd

        names = ["where", "line", "column", "severity", "code", "message"]
        return pd.DataFrame([[getattr(problem, name) for name in names] for problem in self.problems], columns=names)

    @property
    def size(self) -> str:
        """What the submission holds, in words: rows, and trials or videos."""
        videos = f"{self.videos} videos" if self.tables < 2 else f"{self.tables} {self.noun} of {self.videos} videos"
        return f"{self.rows:,} rows, {videos}"

    def wants(self, code: str, severity: str = "error") -> bool:
        """Whether one more of this kind would be shown: its message need not be made up otherwise."""
        return self.counts[severity, code] < SHOWN_PER_KIND

    def add(
        self, line: int, column: int, code: str, message: str, severity: str = "error", *, where: str | None = None
    ) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        if self.wants(code, severity):
            self.problems.append(Problem(where or self.where, line, column, code, message, severity))
        self.counts[severity, code] += 1

    def count(self, code: str, n: int, severity: str = "error") -> None:
        """Count ``n`` more of a kind, of which none is shown."""
        if n > 0:
            self.counts[severity, code] += n

    def merge(self, other: Report) -> None:
        """Take in the report of a part: a file of a folder, a member of an archive."""
        for found in other.problems:
            if sum(p.code == found.code and p.severity == found.severity for p in self.problems) < SHOWN_PER_KIND:
                self.problems.append(found)
        self.counts += other.counts
        self.rows += other.rows
        self.videos += other.videos
        self.assumed += [text for text in other.assumed if text not in self.assumed]

    @property
    def errors(self) -> list[Problem]:
        """Errors that were kept, in file order."""
        return sorted((p for p in self.problems if p.severity == "error"), key=lambda p: (p.line, p.column))

    @property
    def n_errors(self) -> int:
        """All errors, those that were not kept included."""
        return sum(n for (severity, _), n in self.counts.items() if severity == "error")

    @property
    def valid(self) -> bool:
        """No error; warnings may be there."""
        return self.n_errors == 0
