"""Parallel work on several recordings: one thread per core, each with torch on one core, results in order.

A matrix product over the few hundred rows of a clip is too small to keep several cores busy; one clip per core, or one
group of short clips, keeps all busy. The results are the same for any number of cores.
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

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_malloc_trim = getattr(_libc, "malloc_trim", None)

_LARGEST_KEPT = (1 << 25) - (1 << 13)
"""Bytes of a block just below 32 MiB, the upper limit of glibc's threshold."""

_AHEAD = 2  # items per thread that are begun or waiting, so that threads stay busy during a long item


def in_parallel(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[tuple[T, R], None, None]:
    """Yield each item with its result, in the order of the items.

    The iterator of items is advanced when there is room for another one. An error of ``work`` is raised in the turn of
    its item.

    Args:
        work: function of one item, called in a thread.
        items: items, requested one by one.
        threads: number of items that are worked on at a time.
    """

    def both(item: T) -> tuple[T, R]:
        return item, work(item)

    tasks = (partial(both, item) for item in items)
    with torch_on_one_core() as initializer, ThreadPoolExecutor(threads, initializer=initializer) as pool:
        yield from in_order(pool, tasks, _AHEAD * threads)


@contextlib.contextmanager
def torch_on_one_core() -> Iterator[Callable[[], None]]:
    """Provide a function that limits torch to one core in the calling thread; restore the number after the block."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    keep_freed_memory()
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        torch.set_num_threads(before)
        release_memory()


def keep_freed_memory() -> None:
    """Let new tensors use the memory of freed ones, until :func:`release_memory`.

    Otherwise glibc may return each block to the system, which clears its pages before their next use. glibc keeps
    blocks up to a threshold, and raises the threshold to the size of each larger block that is freed.
    """
    if _malloc_trim is not None and _libc is not None:
        _libc.malloc.restype, _libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        _libc.free.restype, _libc.free.argtypes = None, [ctypes.c_void_p]
        _libc.free(_libc.malloc(_LARGEST_KEPT))


def release_memory() -> None:
    """Return freed memory to the system: glibc retains some 60 MB of tensors per thread, and more with each pool."""
    if _malloc_trim is not None:  # exists in glibc alone
        _malloc_trim(0)
