"""Work on several recordings at a time: a thread per core, each with torch on one core, results in order.

A product of matrices of a clip's few hundred rows leaves cores idle when it is cut for them; a clip, or a group of
short ones, per core does not. The numbers are the same for any number of cores.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from harness.system.read_ahead import in_order

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

    def both(item: T) -> tuple[T, R]:
        return item, work(item)

    tasks = (partial(both, item) for item in items)
    with torch_on_one_core() as initializer, ThreadPoolExecutor(threads, initializer=initializer) as pool:
        yield from in_order(pool, tasks, _AHEAD * threads)


@contextlib.contextmanager
def torch_on_one_core() -> Iterator[Callable[[], None]]:
    """While the block runs, torch takes one core in each thread that has called what is given; afterwards as before."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        torch.set_num_threads(before)
        release_memory()


def release_memory() -> None:
    """Return freed memory to the system: glibc keeps some 60 MB of tensors for each thread, and more with each pool."""
    if _malloc_trim is not None:  # of glibc alone
        _malloc_trim(0)
