"""Attempts at something that another process may be busy with, further and further apart."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator


def backoff(deadline: float = math.inf, *, first: float = 0.005, longest: float = 0.05) -> Iterator[None]:
    """Yield once for each attempt, and sleep between attempts; end after the first attempt past the deadline.

    Leave the loop when an attempt succeeds. There is always at least one attempt, and one at the deadline or later.
    Each wait is twice as long as the one before, give or take a half, so that processes that wait for the same thing
    don't try in step.

    Args:
        deadline: of ``time.monotonic()``.
        first: seconds of the first wait.
        longest: seconds that no wait exceeds by more than a half.
    """
    wait = first
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(wait * random.uniform(0.5, 1.5))
        wait = min(2 * wait, longest)
