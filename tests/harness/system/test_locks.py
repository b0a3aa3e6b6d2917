"""Locks: one at a time, gone with the process that held them; a queue is never a reason to fail."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time

import pytest
from filelock import FileLock, Timeout

from harness.errors import StorageError
from harness.system import locks as filelock
from harness.system.locks import alone, claim, exclusive, queued

HOLD = """
    import os, pathlib, signal, time
    from harness.system.locks import exclusive
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


def test_lock_is_free_after_the_block_and_after_an_exception(lock):
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


CLAIM = """
    import pathlib
    from harness.system.locks import claim
    held = claim(pathlib.Path(argument))
    print("held" if held else "busy", flush=True)
    sys.stdin.readline()
"""


def test_a_claim_is_one_process_alone(lock, python):
    process = python(CLAIM, lock)
    assert process.stdout.readline() == "held\n"
    assert claim(lock) is None
    process.stdin.write("\n")
    process.stdin.flush()
    process.wait()
    held = claim(lock)
    assert python(CLAIM, lock).stdout.readline() == "busy\n"
    held.release()


def test_a_claim_vanishes_with_its_process(lock, python):
    process = python(CLAIM, lock)
    assert process.stdout.readline() == "held\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert lock.exists()
    claim(lock).release()
    assert not lock.exists()


def test_a_released_claim_leaves_no_file_and_is_released_once(lock):
    first = claim(lock)
    first.release()
    assert not lock.exists()
    second = claim(lock)
    first.release()
    assert lock.exists()
    assert claim(lock) is None
    second.release()


def test_whoever_waits_for_a_claim_is_told_for_what(lock, monkeypatch, caplog):
    monkeypatch.setattr(filelock, "_NOTICE_AFTER", 0.05)
    held = claim(lock)
    timer = threading.Timer(0.3, held.release)
    timer.start()
    with alone(lock, wait_for="it trains a head"):
        assert claim(lock) is None
    timer.join()
    assert [record.getMessage() for record in caplog.records] == ["waiting for another process: it trains a head"]
    assert not lock.exists()


def test_threads_hold_a_claim_one_at_a_time(lock, repetitions):
    """Each finds the file removed by the one before it as often as not."""
    inside, most = [], []

    def work() -> None:
        for _ in range(repetitions(50, 2000)):
            with alone(lock, wait_for="a turn"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert not lock.exists()


def test_a_claim_in_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="can't write"):
        claim(tmp_path / "file/lock")


def test_a_file_system_without_locks_grants_every_claim(lock, monkeypatch):
    def none(descriptor: int, shared: bool) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock, "_locked", none)
    first, second = claim(lock), claim(lock)
    assert first is not None
    assert second is not None
    first.release()
    second.release()
    with queued(lock, shared=False, deadline=time.monotonic() + 60):
        pass


def test_lock_is_filelocks_own(lock):
    """Other programs that use filelock on the same file take turns with ours."""
    other = FileLock(lock, timeout=0)
    with exclusive(lock), pytest.raises(Timeout):
        other.acquire()
    with other, pytest.raises(StorageError), exclusive(lock, patience=0):
        pytest.fail("two hold it")


def test_queue_waits_for_the_exclusive_and_the_shared_alike(lock):
    with exclusive(lock):
        assert in_turn(lock, shared=True) >= 0.2
    with (
        queued(lock, shared=True, deadline=time.monotonic() + 60),
        pytest.raises(StorageError),
        exclusive(lock, patience=0.1),
    ):
        pytest.fail("a writer came in beside a reader")


def test_lock_file_has_the_mode_that_the_umask_leaves(lock):
    """A cache that a team shares: whoever belongs to the group can take the lock, too."""
    before = os.umask(0o002)
    try:
        with exclusive(lock):
            assert lock.stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
