"""Several runs: one after the other in this process, side by side on its cores, or each by a worker of a cluster."""

from __future__ import annotations

import contextlib
import os
import pickle  # to ask whether our own objects could be sent to our own processes; nothing is read
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from harness.datasets.dataset import Dataset
from harness.engine import engine_of
from harness.engine.engine import Engine, ItemResult, WorkerShare
from harness.engine.local import LocalEngine
from harness.errors import AbawError, MissingDependencyError, SolutionError, StoreError, UsageError
from harness.plugins.interface import Preparing, Solution, SolutionEntry
from harness.runs.finished import Finished, seconds_beside_encoding
from harness.runs.runner import find_run, make_run, note_failure, record_run, run_unrecorded
from harness.settings import Settings
from harness.store.store import Store
from harness.system.counts import counted, with_seed
from harness.system.device import resolve_device
from harness.system.job import Job as WholeJob
from harness.system.job import Step, current_job, hidden_jobs, whole_job
from harness.system.memory import available_memory
from harness.system.progress import progress
from harness.system.terminal import QUIET

T = TypeVar("T")

_WORTH_SECONDS = 10.0
"""Seconds that processes must save: to start them, to import torch and to open features takes five seconds, and longer
where other programs run, which also slow down the runs that the saving is estimated from."""


@dataclass(frozen=True)
class Job:
    """A run to be made: a solution and a seed."""

    entry: SolutionEntry
    seed: int


Ran = ItemResult[Job, Finished]


def run_all(
    jobs: Sequence[Job],
    data: Dataset,
    split: str,
    settings: Settings,
    *,
    fresh: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Ran]:
    """Make and record runs. The others go on after a failure, which is noted as :func:`run_solution` does.

    A cluster first computes the shared parts: features, by video; then each head, by the first run that needs it, while
    other runs with that head wait. Workers write the run folders, and this process writes the store. On this machine
    the first run is made in this process; the others are made by processes of one core each, if that saves time, judged
    by the first run, and if the memory suffices. The results are the same.

    Args:
        jobs: runs to be made.
        data: the data set.
        split: split that is predicted.
        settings: places of the results, and the way of working.
        fresh: make runs again that exist.
        options: options of the command line, for the records.

    Yields:
        Each job, in order, with its run or the error.

    Raises:
        StoreError: before the first run, because the place of the store holds something else, or its server refuses the
            token; or after the last run, because a run could not be recorded. Its folder is complete: ``abaw sync``
            records it.
    """
    Store(settings.store).ready()
    if settings.engine != "local":
        engine = engine_of(settings, settings.cache, settings.out)
        yield from _by_workers(jobs, data, split, settings, fresh, options or {}, engine)
        return
    with contextlib.ExitStack() as stack:
        whole = current_job()
        if whole is None:
            steps = [] if os.environ.get(QUIET) else _steps(jobs, data, split, settings, fresh)
            whole = stack.enter_context(whole_job(steps))
        yield from _one_by_one(whole, jobs, data, split, settings, fresh, options)


def _steps(jobs: Sequence[Job], data: Dataset, split: str, settings: Settings, fresh: bool) -> list[Step]:
    from harness.runs.job_plan import planned_runs, steps_of

    return steps_of(planned_runs([(job.entry, job.seed) for job in jobs], data, split, settings, fresh=fresh))


def _one_by_one(
    whole: WholeJob,
    jobs: Sequence[Job],
    data: Dataset,
    split: str,
    settings: Settings,
    fresh: bool,
    options: Mapping[str, Any] | None,
) -> Iterator[Ran]:
    """Make and record runs in this process, as steps of a whole job; by processes where that is faster."""
    unrecorded: StoreError | None = None
    seconds = 0.0
    due: list[bool] | None = None  # read only where processes may save time, as every file of a run is hashed
    for number, job in enumerate(jobs):
        rest = jobs[number:]
        workers = _processes(rest, data, settings, seconds)
        if workers > 1 and not fresh:
            due = _due(jobs, data, split, settings) if due is None else due
            still_due = [job for job, is_due in zip(rest, due[number:], strict=True) if is_due]
            workers = _processes(still_due, data, settings, seconds)
        if workers > 1:
            engine = LocalEngine(replace(settings, workers=workers))
            with hidden_jobs():  # runs are counted, which stand for the steps that are left
                yield from _by_workers(rest, data, split, settings, fresh, options or {}, engine)
            break
        whole.next_run()
        try:
            finished = run_unrecorded(job.entry, data, split, settings, seed=job.seed, fresh=fresh, options=options)
        except Exception as error:  # a plug-in may raise anything, and a worker goes on as well
            yield ItemResult(job, error=error)
            continue
        if not finished.reused:
            timings = finished.record.timings
            seconds = seconds_beside_encoding(
                timings["total"], timings["frames_encoded"], timings.get("frames_per_second")
            )
        try:
            record_run(finished, settings)
        except StoreError as error:  # the other runs go on: their folders can be recorded later
            unrecorded = unrecorded or error
        yield ItemResult(job, finished)
    if unrecorded:
        raise unrecorded


