"""Engine on Ray: workers in a cluster that is joined, or that is started on this machine for one command.

Each Ray actor makes its worker once. An actor that dies, alone or with its machine, is replaced, and its item is tried
again.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.engine.engine import ONE_CORE, Claims, I, ItemResult, R, WorkerShare
from harness.engine.nodes import differences, expected
from harness.engine.queue import Queue
from harness.engine.worker import attempt
from harness.errors import MissingDependencyError, SolutionError, UsageError, install_command
from harness.settings import Settings
from harness.system.counts import counted
from harness.system.device import resolve_device

TRIES = 3
"""Number of times that an item's worker or machine may die before the item fails."""

_PATIENCE = 30.0
"""Seconds without results after which the state of the cluster is checked."""

_KNOCK = 10.0
"""Seconds to wait for a cluster's answer to a connection."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger("abaw")
_checked: set[tuple[str, Path]] = set()


class RayEngine:
    """Engine of Ray's actors, see :class:`harness.engine.engine.Engine`.

    Args:
        settings: settings of the command.
        shared: folders that workers write to.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: the cluster can't be joined, or one of its machines differs from this one.
    """

    def __init__(self, settings: Settings, shared: Sequence[Path]) -> None:
        """Join the cluster, or start one here, and check its machines."""
        self._ray = _connected(settings)
        self._gpus = settings.gpus_per_worker if resolve_device(settings.device) != "cpu" else 0.0
        if self._gpus and settings.device not in ("auto", "cuda"):
            raise UsageError(f"Ray hands out GPUs itself; found --device {settings.device}", expected="cuda")
        if settings.address:
            _check(self._ray, settings, shared)
        if settings.device == "auto" and not self._gpus and any(node.gpus for node in self._nodes()):
            _log.warning("the cluster has GPUs, this machine none: work is done on processors. Start the command on a "
                         "machine with a GPU to use them")  # fmt: skip

    def inside(self, settings: Settings, share: WorkerShare) -> Settings:
        """Return the settings for a worker: it works in its own process, with its part of the machine."""
        need = self._need(share)
        return replace(
            settings, engine="local", address=None, workers=need.cores, device="cuda" if need.gpus else "cpu"
        )

    def map(
        self,
        make_worker: Callable[[], Callable[[I], R]],
        items: Sequence[I],
        *,
        share: WorkerShare = ONE_CORE,
        claims: Claims[I] | None = None,
    ) -> Iterator[ItemResult[I, R]]:
        """Process all items, see :meth:`harness.engine.engine.Engine.map`.

        Raises:
            SolutionError: workers failed to start, or all machines lack room for a worker.
        """
        queue = Queue([claims(item) if claims else frozenset() for item in items])
        pool = _WorkerPool(self._ray, make_worker, self._need(share), self._room)
        try:
            pool.hire(min(len(items), self._room(pool.need)))
            tries = [0] * len(items)
            while len(queue):
                for number, done in pool.news():
                    if done is None:  # died
                        tries[number] += 1
                        if tries[number] < TRIES:
                            queue.again(number)
                            continue
                        reason = f"{pool.reason} ({TRIES} times)"
                        done = ItemResult(None, error=SolutionError("its worker died", found=reason))
                    queue.done(number, succeeded=done.error is None)
                    pool.give_out(queue, items)  # before the caller uses the result, which may take long
                    yield ItemResult(items[number], done.value, done.error)
                pool.give_out(queue, items)
        finally:
            pool.dismiss()

    def _need(self, share: WorkerShare) -> _WorkerNeeds:
        """Return the cores and the part of a GPU of a worker; at most the cores of the largest machine."""
        nodes, gpus = self._nodes(), self._gpus if share.gpu else 0.0
        if gpus:
            # the cores beside a GPU decode for its worker
            beside = [math.floor(node.cores / (node.gpus / gpus)) for node in nodes if node.gpus >= gpus]
            return _WorkerNeeds(max(1, min(beside, default=1)), gpus)
        largest = max((node.cores for node in nodes), default=1)
        return _WorkerNeeds(max(1, min(share.cores or _threads(), int(largest))), 0.0)

    def _room(self, need: _WorkerNeeds) -> int:
        """Return the number of workers that fit into the empty cluster.

        Raises:
            SolutionError: no worker fits.
        """
        room = sum(
            min(
                math.floor(node.cores / need.cores),
                math.floor(node.gpus / need.gpus + 1e-6) if need.gpus else math.floor(node.cores),
            )
            for node in self._nodes()
        )
        if not room:
            raise SolutionError(
                "no machine of the cluster has room for a worker",
                expected=need.words(),
                do="See what there is with: ray status. What is finished is kept: run the same command again",
            )
        return room

    def _nodes(self) -> list[_Node]:
        resources_of_nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [_Node(resources.get("CPU", 0.0), resources.get("GPU", 0.0)) for resources in resources_of_nodes]


@dataclass(frozen=True)
class _Node:
    cores: float
    gpus: float


@dataclass(frozen=True)
class _WorkerNeeds:
    cores: int
    gpus: float

    def words(self) -> str:
        """Return the needs in words, for messages."""
        return f"{self.cores} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")


@dataclass
class _WorkerPool:
    """Workers for one list of items.

    Attributes:
        ray: the module of Ray.
        make_worker: function that returns a worker.
        need: cores and GPU of a worker.
        room: function that returns the number of workers that fit into the cluster.
        reason: reason of the last death of a worker.
    """

    ray: Any
    make_worker: Callable[[], Callable[[Any], Any]]
    need: _WorkerNeeds
    room: Callable[[_WorkerNeeds], int]
    reason: str = ""
    _idle: list[Any] = field(default_factory=list)
    _busy: dict[Any, tuple[Any, int | None]] = field(
        default_factory=dict
    )  # by reference to the result: worker, item's number
    _hired: int = 0
    _failed_starts: int = 0  # since the last success
    _said: bool = False

    def __post_init__(self) -> None:
        self._made = self.ray.put(self.make_worker)
        self._kind = self.ray.remote(Host).options(
            num_cpus=self.need.cores, num_gpus=self.need.gpus, max_restarts=0, max_task_retries=0
        )

    def hire(self, n: int) -> None:
        """Ask for ``n`` more workers; each starts when the cluster has room."""
        for _ in range(n):
            worker = self._kind.remote(str(Path.cwd()), _threads())
            self._busy[worker.start.remote(self._made)] = worker, None
        self._hired += n

    def give_out(self, queue: Queue, items: Sequence[Any]) -> None:
        """Give an item to each idle worker, as long as the queue has items that can be done now."""
        while self._idle and (number := queue.take()) is not None:
            worker = self._idle.pop()
            self._busy[worker.work.remote(items[number])] = worker, number
        while self._idle and not queue.waiting:  # other users of the cluster can use the room
            self._kill(self._idle.pop())

    def news(self) -> Iterator[tuple[int, ItemResult[None, Any] | None]]:
        """Wait for results, then yield items' numbers and results; ``None`` for an item whose worker died."""
        ready, _ = self.ray.wait(list(self._busy), timeout=_PATIENCE)
        if not ready:
            self._look_around()
        for owed in ready:
            worker, number = self._busy.pop(owed)
            done = self._owed(owed)
            if done is None:
                self._replace(worker, number)
            elif number is None and done.error:
                self._kill(worker)
                raise SolutionError(f"a worker process can't start: {done.error}")
            else:
                self._idle.append(worker)
                self._failed_starts = 0
            if number is not None:
                yield number, done

    def dismiss(self) -> None:
        """Stop all workers at once, also busy ones."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            self._kill(worker)

    def _owed(self, owed: Any) -> ItemResult[None, Any] | None:
        exceptions = self.ray.exceptions
        try:
            done: ItemResult[None, Any] = self.ray.get(owed)
        except (exceptions.RayActorError, exceptions.OutOfMemoryError, exceptions.NodeDiedError) as error:
            self.reason = _reason(error)
            return None
        except exceptions.RayError as error:  # the other machine can't read the message
            return ItemResult(None, error=SolutionError(str(error).strip().splitlines()[-1]))
        return done

    def _replace(self, worker: Any, number: int | None) -> None:
        self._kill(worker)  # it may still live on an unreachable machine
        self._hired -= 1
        self._failed_starts += number is None
        if self._failed_starts >= TRIES * (self._hired + 1):
            raise SolutionError("workers die as they start", found=self.reason)
        self.room(self.need)
        self.hire(1)

    def _look_around(self) -> None:
        self.room(self.need)
        started = len(self._idle) + sum(number is not None for _, number in self._busy.values())
        if not started and not self._said:
            self._said = True
            _log.warning("waiting for room in the cluster: a worker takes %s (see: ray status)", self.need.words())

    def _kill(self, worker: Any) -> None:
        with contextlib.suppress(Exception):  # the worker is dead, or the cluster is gone
            self.ray.kill(worker, no_restart=True)


@functools.cache
def _threads() -> int:
    """Return the number of threads that torch uses in this process."""
    import torch

    return torch.get_num_threads()


def _reason(error: Exception) -> str:
    """Return the reason of a worker's death in a few words, from Ray's long message."""
    text = " ".join(str(error).split())
    for sign, words in (
        ("node running low on memory", "the machine ran out of memory"),
        ("Out of memory", "the machine ran out of memory"),
        ("node has died", "its machine died"),
        ("node died", "its machine died"),
        ("connection error code 2", "its process was killed, or crashed"),
    ):
        if sign in text:
            return words
    return text[:300]


def _connected(settings: Settings) -> Any:
    """Return Ray, connected to a cluster: the one that this process joined before, the named one, or a new one here.

    A new cluster takes the machine's GPUs and as many cores as the settings have workers. It accepts connections from
    this machine alone, and ends with this process.
    """
    address = settings.address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address or _host(address)[0] in _LOOPBACK:
        # otherwise Ray replaces a loopback address by the machine's address, which accepts no connections then
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError:
        do = install_command("cluster")
        raise MissingDependencyError("Ray is not installed, which --engine ray works with", do=do) from None
    if ray.is_initialized():
        return ray
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    here: dict[str, Any] = {"num_cpus": settings.workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        if address and address != "auto":
            socket.create_connection(_host(address), timeout=_KNOCK).close()  # Ray itself would wait for minutes
        ray.init(address or "local", **quiet, **({} if address else here))
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        first_line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        do = "See whether it runs with: ray status" if address else "See what lies in /tmp/ray/session_latest/logs"
        what = f"can't join the Ray cluster {address}" if address else "can't start Ray here"
        raise UsageError(what, found=first_line, do=do) from None
    # Ray reports dead machines on stdout, which a program may read; our own messages say what matters
    ray._private.worker._worker_logs_enabled = False
    return ray


def _host(address: str) -> tuple[str, int]:
    """Return host and port of an address; port 0 if the address has none."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else (address, 0)


