"""``make bench``: lines as they come, a table at the end, results as a file, and data as large as the competition's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.benchmarks.drawn import official_frames, videos_like
from tests.benchmarks.results_file import keep
from tests.benchmarks.side_by_side import Growth, Row, each_beside, growth, side_by_side, table

_ROWS = pytest.StashKey[list[Row]]()
_GROWTH = pytest.StashKey[list[Growth]]()


@pytest.fixture
def beside(request: pytest.FixtureRequest) -> Callable[..., Row]:
    """Time both sides (see :func:`side_by_side.side_by_side`), print the line, and keep it for the table."""

    def compare(*arguments: Any, **options: Any) -> Row:
        row = side_by_side(*arguments, **options)
        request.config.stash.setdefault(_ROWS, []).append(row)
        print(f"\n{row.line()} ", end="", flush=True)
        return row

    return compare


@pytest.fixture
def beside_each(request: pytest.FixtureRequest) -> Callable[..., list[Row]]:
    """The same for several of ours beside one of theirs (see :func:`side_by_side.each_beside`)."""

    def compare(*arguments: Any, **options: Any) -> list[Row]:
        rows = each_beside(*arguments, **options)
        request.config.stash.setdefault(_ROWS, []).extend(rows)
        print("".join(f"\n{row.line()}" for row in rows), end=" ", flush=True)
        return rows

    return compare


@pytest.fixture
def grows(request: pytest.FixtureRequest) -> Callable[..., Growth]:
    """Time one thing at several sizes (see :func:`side_by_side.growth`), print the line, and keep it for the end."""

    def measure(*arguments: Any, **options: Any) -> Growth:
        found = growth(*arguments, **options)
        request.config.stash.setdefault(_GROWTH, []).append(found)
        print(f"\n{found.line()} ", end="", flush=True)
        return found

    return measure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows, growths = config.stash.get(_ROWS, []), config.stash.get(_GROWTH, [])
    if rows:
        terminalreporter.section(f"theirs and ours in turn, {os.cpu_count()} cores: medians, ratio (lowest–highest)")
        terminalreporter.write_line(table(rows))
    if growths:
        terminalreporter.section("how ours grows")
        terminalreporter.write_line("\n".join(one.line() for one in growths))
    if rows or growths:
        terminalreporter.write_line(f"\nkept in {keep(rows, growths)}")


@pytest.fixture(scope="session")
def expr_test() -> Mapping[str, int]:
    """Official frames of every video of the EXPR test set: 228 videos, 1,022,655 frames."""
    return official_frames("expr_test_n")


@pytest.fixture(scope="session")
def expr_val() -> Mapping[str, int]:
    """As EXPR's validation set: 70 videos, 280,532 frames."""
    return videos_like(70, 280_532)


@pytest.fixture(scope="session")
def va_val() -> Mapping[str, int]:
    """As VA's validation set: 76 videos, 376,323 frames."""
    return videos_like(76, 376_323)
