"""The actor: one worker for its life, in a process of its own, on whatever machine has room."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from harness.engine.engine import Done
from harness.engine.worker import attempt
from harness.errors import SolutionError


class Host:
    """Holds a worker.

    Args:
        folder: where the command was typed: relative paths lead on from there.
        threads: of libraries that compute on several cores, as many as the command's own process would take: how sums
            are split, and so rounded, depends on it.
    """

    def __init__(self, folder: str, threads: int) -> None:
        self._threads = threads
        os.environ["OMP_NUM_THREADS"] = str(threads)  # Ray's own choice is the number of the actor's cores
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._worker: Callable[[Any], Any] = _not_started

    def start(self, make_worker: Callable[[], Callable[[Any], Any]]) -> Done[None, None]:
        """Make the worker; the error if it can't be made."""
        made = attempt(lambda _: make_worker(), None)
        self._worker = made.value or _not_started
        return Done(None, error=made.error)

    def work(self, item: Any) -> Done[None, Any]:
        """Do an item."""
        if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        return attempt(self._worker, item)


def _not_started(item: Any) -> Any:
    raise SolutionError("a worker was used before it was started")
