"""Time what one would run today and ours in one process, in turn, and print both on one line.

In turn, so that a busy machine slows both; the ratio is taken pair by pair. Nothing is asserted on time: the first
pair's results are compared, so that both sides are known to do the same work.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison: medians in seconds; ``ratio``, theirs over ours, as median, lowest and highest of the pairs."""

    what: str
    size: str
    today: str
    theirs: float
    ours: float
    ratio: tuple[float, float, float]

    HEADER = ("what", "size", "today", "theirs", "ours", "times as fast")

    def cells(self) -> tuple[str, ...]:
        middle, low, high = map(_factor, self.ratio)
        return self.what, self.size, self.today, _seconds(self.theirs), _seconds(self.ours), f"{middle} ({low}–{high})"

    def line(self) -> str:
        what, size, today, theirs, ours, ratio = self.cells()
        return f"{what}, {size}: {today} {theirs}, ours {ours}, {ratio} times as fast"


def side_by_side(
    what: str,
    size: str,
    today: str,
    *,
    theirs: Callable[[], Any],
    ours: Callable[[], Any],
    same: Callable[[Any, Any], None],
    repeats: int = 5,
    share: float = 1,
) -> Row:
    """Time both sides ``repeats`` times, in turn, each first every other time.

    Args:
        today: what one would run today, in a few words; it says so if only a share of the work is timed.
        same: asserts that both results (theirs, ours) agree.
        share: part of the work that ``theirs`` does; its time is divided by it.
    """
    taken = _in_turn({"theirs": theirs, "ours": ours}, repeats, lambda found: same(found["theirs"], found["ours"]))
    return _row(what, size, today, [seconds / share for seconds in taken["theirs"]], taken["ours"])


def each_beside(
    size: str,
    today: str,
    *,
    theirs: Callable[[], Any],
    ours: Mapping[str, tuple[Callable[[], Any], Callable[[Any, Any], None]]],
    repeats: int = 3,
) -> list[Row]:
    """As :func:`side_by_side`, for several of ours beside one of theirs that is slow: it runs once a round.

    Args:
        ours: by what it is; what runs it, and ``same``.
    """

    def same(found: Mapping[str, Any]) -> None:
        for what, (_, check) in ours.items():
            check(found[""], found[what])

    taken = _in_turn({"": theirs, **{what: work for what, (work, _) in ours.items()}}, repeats, same)
    return [_row(what, size, today, taken[""], taken[what]) for what in ours]


def _in_turn(
    sides: Mapping[str, Callable[[], Any]], repeats: int, same: Callable[[Mapping[str, Any]], None]
) -> dict[str, list[float]]:
    """Seconds that each side takes, round by round, forwards and backwards; ``same`` sees what the first round gave."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for k in range(repeats):
        results = {}
        for name in list(sides)[:: -1 if k % 2 else 1]:
            gc.collect()
            start = time.perf_counter()
            results[name] = sides[name]()
            taken[name].append(time.perf_counter() - start)
        if k == 0:
            same(results)
    return taken


def _row(what: str, size: str, today: str, theirs: list[float], ours: list[float]) -> Row:
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    return Row(
        what,
        size,
        today,
        statistics.median(theirs),
        statistics.median(ours),
        (statistics.median(ratios), min(ratios), max(ratios)),
    )


@dataclass(frozen=True)
class Growth:
    """How the time of one thing grows with its size: medians in seconds.

    Attributes:
        factors: by size, how many times as long it took as the size before, as median of the rounds.
    """

    what: str
    unit: str
    seconds: dict[int, float]
    factors: dict[int, float]

    def line(self) -> str:
        steps = []
        for n, taken in self.seconds.items():
            before = f", {self.factors[n]:.2f} times the one before" if n in self.factors else ""
            steps.append(f"{n:,} {self.unit} {_seconds(taken)} ({taken / n * 1e6:.3g} µs each{before})")
        return f"{self.what}: {', '.join(steps)}"


def growth(
    what: str,
    unit: str,
    work: Mapping[int, Callable[[], Any]],
    *,
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Growth:
    """Time the same work at several sizes, in turn.

    Args:
        clock: seconds; ``time.process_time`` for the work of this process alone, whatever else the machine does.
    """
    taken: dict[int, list[float]] = {n: [] for n in work}
    for _ in range(repeats):
        for n, function in work.items():
            gc.collect()
            start = clock()
            function()
            taken[n].append(clock() - start)
    factors = {
        n: statistics.median(b / a for a, b in zip(taken[smaller], taken[n], strict=True))
        for smaller, n in itertools.pairwise(taken)
    }
    return Growth(what, unit, {n: statistics.median(seconds) for n, seconds in taken.items()}, factors)


def table(rows: list[Row]) -> str:
    """All rows as a Markdown table with aligned columns."""
    cells = [Row.HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _seconds(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _factor(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"
