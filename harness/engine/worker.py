"""Work on one item inside a worker of either engine; an error becomes a result."""

from __future__ import annotations

import pickle  # of our own exceptions, on their way between our own processes
import traceback
from collections.abc import Callable
from typing import TypeVar

from harness.engine.engine import I, ItemResult
from harness.errors import AbawError, SolutionError

R = TypeVar("R")


def attempt(work: Callable[[I], R], item: I) -> ItemResult[None, R]:
    """Return the value or the error of an item, without the item itself."""
    try:
        return ItemResult(None, work(item))
    except Exception as error:
        return ItemResult(None, error=portable(error))


def portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process; unexpected errors get their traceback as a note."""
    if not isinstance(error, AbawError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled one call before
    except Exception:  # a class whose constructor needs more than the message
        return SolutionError(str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}")
    return error
