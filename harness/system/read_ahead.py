"""Work that threads do ahead of its use, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_order(pool: Executor, tasks: Iterable[Callable[[], T]], ahead: int) -> Generator[T, None, None]:
    """Yield the results of tasks in their order, while a pool works on those that follow.

    Tasks that have not begun are dropped when the generator is closed, or a task raises.

    Args:
        pool: pool of threads or processes.
        tasks: functions without arguments, taken one by one when the pool has room for another.
        ahead: number of tasks that run, or wait with a result, while another result is used.
    """
    coming = iter(tasks)
    queue: deque[Future[T]] = deque()

    def refill(count: int) -> None:
        queue.extend(pool.submit(task) for task in islice(coming, count))

    try:
        refill(ahead)
        while queue:
            following = queue.popleft()
            refill(1)
            yield following.result()
    finally:
        for future in queue:
            future.cancel()


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield items; a thread makes each item while the item before it is used."""

    def following() -> list[T]:
        return list(islice(items, 1))

    with ThreadPoolExecutor(1) as pool:
        for item in in_order(pool, iter(lambda: following, None), 1):
            if not item:
                return
            yield item[0]
