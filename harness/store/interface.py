"""The connection to a results store, as statements see it: a file or a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import StoreBusyError

if TYPE_CHECKING:
    import pandas as pd


class ConflictError(StoreBusyError):
    """A change that the store's server refused, because another client changed the same rows; nothing was recorded."""


class Rows(Protocol):
    """The rows that a statement returns. Fetch them before the next statement runs."""

    @property
    def description(self) -> Sequence[tuple[Any, ...]]:
        """One tuple per column, its name first."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or ``None`` after the last."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""

    def df(self) -> pd.DataFrame:
        """Return all rows as a data frame. This imports pandas, which takes half a second."""


class Connection(Protocol):
    """A connection to a store, the same for a file and a server."""

    def execute(self, query: str, parameters: Sequence[str] = ..., /) -> Rows:
        """Run one statement, or several separated by ``;``, and return the rows of the last one."""
