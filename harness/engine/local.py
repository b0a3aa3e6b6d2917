"""Engine of worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait as wait_for
from typing import Any

from harness.engine.engine import ONE_CORE, Claims, I, ItemResult, R, WorkerShare
from harness.engine.queue import Queue
from harness.engine.worker import attempt
from harness.errors import SolutionError
from harness.settings import Settings


class LocalEngine:
    """Engine of local processes, as many as the settings have workers; see :class:`harness.engine.engine.Engine`."""

    def __init__(self, settings: Settings) -> None:
        """Take the number of workers from the settings."""
        self.workers = settings.workers

    def inside(self, settings: Settings, share: WorkerShare) -> Settings:
        """Return the settings for a worker, see :meth:`harness.engine.engine.Engine.inside`."""
        return replace(settings, workers=share.cores or settings.workers)

    def map(
        self,
        make_worker: Callable[[], Callable[[I], R]],
        items: Sequence[I],
        *,
        share: WorkerShare = ONE_CORE,
        claims: Claims[I] | None = None,
    ) -> Iterator[ItemResult[I, R]]:
        """Process all items, see :meth:`harness.engine.engine.Engine.map`.

        A process that dies ends the work, as the machine is probably short of memory.

        Raises:
            SolutionError: a worker died, or failed to start.
        """
        queue = Queue([claims(item) if claims else frozenset() for item in items])
        workers = min(self.workers, len(items)) or 1
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start, (make_worker, share.cores)) as pool:
            running: dict[Future[ItemResult[None, R]], int] = {}
            try:
                while len(queue):
                    while len(running) < workers and (number := queue.take()) is not None:
                        running[pool.submit(_work, items[number])] = number
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        number, done = running.pop(future), future.result()
                        queue.done(number, succeeded=done.error is None)
                        yield ItemResult(items[number], done.value, done.error)
            except BrokenProcessPool:
                raise SolutionError(
                    "a worker process died (killed, or out of memory). What is finished is kept: run the same command "
                    "again, with fewer --workers if memory is short"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


_worker: Callable[[Any], Any] | Exception = SolutionError("a worker was used before it was started")


def _start(make_worker: Callable[[], Callable[[Any], Any]], cores: int | None) -> None:
    global _worker
    _end_with_parent()
    if cores is not None:  # before torch is imported; Ray does the same
        os.environ["OMP_NUM_THREADS"] = str(cores)
    try:
        _worker = make_worker()
    except Exception as error:  # the first item reports it; raised here, the parent would only learn of a death
        _worker = error


def _work(item: Any) -> ItemResult[None, Any]:
    if isinstance(_worker, Exception):
        raise SolutionError(f"a worker process can't start: {_worker}")
    return attempt(_worker, item)


def _end_with_parent() -> None:
    """End this process when its parent ends; otherwise it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait_for([sentinel]), os._exit(1)), daemon=True).start()
