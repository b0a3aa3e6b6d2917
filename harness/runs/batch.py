"""Several runs: one after the other in this process, or each by a worker of a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from harness.datasets.dataset import Dataset
from harness.engine import engine_of
from harness.engine.engine import ItemResult, WorkerShare
from harness.errors import AbawError, MissingDependencyError, SolutionError, StoreError, UsageError
from harness.plugins.interface import Preparing, Solution, SolutionEntry
from harness.runs.finished import Finished
from harness.runs.runner import find_run, make_run, note_failure, record_run, run_unrecorded
from harness.settings import Settings
from harness.store.store import Store
from harness.system.job import Job as WholeJob
from harness.system.job import Step, current_job, whole_job
from harness.system.progress import progress
from harness.system.terminal import QUIET

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A run to be made."""

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
    """Make and record runs; one that fails does not stop the others, and is noted as :func:`run_solution` does.

    On a cluster what solutions share is made first: features, by video; then heads, each by the first run that needs
    it, while the others that do wait. Workers write run folders, the store is written here.

    Yields:
        Each job, in order, with its run or the error.

    Raises:
        StoreError: after the last one, where a run could not be recorded. Its folder is complete: ``abaw sync`` records
            it. Before the first one, where the store is none, or a server's that does not take the token.
    """
    Store(settings.store).ready()
    if settings.engine != "local":
        yield from _by_workers(jobs, data, split, settings, fresh, options or {})
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
    """Make and record runs in this process, as steps of a whole job."""
    unrecorded: StoreError | None = None
    for job in jobs:
        whole.next_run()
        try:
            made = run_unrecorded(job.entry, data, split, settings, seed=job.seed, fresh=fresh, options=options)
        except AbawError as error:
            yield ItemResult(job, error=error)
            continue
        try:
            record_run(made, settings)
        except StoreError as error:  # the others go on: their folders are worth as much
            unrecorded = unrecorded or error
        yield ItemResult(job, made)
    if unrecorded:
        raise unrecorded


def raise_failed(runs: Sequence[Ran]) -> None:
    """Tell of runs that failed as one error, if any did; the only one's own where there was no other."""
    failed = [(run.item, run.error) for run in runs if run.error is not None]
    if not failed:
        return
    if len(runs) == 1 or all(isinstance(error, UsageError) for _, error in failed):
        raise failed[0][1]
    reasons: dict[str, list[str]] = {}
    for job, error in failed:
        reasons.setdefault(_words(error), []).append(f"{job.entry.name}, seed {job.seed}")
    text = "\n".join(f"{'; '.join(who)}: {reason}" for reason, who in reasons.items())
    waiting = all(isinstance(error, MissingDependencyError) for _, error in failed)
    what = "wait for weights or packages that are not here" if waiting else "failed"
    raise SolutionError(
        f"{len(failed)} of {len(runs)} runs {what}; the others are kept, and the same command does only what is "
        f"missing:\n{text}"
    )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Task:
    """A job, as a worker is given it.

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
    """Makes a worker, where it is to work: it makes runs of one split."""

    data: Dataset
    split: str
    settings: Settings
    fresh: bool
    options: Mapping[str, Any]

    def __call__(self) -> Callable[[_Task], Finished]:
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
    jobs: Sequence[Job], data: Dataset, split: str, settings: Settings, fresh: bool, options: Mapping[str, Any]
) -> Iterator[Ran]:
    engine = engine_of(settings, settings.cache, settings.out)
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
        except StoreError as error:  # the others go on: their folders are worth as much
            busy = busy or error

    for number, run in list(ran.items()):
        tell(number, run)
    if tasks:
        share = WorkerShare(_cores_of([task.job.entry for task in tasks]), gpu=True)
        runner = _Runner(data, split, engine.inside(settings, share), fresh, options)
        with progress(f"{len(tasks)} runs", len(tasks), "runs") as advance:
            for done in engine.map(runner, tasks, share=share, claims=lambda task: task.trains):
                tell(done.item.number, ItemResult(done.item.job, done.value, done.error))
                advance(1)
    yield from (ran[number] for number in range(len(jobs)))
    if busy:
        raise busy


def _planned(
    jobs: Sequence[Job], data: Dataset, split: str, settings: Settings, fresh: bool
) -> tuple[dict[int, Ran], list[_Task]]:
    """Runs that are there, or can't be made, by their place among the jobs; and the others, features at hand."""
    ran: dict[int, Ran] = {}
    tasks: list[_Task] = []
    known: dict[str, _Known] = {}
    trained: frozenset[str] = frozenset()
    for number, job in enumerate(jobs):
        try:
            own = known.setdefault(job.entry.name, _Known(job.entry))
            solution = own.solution(settings)
            if not fresh and (found := find_run(solution, job.entry, data, split, settings, seed=job.seed)):
                ran[number] = ItemResult(job, found)
                continue
            trains = frozenset(f"{training}, seed {job.seed}" for training in own.trainings(settings, data, split))
        except AbawError as error:
            ran[number] = ItemResult(job, error=error)
        else:
            # under --fresh a head is trained anew once, by the first run that needs it
            tasks.append(_Task(number, job, trains, reuse=not fresh or (bool(trains) and trains <= trained)))
            trained |= trains
    return ran, tasks


@dataclass
class _Known:
    """A solution that several jobs are of: it is made, and its features are, once; so is the attempt."""

    entry: SolutionEntry
    _solution: Solution | AbawError | None = None
    _trainings: frozenset[str] | AbawError | None = None

    def solution(self, settings: Settings) -> Solution:
        """Made here, to be asked; raises what making it raised."""
        if self._solution is None:
            self._solution = _tried(lambda: self.entry.create(settings))
        if isinstance(self._solution, AbawError):
            raise self._solution
        return self._solution

    def trainings(self, settings: Settings, data: Dataset, split: str) -> frozenset[str]:
        """Names of what its runs train, when their features are there; raises what making those raised."""
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
    """Features made, by video; names of what its runs train."""
    if not isinstance(solution, Preparing):
        return frozenset()
    solution.prepare(data, split)
    return solution.trainings()


def _cores_of(entries: Sequence[SolutionEntry]) -> int | None:
    """Cores that one run of any of them keeps busy; ``None`` for all that there are."""
    cores = [entry.cores for entry in entries]
    return None if None in cores else max(core for core in cores if core is not None)
