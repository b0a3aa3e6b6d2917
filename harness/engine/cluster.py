"""Workers on Ray: a cluster that is joined, or one that is started on this machine for the length of a command.

Every worker is an actor that makes its worker once. One that dies, be it alone or with its machine, is replaced, and
its item tried again.
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
from harness.system.device import resolve_device

TRIES = 3
"""How often an item may kill its worker, or be on a machine that dies, before it is given up."""

_PATIENCE = 30.0
"""Seconds without news after which the cluster is looked at."""

_KNOCK = 10.0
"""Seconds that a cluster has to answer when it is joined."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger("abaw")
_checked: set[tuple[str, Path]] = set()


class RayEngine:
    """Implements :class:`harness.engine.engine.Engine` with Ray's actors.

    Args:
        shared: folders that workers write to.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: there is no such cluster, or one of its machines can't do this work.
    """

    def __init__(self, settings: Settings, shared: Sequence[Path]) -> None:
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
        """See :class:`harness.engine.engine.Engine`. A worker works by itself, on what it is given."""
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
        """See :class:`harness.engine.engine.Engine`.

        Raises:
            SolutionError: workers can't be made, or no machine is left that has room for one.
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
                        found = f"{pool.reason} ({TRIES} times)"
                        done = ItemResult(None, error=SolutionError("its worker died", found=found))
                    queue.done(number, made=done.error is None)
                    pool.give_out(queue, items)  # before whoever waits for the result takes its time
                    yield ItemResult(items[number], done.value, done.error)
                pool.give_out(queue, items)
        finally:
            pool.dismiss()

    def _need(self, share: WorkerShare) -> _WorkerNeeds:
        """Cores and part of a GPU; never more cores than the largest machine has."""
        nodes, gpus = self._nodes(), self._gpus if share.gpu else 0.0
        if gpus:
            # a worker on a GPU has the cores beside it decode for it
            beside = [math.floor(node.cores / (node.gpus / gpus)) for node in nodes if node.gpus >= gpus]
            return _WorkerNeeds(max(1, min(beside, default=1)), gpus)
        largest = max((node.cores for node in nodes), default=1)
        return _WorkerNeeds(max(1, min(share.cores or _threads(), int(largest))), 0.0)

    def _room(self, need: _WorkerNeeds) -> int:
        """Workers that fit into the cluster when nobody else is in it.

        Raises:
            SolutionError: none does.
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
        found = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [_Node(resources.get("CPU", 0.0), resources.get("GPU", 0.0)) for resources in found]


@dataclass(frozen=True)
class _Node:
    cores: float
    gpus: float


@dataclass(frozen=True)
class _WorkerNeeds:
    cores: int
    gpus: float

    def words(self) -> str:
        """For messages."""
        return f"{self.cores} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")


