"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.system.job import current_job
from harness.system.terminal import QUIET

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

    from harness.system.console import Terminal

_PLAIN_INTERVAL = 10.0


@functools.cache
def console() -> Terminal:
    """Return the console of progress, made at the first call, as the import of Rich takes long."""
    from harness.system.console import Terminal

    return Terminal(stderr=True)


def begin_step(kind: str = "") -> None:
    """Begin a step of the job that is under way, and say so on stderr; a kind that the job lacks changes nothing.

    Args:
        kind: of the step, see :class:`harness.system.job.Step`; by default the first one of the run.
    """
    job = current_job()
    if job is not None and job.begin(kind) and not os.environ.get(QUIET):
        console().print(job.line, soft_wrap=True)


def _bar() -> Progress:
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class BelowJob(Progress):
        def get_renderables(self) -> Iterator[Text | Table]:
            if (job := current_job()) is not None:
                yield Text(job.line)
            yield self.make_tasks_table(self.tasks)

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(_rate(speed, f" {task.fields['unit']}") if speed else "", style="progress.data.speed")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    return BelowJob(*columns, console=console())


def _rate(speed: float, unit: str = "") -> str:
    """Return a rate per second, or per minute if it is below one per second."""
    return f"{speed:,.0f}{unit}/s" if speed >= 1 else f"{speed * 60:.1f}{unit}/min"


def _amount(number: int, units: str) -> str:
    """Return a number with its units, which are named in plural: ``1 frame``, ``2 seconds of audio``."""
    named = re.sub(r"s\b", "", units, count=1) if number == 1 else units
    return f"{number:,} {named}"


@contextlib.contextmanager
def progress(title: str, total: int, unit: str, *, step: str = "") -> Iterator[Callable[[int], None]]:
    """Show progress while the block runs, beside that of the whole job where one is under way.

    Args:
        title: name of the work.
        total: number of units of work.
        unit: name of the units in plural, such as ``frames``.
        step: kind of the job's step that this work belongs to, such as ``encode tiny``; empty for a part of the step
            under way.

    Yields:
        A function to call with the number of units just done.
    """
    job = current_job() if step else None
    if job is None:
        with _shown(title, total, unit) as advance:
            yield advance
        return
    begin_step(step)
    with job.piece(step, total) as count, _shown(title, total, unit) as advance:

        def both(n: int) -> None:
            count(n)
            advance(n)

        yield both


@contextlib.contextmanager
def _shown(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show progress of one piece of work while the block runs."""
    if os.environ.get(QUIET):
        yield lambda n: None
        return
    if console().is_terminal:
        with _bar() as bar:
            task = bar.add_task(title, total=total, unit=unit)
            yield lambda n: bar.advance(task, n)
        return
    start = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= _PLAIN_INTERVAL and done < total:
            last, rate = now, done / (now - start)
            left = f", {(total - done) / rate:,.0f} s left" if rate else ""
            whole = f"; {job.line}" if (job := current_job()) else ""
            amount = f"{done:,}/{_amount(total, unit)}"
            console().print(f"{title}: {amount}, {_rate(rate)}{left}{whole}", soft_wrap=True)

    yield advance
    took = time.monotonic() - start
    console().print(f"{title}: {_amount(done, unit)} in {took:.1f} s")
