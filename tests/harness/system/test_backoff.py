"""Attempts further and further apart: at least one, one past the deadline, and none after it."""

from __future__ import annotations

import time

from harness.system import backoff as module
from harness.system.backoff import backoff


def test_backoff_past_its_deadline_still_gives_one_attempt():
    assert len(list(backoff(time.monotonic() - 1))) == 1


def test_backoff_waits_until_the_deadline_and_tries_once_more():
    deadline = time.monotonic() + 0.2
    moments = [time.monotonic() for _ in backoff(deadline)]
    assert moments[-1] >= deadline > moments[-2]


def test_backoff_doubles_its_waits_up_to_the_longest(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    attempts = backoff(first=1.0, longest=6.0)
    for _ in range(200):
        next(attempts)
    for wait, middle in zip(waits, [1.0, 2.0, 4.0] + [6.0] * 196, strict=True):
        assert middle / 2 <= wait <= middle * 1.5
    assert len(set(waits[3:])) > 100, "processes that wait for the same thing don't try in step"