@dataclass
class _WorkerPool:
    """The workers of one list of items.

    Attributes:
        room: how many workers the cluster can have.
        reason: why the last one died.
    """

    ray: Any
    make_worker: Callable[[], Callable[[Any], Any]]
    need: _WorkerNeeds
    room: Callable[[_WorkerNeeds], int]
    reason: str = ""
    _idle: list[Any] = field(default_factory=list)
    _busy: dict[Any, tuple[Any, int | None]] = field(default_factory=dict)  # by what they owe: worker, item's number
    _hired: int = 0
    _failed_starts: int = 0  # since one went well
    _said: bool = False

    def __post_init__(self) -> None:
        self._made = self.ray.put(self.make_worker)
        self._kind = self.ray.remote(Host).options(
            num_cpus=self.need.cores, num_gpus=self.need.gpus, max_restarts=0, max_task_retries=0
        )

    def hire(self, n: int) -> None:
        """Ask for more workers; each comes when there is room for it."""
        for _ in range(n):
            worker = self._kind.remote(str(Path.cwd()), _threads())
            self._busy[worker.start.remote(self._made)] = worker, None
        self._hired += n

    def give_out(self, queue: Queue, items: Sequence[Any]) -> None:
        """An item to each idle worker, as long as there are any that may be done now."""
        while self._idle and (number := queue.take()) is not None:
            worker = self._idle.pop()
            self._busy[worker.work.remote(items[number])] = worker, number
        while self._idle and not queue.waiting:  # others in the cluster can use the room
            self._kill(self._idle.pop())

    def news(self) -> Iterator[tuple[int, ItemResult[None, Any] | None]]:
        """Wait for news, then tell what came of items: ``None`` if the worker died over it."""
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
        """Let all go, whatever they are at."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            self._kill(worker)

    def _owed(self, owed: Any) -> ItemResult[None, Any] | None:
        exceptions = self.ray.exceptions
        try:
            done: ItemResult[None, Any] = self.ray.get(owed)
        except (exceptions.RayActorError, exceptions.OutOfMemoryError, exceptions.NodeDiedError) as error:
            self.reason = _reason(error)
            return None
        except exceptions.RayError as error:  # what was sent can't be read there
            return ItemResult(None, error=SolutionError(str(error).strip().splitlines()[-1]))
        return done

    def _replace(self, worker: Any, number: int | None) -> None:
        self._kill(worker)  # it may live on, on a machine that is only out of reach
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
        with contextlib.suppress(Exception):  # dead already, or the cluster is gone
            self.ray.kill(worker, no_restart=True)


@functools.cache
def _threads() -> int:
    """Threads that torch takes in this process, for sums that it splits."""
    import torch

    return torch.get_num_threads()


def _reason(error: Exception) -> str:
    """Why a worker died, in a few words out of Ray's many."""
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
    """Ray, in a cluster: one that was joined before in this process, the one that is named, or a new one here.

    A new one takes the machine's GPUs and as many cores as there are workers, listens on this machine alone, and ends
    with this process.
    """
    address = settings.address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address or _host(address)[0] in _LOOPBACK:
        # else Ray turns a loopback address into the machine's own, where nobody listens then
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
        found = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        do = "See whether it runs with: ray status" if address else "See what lies in /tmp/ray/session_latest/logs"
        what = f"can't join the Ray cluster {address}" if address else "can't start Ray here"
        raise UsageError(what, found=found, do=do) from None
    # of a machine that died Ray tells on stdout, where a program may read; what matters stands in our own messages
    ray._private.worker._worker_logs_enabled = False
    return ray


def _host(address: str) -> tuple[str, int]:
    """Host and port of an address; port 0 where there is none."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else (address, 0)


def _check(ray: Any, settings: Settings, shared: Sequence[Path]) -> None:
    """See that each machine of a cluster has the same code, and sees the same folders; once for each folder."""
    unseen = [folder for folder in shared if (str(settings.address), folder.resolve()) not in _checked]
    if not unseen:
        return
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look, asked = ray.remote(differences), {}
    with expected(settings.data, unseen) as wanted:
        for node in ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                asked[node["NodeID"]] = name, look.options(num_cpus=0, scheduling_strategy=there).remote(wanted)
        found = [(name, _answer(ray, answer)) for name, answer in asked.values()]
    lines = [f"  {name}: {'; '.join(unlike)}" for name, unlike in found if unlike]
    if lines:
        raise UsageError(
            f"{len(lines)} of {len(found)} machines of the cluster can't do this work:\n" + "\n".join(lines) + "\n"
            "Each needs this very version of the package, and the same data and folders (--cache, --out) under the "
            "same paths, as on a shared disk."
        )
    _checked.update((str(settings.address), folder.resolve()) for folder in unseen)


def _answer(ray: Any, answer: Any) -> list[str]:
    try:
        found: list[str] = ray.get(answer, timeout=2 * _PATIENCE)
    except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):
        return []  # gone meanwhile: nothing will be sent there
    except ray.exceptions.RayError as error:  # this package is not there at all
        return [str(error).strip().splitlines()[-1]]
    return found


class Host:
    """Holds a worker.

    Args:
        folder: where the command was typed: relative paths lead on from there.
        threads: of libraries that compute on several cores, as many as the command's own process would take: how sums
            are split, and so rounded, depends on it.
    """

    def __init__(self, folder: str, threads: int) -> None:
        self._threads = threads
        os.environ["OMP_NUM_THREADS"] = str(threads)  # Ray's own choice is the number of the actor's cores
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._worker: Callable[[Any], Any] = _not_started

    def start(self, make_worker: Callable[[], Callable[[Any], Any]]) -> ItemResult[None, None]:
        """Make the worker; the error if it can't be made."""
        made = attempt(lambda _: make_worker(), None)
        self._worker = made.value or _not_started
        return ItemResult(None, error=made.error)

    def work(self, item: Any) -> ItemResult[None, Any]:
        """Do an item."""
        if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        return attempt(self._worker, item)


def _not_started(item: Any) -> Any:
    raise SolutionError("a worker was used before it was started")
