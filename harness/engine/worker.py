"""What runs inside a worker, of either engine: an item is tried, and an error is a result like any other."""

from __future__ import annotations

import pickle  # of our own exceptions, on their way between our own processes
import traceback
from collections.abc import Callable
from typing import TypeVar

from harness.engine.engine import I, ItemResult
from harness.errors import AbawError, SolutionError

R = TypeVar("R")


def attempt(work: Callable[[I], R], item: I) -> ItemResult[None, R]:
    """The value, or the error; the item itself stays where it came from."""
    try:
        return ItemResult(None, work(item))
    except Exception as error:
        return ItemResult(None, error=portable(error))


def portable(error: Exception) -> Exception:
    """The error as it can be sent to another process; one that nobody expected says where it was raised."""
    if not isinstance(error, AbawError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled one call before
    except Exception:  # its class can't be made of its message alone
        return SolutionError(str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}")
    return error
