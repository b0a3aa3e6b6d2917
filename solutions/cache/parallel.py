"""Work on several recordings at a time: a thread per core, each with torch on one core, results in order.

A product of matrices of a clip's few hundred rows leaves cores idle when it is cut for them; a clip per core does not.
Clips stay alone, so that they need no padding. The numbers are the same for any number of cores.
"""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

_AHEAD = 2  # items per thread that are begun or waiting: a thread is never idle while a long one is waited for


def in_parallel(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[tuple[T, R], None, None]:
    """Yield each item with what ``work`` makes of it, in the items' order.

    Items are asked for when there is room for them. An error of ``work`` is raised when its item's turn comes.

    Args:
        work: runs in a thread, with one item.
        items: are asked for one by one.
        threads: as many items are worked on at a time.
    """
    import torch

    before = torch.get_num_threads()
    coming = iter(items)
    queue: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1)) as pool:

        def refill() -> None:
            while len(queue) < _AHEAD * threads:
                for item in coming:
                    queue.append((item, pool.submit(work, item)))
                    break
                else:
                    return

        try:
            refill()
            while queue:
                item, future = queue.popleft()
                result = future.result()
                refill()
                yield item, result
        finally:
            for _, future in queue:
                future.cancel()
            pool.shutdown()
            torch.set_num_threads(before)
            release_memory()


def release_memory() -> None:
    """Return freed memory to the system: glibc keeps some 60 MB of tensors for each thread, and more with each pool."""
    if _malloc_trim is not None:  # of glibc alone
        _malloc_trim(0)