def _due(jobs: Sequence[Job], data: Dataset, split: str, settings: Settings) -> list[bool]:
    """Return False for each job whose run is there already, in the order of the jobs."""
    known: dict[str, _Known] = {}
    due = []
    for job in jobs:
        there = None
        with contextlib.suppress(Exception):  # a plug-in may raise anything, and the run itself names the reason
            solution = known.setdefault(job.entry.name, _Known(job.entry)).solution(settings)
            there = find_run(solution, job.entry, data, split, settings, seed=job.seed)
        due.append(there is None)
    return due


def _processes(jobs: Sequence[Job], data: Dataset, settings: Settings, seconds: float) -> int:
    """Return the number of processes that make runs side by side on this machine; 1 stands for this process alone.

    Args:
        jobs: runs to be made, without those that are there.
        data: the data set, which each process gets.
        settings: ``workers`` is the largest number of processes.
        seconds: time of the last run apart from encoding, in seconds; 0 before the first run.
    """
    most = min(settings.workers, len(jobs))
    if most < 2 or seconds * len(jobs) * (1 - 1 / most) < _WORTH_SECONDS:
        return 1
    if resolve_device(settings.device) != "cpu" or _cores_of([job.entry for job in jobs]) != 1:
        return 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = available_memory()
    fitting = most if memory is None else min(most, int(memory // peak))
    return fitting if fitting > 1 and _can_be_sent([*jobs, data]) else 1


def _can_be_sent(items: Sequence[Any]) -> bool:
    """Return True if all objects can go to another process; a plug-in may hold functions that can't."""
    try:
        pickle.dumps(items)
    except Exception:  # pickle raises almost anything
        return False
    return True


def raise_failed(runs: Sequence[Ran]) -> None:
    """Raise one error for all failed runs; a single failure raises its own error."""
    failed = [(run.item, run.error) for run in runs if run.error is not None]
    if not failed:
        return
    if len(runs) == 1 or all(isinstance(error, UsageError) for _, error in failed):
        raise failed[0][1]
    reasons: dict[str, list[str]] = {}
    for job, error in failed:
        reasons.setdefault(_words(error), []).append(with_seed(job.entry.name, job.seed))
    text = "\n".join(f"{'; '.join(who)}: {reason}" for reason, who in reasons.items())
    waiting = all(isinstance(error, MissingDependencyError) for _, error in failed)
    what = (
        f"{'waits' if len(failed) == 1 else 'wait'} for weights or packages that are not here" if waiting else "failed"
    )
    raise SolutionError(
        f"{len(failed)} of {counted(len(runs), 'run')} {what}; the others are kept, and the same command does only "
        f"what is missing:\n{text}"
    ) from failed[0][1]


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Task:
    """A job in the form that a worker gets.

    Attributes:
        number: its place among the jobs.
        trains: names of what it trains, under its seed; others take it from the cache.
        reuse: whether it takes what is there.
    """

    number: int
    job: Job
    trains: frozenset[str]
    reuse: bool


@dataclass(frozen=True)
class _Runner:
    """Maker of a worker that makes runs of one split; it is called in the worker's process."""

    data: Dataset
    split: str
    settings: Settings
    fresh: bool
    options: Mapping[str, Any]
    quiet: bool

    def __call__(self) -> Callable[[_Task], Finished]:
        if self.quiet:  # processes on one terminal would write their bars over each other
            os.environ[QUIET] = "1"
        return lambda task: make_run(
            task.job.entry,
            self.data,
            self.split,
            replace(self.settings, reuse_heads=task.reuse),
            seed=task.job.seed,
            fresh=self.fresh,
            options=self.options,
        )


def _by_workers(
    jobs: Sequence[Job],
    data: Dataset,
    split: str,
    settings: Settings,
    fresh: bool,
    options: Mapping[str, Any],
    engine: Engine,
) -> Iterator[Ran]:
    ran, tasks = _planned(jobs, data, split, settings, fresh)
    busy: StoreError | None = None

    def tell(number: int, run: Ran) -> None:
        nonlocal busy
        ran[number] = run
        try:
            if run.value is not None:
                record_run(run.value, settings)
            elif run.error is not None:
                note_failure(run.error, run.item.entry, data, split, settings, run.item.seed)
        except StoreError as error:  # the other runs go on: their folders can be recorded later
            busy = busy or error

    for number, run in list(ran.items()):
        tell(number, run)
    if tasks:
        share = WorkerShare(_cores_of([task.job.entry for task in tasks]), gpu=True)
        quiet = settings.engine == "local"
        runner = _Runner(data, split, engine.inside(settings, share), fresh, options, quiet)
        with progress(counted(len(tasks), "run"), len(tasks), "runs") as advance:
            for done in engine.map(runner, tasks, share=share, claims=lambda task: task.trains):
                tell(done.item.number, ItemResult(done.item.job, done.value, done.error))
                advance(1)
    yield from (ran[number] for number in range(len(jobs)))
    if busy:
        raise busy


def _planned(
    jobs: Sequence[Job], data: Dataset, split: str, settings: Settings, fresh: bool
) -> tuple[dict[int, Ran], list[_Task]]:
    """Divide jobs into finished ones and tasks, and compute the features of the tasks.

    Returns:
        Existing runs, and errors of impossible ones, by index of the job; and the tasks for the other jobs.
    """
    ran: dict[int, Ran] = {}
    tasks: list[_Task] = []
    known: dict[str, _Known] = {}
    trained: frozenset[str] = frozenset()
    for number, job in enumerate(jobs):
        try:
            of_entry = known.setdefault(job.entry.name, _Known(job.entry))
            solution = of_entry.solution(settings)
            if not fresh and (finished := find_run(solution, job.entry, data, split, settings, seed=job.seed)):
                ran[number] = ItemResult(job, finished)
                continue
            trains = frozenset(with_seed(training, job.seed) for training in of_entry.trainings(settings, data, split))
        except AbawError as error:
            ran[number] = ItemResult(job, error=error)
        else:
            # --fresh trains a head again once, in the first run that needs it
            tasks.append(_Task(number, job, trains, reuse=not fresh or (bool(trains) and trains <= trained)))
            trained |= trains
    return ran, tasks


@dataclass
class _Known:
    """Solution that several jobs of a batch share.

    The solution is created once, and its features are computed once. If that fails, each later job gets the error of
    the first attempt.
    """

    entry: SolutionEntry
    _solution: Solution | AbawError | None = None
    _trainings: frozenset[str] | AbawError | None = None

    def solution(self, settings: Settings) -> Solution:
        """Return the solution, created at the first call; if creating it failed, raise that error at each call."""
        if self._solution is None:
            self._solution = _tried(lambda: self.entry.create(settings))
        if isinstance(self._solution, AbawError):
            raise self._solution
        return self._solution

    def trainings(self, settings: Settings, data: Dataset, split: str) -> frozenset[str]:
        """Compute the features once, and return the names of the runs' trainings; raise an earlier error again."""
        if self._trainings is None:
            solution = self.solution(settings)
            self._trainings = _tried(lambda: _prepared(solution, data, split))
        if isinstance(self._trainings, AbawError):
            raise self._trainings
        return self._trainings


def _tried(work: Callable[[], T]) -> T | AbawError:
    try:
        return work()
    except AbawError as error:
        return error


def _prepared(solution: Solution, data: Dataset, split: str) -> frozenset[str]:
    """Compute features, by video, and return the names of the runs' trainings."""
    if not isinstance(solution, Preparing):
        return frozenset()
    solution.prepare(data, split)
    return solution.trainings()


def _cores_of(entries: Sequence[SolutionEntry]) -> int | None:
    """Return the number of cores that one run of any solution keeps busy; ``None`` for all cores."""
    cores = [entry.cores for entry in entries]
    return None if None in cores else max(core for core in cores if core is not None)
