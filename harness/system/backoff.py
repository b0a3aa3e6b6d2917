"""Repeated attempts at an action that another process may block, with growing waits."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator


def backoff(deadline: float = math.inf, *, first: float = 0.005, longest: float = 0.05) -> Iterator[None]:
    """Yield once for each attempt, and sleep between attempts; end after the first attempt past the deadline.

    Leave the loop when an attempt succeeds. There is at least one attempt, and one at the deadline or later. Waits
    double, and each varies at random by half its length, so that waiting processes do not try at the same moments.

    Args:
        deadline: latest time of ``time.monotonic()``.
        first: mean length of the first wait, in seconds.
        longest: mean length of the longest wait, in seconds.
    """
    wait = first
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(wait * random.uniform(0.5, 1.5))
        wait = min(2 * wait, longest)
