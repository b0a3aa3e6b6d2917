"""Progress of a whole job: its steps in order, where it is, and about how much time is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.system.counts import counted, duration

_ENOUGH = 0.5  # seconds of work before its rate is believed


@dataclass(frozen=True)
class Step:
    """One step of a job.

    Attributes:
        run: place of the run that it belongs to.
        kind: what begins it, such as ``encode tiny`` or ``train``; of one solution, steps of a kind take alike.
        title: in words.
        solution: name of the run's solution.
        seconds: estimate; ``None`` where nothing like it was measured.
        amount: units of work, such as frames to be encoded; ``None`` where they are not counted.
        pieces: pieces of work that are counted one by one, such as heads; they take alike.
    """

    run: int
    kind: str
    title: str
    solution: str = ""
    seconds: float | None = None
    amount: int | None = None
    pieces: int = 1


@dataclass
class _State:
    """Seconds that a step took so far, units of work done, and the number and units of its pieces that have begun."""

    seconds: float = 0.0
    done: int = 0
    total: int = 0
    pieces: int = 0
    over: bool = False


@dataclass
class Job:
    """A job under way.

    Work that comes in pieces, as features of each split are encoded when they are needed, is counted as one step: it
    begins with the first piece, and what is left of it counts until the end of its run.

    Args:
        steps: in order.
        clock: seconds, from any start.
    """

    steps: Sequence[Step]
    clock: Callable[[], float] = time.monotonic
    _states: list[_State] = field(init=False)
    _at: int = field(init=False, default=-1)
    _run: int = field(init=False, default=-1)
    _since: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Begin before the first step."""
        self._states = [_State() for _ in self.steps]

    def next_run(self) -> None:
        """End the run that is under way, whether it took all of its steps or none, and begin the next one."""
        self._stop()
        for step, state in zip(self.steps, self._states, strict=True):
            state.over = state.over or step.run <= self._run
        self._run += 1

    def begin(self, kind: str = "") -> bool:
        """Begin a step of the run that is under way. Return True where the job has moved on to another step.

        Args:
            kind: of the step, by default that of the run's first one; a kind that the job lacks is part of the step
                before it.
        """
        place = next((k for k, s in enumerate(self.steps) if s.run == self._run and kind in ("", s.kind)), None)
        if place is None or place <= self._at:
            return False
        self._stop()
        self._at, self._since = place, self.clock()
        return True

    def _stop(self) -> None:
        if self._at >= 0 and not self._states[self._at].over:
            state = self._states[self._at]
            if self.steps[self._at].amount is None:
                state.seconds += self.clock() - self._since
                state.over = True

    @contextlib.contextmanager
    def piece(self, kind: str, total: int) -> Iterator[Callable[[int], None]]:
        """Count a piece of a step's work while the block runs; it yields a function to call with units just done."""
        place = next((k for k, s in enumerate(self.steps) if (s.run, s.kind) == (self._run, kind)), None)
        if place is None or total <= 0:
            yield lambda n: None
            return
        state, start, before = self._states[place], self.clock(), self._states[place].seconds
        state.total, state.pieces = state.total + total, state.pieces + 1

        def advance(n: int) -> None:
            state.done += n
            state.seconds = before + self.clock() - start

        try:
            yield advance
        finally:
            state.seconds = before + self.clock() - start
            self._since = self.clock()

    def left(self) -> tuple[float, bool]:
        """Return the seconds that are left, as far as they can be told, and whether that is all of them."""
        known, whole = 0.0, True
        for k in range(len(self.steps)):
            seconds = self._left_of(k)
            whole = whole and seconds is not None
            known += seconds or 0.0
        return known, whole

    def _left_of(self, place: int) -> float | None:
        step, state = self.steps[place], self._states[place]
        if state.over:
            return 0.0
        amount = state.total * step.pieces / max(state.pieces, 1) if step.amount is None else step.amount
        if state.done and state.seconds > _ENOUGH:
            return max(amount - state.done, 0) * state.seconds / state.done
        if state.done and step.seconds is not None:
            return step.seconds * max(amount - state.done, 0) / amount
        expected = step.seconds if step.seconds is not None else self._measured(step)
        if expected is None or place != self._at:
            return expected
        return max(expected - (self.clock() - self._since), 0.0)

    def _measured(self, step: Step) -> float | None:
        """Return the mean seconds of steps alike that this job has behind it."""
        alike = [
            state.seconds
            for other, state in zip(self.steps, self._states, strict=True)
            if state.over and state.seconds and (other.kind, other.solution) == (step.kind, step.solution)
        ]
        return sum(alike) / len(alike) if alike else None

    @property
    def line(self) -> str:
        """One line: the step, of how many, and the time that is left."""
        if self._at < 0:
            return counted(len(self.steps), "step")
        step = self.steps[self._at]
        seconds, whole = self.left()
        time_left = f", {'about' if whole else 'at least'} {duration(seconds)} left" if seconds >= 1 else ""
        return f"step {self._at + 1} of {len(self.steps)}: {step.title}{time_left}"


_jobs: list[Job] = []


def current_job() -> Job | None:
    """Return the job that this process is at; ``None`` where it is at single pieces of work."""
    return _jobs[-1] if _jobs else None


@contextlib.contextmanager
def whole_job(steps: Sequence[Step]) -> Iterator[Job]:
    """Count the steps of a job while the block runs."""
    job = Job(tuple(steps))
    _jobs.append(job)
    try:
        yield job
    finally:
        _jobs.remove(job)


@contextlib.contextmanager
def hidden_jobs() -> Iterator[None]:
    """Leave the job under way out of what is shown while the block runs, because other processes take its steps."""
    jobs = list(_jobs)
    _jobs.clear()
    try:
        yield
    finally:
        _jobs[:] = jobs
