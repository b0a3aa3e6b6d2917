"""The connection to a results store, as statements see it: a file or a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import StoreBusyError

if TYPE_CHECKING:
    import pandas as pd


class ConflictError(StoreBusyError):
    """Somebody else changed the same rows of a server's store at the same time; nothing was recorded."""


class Rows(Protocol):
    """What a statement gives; to be fetched before the next one runs."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""

    def df(self) -> pd.DataFrame:
        """All rows, for those who have time to import pandas."""


class Connection(Protocol):
    """What a file and a server have in common."""

    def execute(self, query: str, parameters: Sequence[str] = ..., /) -> Rows:
        """Run one statement, or several with ``;`` between them: the rows are the last one's."""
