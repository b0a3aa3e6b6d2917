"""How many threads of torch compute: on a CPU sums are split by thread, and rounded so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def pinned_threads(count: int) -> Iterator[None]:
    """Compute with so many threads on any machine for a block, and with as many as before afterwards.

    Results on a CPU then depend neither on its cores, nor on ``OMP_NUM_THREADS``, nor on who called.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
