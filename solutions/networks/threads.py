"""Number of torch's threads: on a CPU sums are split by thread, so that their rounding depends on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def pinned_threads(count: int) -> Iterator[None]:
    """Compute with ``count`` threads for a block on any machine, and restore the number afterwards.

    Results on a CPU are then the same for any number of cores, any ``OMP_NUM_THREADS`` and any caller.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