def _check(ray: Any, settings: Settings, shared: Sequence[Path]) -> None:
    """Check once per folder that each machine of a cluster has this code and the shared folder."""
    unseen = [folder for folder in shared if (str(settings.address), folder.resolve()) not in _checked]
    if not unseen:
        return
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look, asked = ray.remote(differences), {}
    with expected(settings.data, unseen) as here:
        for node in ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                asked[node["NodeID"]] = name, look.options(num_cpus=0, scheduling_strategy=there).remote(here)
        answers = [(name, _answer(ray, answer)) for name, answer in asked.values()]
    lines = [f"  {name}: {'; '.join(unlike)}" for name, unlike in answers if unlike]
    if lines:
        raise UsageError(
            f"{len(lines)} of {counted(len(answers), 'machine')} of the cluster can't do this work:\n"
            + "\n".join(lines)
            + "\n"
            "Each needs this very version of the package, and the same data and folders (--cache, --out) under the "
            "same paths, as on a shared disk."
        )
    _checked.update((str(settings.address), folder.resolve()) for folder in unseen)


def _answer(ray: Any, answer: Any) -> list[str]:
    try:
        unlike: list[str] = ray.get(answer, timeout=2 * _PATIENCE)
    except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):
        return []  # the machine has left the cluster and gets no work
    except ray.exceptions.RayError as error:  # the package is missing there
        return [str(error).strip().splitlines()[-1]]
    return unlike


class Host:
    """Ray actor that holds a worker.

    Args:
        folder: working folder of the command, for relative paths.
        threads: threads of libraries that compute on several cores, as many as in the command's process: they decide
            about the split of sums, and so about rounding.
    """

    def __init__(self, folder: str, threads: int) -> None:
        """Set the number of threads and the working folder."""
        self._threads = threads
        os.environ["OMP_NUM_THREADS"] = str(threads)  # Ray's own choice is the number of the actor's cores
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._worker: Callable[[Any], Any] = _not_started

    def start(self, make_worker: Callable[[], Callable[[Any], Any]]) -> ItemResult[None, None]:
        """Make the worker. The result holds the error, if any."""
        result = attempt(lambda _: make_worker(), None)
        self._worker = result.value or _not_started
        return ItemResult(None, error=result.error)

    def work(self, item: Any) -> ItemResult[None, Any]:
        """Process an item."""
        if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        return attempt(self._worker, item)


def _not_started(item: Any) -> Any:
    raise SolutionError("a worker was used before it was started")
