"""Rows of the results tables of the two papers, as printed."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from harness.errors import UnknownNameError
from harness.reference.published import our_target, our_word
from harness.system.groups import grouped
from harness.tasks import TASKS


@dataclass(frozen=True)
class PaperRow:
    """Name of one row of a paper's table, as in ``paper_tables.csv``."""

    paper: str
    table: str
    row_id: str

    def __str__(self) -> str:
        """Return the name as ``<paper>:table<table>:<row>``."""
        return f"{self.paper}:table{self.table}:{self.row_id}"


@dataclass(frozen=True)
class TableRow:
    """Row of a paper's table, as printed.

    Attributes:
        row: name of the row.
        task: short name of the task.
        split: split of the scores.
        system, encoder, head, variant: description of the system, in the paper's words.
        is_own: True for the authors' own system, False for another team's.
        values: fractions or coefficients by ``(metric, target)``, metrics and targets by our names.
        notes: inferred facts, and contradictions to the paper's text or the authors' code.
    """

    row: PaperRow
    task: str
    split: str
    system: str
    encoder: str
    head: str
    variant: str
    is_own: bool
    values: dict[tuple[str, str], float]
    notes: tuple[str, ...]

    @property
    def headline(self) -> float | None:
        """Official score of the row's task; ``None`` if the row lacks the score, or the task is unknown."""
        task = TASKS.get(self.task)
        return self.values.get((task.metric, "all")) if task else None

    @property
    def metric(self) -> str | None:
        """Name of the row's score over all classes: the official one, else the first, such as T7's accuracy."""
        printed = [metric for metric, target in self.values if target == "all"]
        task = TASKS.get(self.task)
        if task is not None and task.metric in printed:
            return task.metric
        return printed[0] if printed else None

    @property
    def published(self) -> float | None:
        """Value of :attr:`metric`."""
        return self.values.get((self.metric, "all")) if self.metric else None


@functools.cache
def table_rows() -> tuple[TableRow, ...]:
    """Return all rows of all tables, in print order."""
    text = (resources.files("harness") / "reference" / "paper_tables.csv").read_text(encoding="utf-8")
    lines = csv.DictReader(text.splitlines())
    rows = grouped(((PaperRow(line["paper"], line["table"], line["row_id"]), line["split"]), line) for line in lines)
    return tuple(_row(row, lines_of_row) for (row, _), lines_of_row in rows.items())


def _row(row: PaperRow, lines: list[dict[str, str]]) -> TableRow:
    first = lines[0]
    return TableRow(
        row=row,
        is_own=first["is_own"].lower() == "true",
        values={
            (our_word(line["task"], line["metric"]), our_target(line["task"], line["target"])): float(line["value"])
            for line in lines
        },
        notes=tuple(dict.fromkeys(line["note"] for line in lines if line["note"])),
        **{key: first[key] for key in ("task", "split", "system", "encoder", "head", "variant")},
    )


def table_row(row: PaperRow, split: str | None = None) -> TableRow:
    """Return a row as printed.

    Args:
        row: name of the row.
        split: split of the row; by default any.

    Raises:
        UnknownNameError: no table has the row.
    """
    known = {str(printed.row): printed for printed in table_rows() if split in (None, printed.split)}
    if str(row) not in known:
        raise UnknownNameError("row of a paper's table", str(row), known)
    return known[str(row)]
