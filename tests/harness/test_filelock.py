"""Locks: one at a time, gone with the process that held them; a queue is never a reason to fail."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harness.errors import StorageError
from harness.filelock import exclusive, queued

HOLD = """
    import os, pathlib, signal, time
    from harness.filelock import exclusive
    with exclusive(pathlib.Path(argument)):
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "new/lock"


@pytest.fixture
def holder(lock, python):
    """A process that holds the lock."""
    process = python(HOLD, lock)
    assert process.stdout.readline() == "held\n"
    return process


def in_turn(lock, *, shared, patience=0.2):
    """Seconds that a turn was waited for."""
    start = time.monotonic()
    with queued(lock, shared=shared, deadline=start + patience):
        return time.monotonic() - start


def test_one_at_a_time(lock, holder):
    with pytest.raises(StorageError, match="another process is at work here"), exclusive(lock, patience=0.2):
        pytest.fail("two hold it")


def test_threads_take_turns_too(lock):
    with exclusive(lock), pytest.raises(StorageError), exclusive(lock, patience=0.1):
        pytest.fail("two hold it")


def test_it_is_there_again_after_the_block_and_after_an_exception(lock):
    with pytest.raises(RuntimeError), exclusive(lock):
        raise RuntimeError
    with exclusive(lock, patience=0):
        pass


def test_it_vanishes_with_its_process(lock, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with exclusive(lock, patience=0):
        pass


def test_whoever_waits_gets_it_next(lock, holder):
    holder.stdin.write("\n")
    holder.stdin.flush()
    with exclusive(lock, patience=10):
        pass


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="can't write"), exclusive(tmp_path / "file/lock"):
        pass


def test_a_queue_waits_and_then_goes_on(lock, holder):
    assert in_turn(lock, shared=False) >= 0.2
    assert in_turn(lock, shared=True) >= 0.2


def test_those_who_share_do_not_wait_for_each_other(tmp_path):
    lock, far = tmp_path / "lock", time.monotonic() + 60
    with queued(lock, shared=True, deadline=far):
        assert in_turn(lock, shared=True, patience=30) < 20
        assert in_turn(lock, shared=False) >= 0.2


def test_a_queue_without_a_lock_file_does_not_wait(tmp_path):
    ran = False
    with queued(tmp_path / "absent/lock", shared=True, deadline=time.monotonic() + 60):
        ran = True
    assert ran
    assert not (tmp_path / "absent").exists()
