"""Results in order, no more tasks begun than there is room for, and nothing at work after the end."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from harness.system.read_ahead import in_order, read_ahead


def test_results_come_in_the_order_of_their_tasks():
    def task(k: int) -> int:
        time.sleep(0.001 * (7 * k % 5))
        return k

    with ThreadPoolExecutor(4) as pool:
        assert list(in_order(pool, (partial(task, k) for k in range(40)), 6)) == list(range(40))


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_tasks_are_asked_for_when_there_is_room(ahead):
    asked: list[int] = []

    def tasks():
        for k in range(20):
            asked.append(k)
            yield partial(int, k)

    with ThreadPoolExecutor(2) as pool:
        for done, result in enumerate(in_order(pool, tasks(), ahead), 1):
            assert result == done - 1
            assert len(asked) == min(20, done + ahead)


def test_tasks_that_have_not_begun_are_dropped_at_the_end():
    begun: list[int] = []
    go_on = threading.Event()

    def task(k: int) -> int:
        begun.append(k)
        if k:
            go_on.wait(10)
        return k

    with ThreadPoolExecutor(1) as pool:
        results = in_order(pool, (partial(task, k) for k in range(20)), 10)
        assert next(results) == 0
        results.close()
        go_on.set()
    assert len(begun) <= 2


def test_error_of_a_task_is_raised_in_its_turn():
    def task(k: int) -> int:
        return 1 // (3 - k)

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, (partial(task, k) for k in range(9)), 8)
        assert [next(results) for _ in range(3)] == [0, 0, 1]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_one_item_is_read_while_another_is_used():
    read: list[int] = []
    second = threading.Event()

    def items():
        for k in range(4):
            read.append(k)
            if k == 1:
                second.set()
            yield k

    with contextlib.closing(read_ahead(items())) as ahead:
        assert next(ahead) == 0
        assert second.wait(10)
        assert len(read) == 2
        assert list(ahead) == [1, 2, 3]


def test_items_that_are_none_or_empty_are_items():
    assert list(read_ahead(iter([None, [], 0, False]))) == [None, [], 0, False]
