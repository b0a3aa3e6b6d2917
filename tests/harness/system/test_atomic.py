"""Whole, or not there at all: also when the process is killed, or the disk is full."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from harness.errors import StorageError
from harness.system.atomic import (
    PARTIAL,
    _exchange,
    atomic_file,
    atomic_folder,
    atomic_path,
    numbered_path,
    sweep_partials,
    write_text,
)
from tests.support.places import REPOSITORY


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def disk_is_full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new/file.txt"
    with atomic_file(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert names(path.parent) == ["file.txt"]


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with atomic_file(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(StorageError, match="the disk is full, nothing was left half-written"):
        write_text(tmp_path / "file.txt", "x")
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", ["stream.write(bytes(100_000))", "numpy.save(stream, numpy.zeros(100_000))"])
def test_file_size_limit_is_reported_and_leaves_no_file(tmp_path, python, write):
    code = f"""
        import pathlib, resource, numpy
        from harness.system.atomic import atomic_file
        from harness.errors import StorageError
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with atomic_file(pathlib.Path(argument)) as stream:
                {write}
        except StorageError as error:
            print(error)
    """
    out, err = python(code, tmp_path / "file.npy").communicate(timeout=60)
    assert "the disk is full" in out, err
    assert names(tmp_path) == []


def test_a_file_that_is_opened_by_name(tmp_path):
    with atomic_path(tmp_path / "file") as place:
        assert not place.exists()
        place.write_text("whole")
        assert names(tmp_path) == [place.name]
    assert names(tmp_path) == ["file"]
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "file") as place:
        place.write_text("half")
        raise RuntimeError
    assert (tmp_path / "file").read_text() == "whole"
    assert names(tmp_path) == ["file"]


def test_a_file_that_was_never_written_is_said(tmp_path):
    with pytest.raises(StorageError, match="can't write"), atomic_path(tmp_path / "file"):
        pass
    assert names(tmp_path) == []


def test_a_number_that_is_free(tmp_path):
    path = tmp_path / "results.duckdb"
    assert numbered_path(path, "broken").name == "results.duckdb.broken-1"
    (tmp_path / "results.duckdb.broken-1").write_text("x")
    (tmp_path / "results.duckdb.broken-3").write_text("x")
    assert numbered_path(path, "broken").name == "results.duckdb.broken-2"


def test_a_parent_that_is_a_file_is_said(tmp_path):
    write_text(tmp_path / "file", "x")
    with pytest.raises(StorageError, match="can't write"):
        write_text(tmp_path / "file/below", "x")
    with pytest.raises(StorageError, match="can't write"), atomic_folder(tmp_path / "file/below"):
        pass


@pytest.mark.parametrize("place", ["atomic_file", "atomic_folder"])
def test_a_kill_leaves_nothing_under_the_final_name(tmp_path, python, place):
    code = f"""
        import os, pathlib, signal
        from harness.system.atomic import {place}
        with {place}(pathlib.Path(argument)) as made:
            if hasattr(made, "write"):
                made.write(b"half"), made.flush()
            else:
                (made / "half").write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    process = python(code, tmp_path / "final")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    left = names(tmp_path)
    assert len(left) == 1
    assert left[0].startswith(f"{PARTIAL}final-")


def test_permissions_are_those_the_umask_allows(tmp_path):
    earlier = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "x")
        with atomic_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ("ä" * 127)
    write_text(path, "x")
    assert path.read_text() == "x"


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "run").exists()
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["file"]


def test_a_folder_that_fails_disappears(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run") as folder:
        (folder / "file").write_text("x")
        raise RuntimeError
    assert names(tmp_path) == []


def test_an_occupied_folder_is_refused_before_any_work(tmp_path):
    write_text(tmp_path / "run/file", "mine")
    with pytest.raises(StorageError, match="already there"), atomic_folder(tmp_path / "run"):
        pytest.fail("work was done for nothing")
    assert (tmp_path / "run/file").read_text() == "mine"


def test_a_folder_occupied_meanwhile_is_refused(tmp_path):
    with pytest.raises(StorageError, match="already there"), atomic_folder(tmp_path / "run"):
        write_text(tmp_path / "run/file", "theirs")
    assert (tmp_path / "run/file").read_text() == "theirs"
    assert names(tmp_path) == ["run"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "file").write_text("x")
    assert names(tmp_path / "run") == ["file"]


@pytest.fixture(params=["in one step", "in two steps"])
def swap(request, monkeypatch):
    """How a folder is replaced: as Linux can, and as every system can."""
    if request.param == "in two steps":
        monkeypatch.setattr("harness.system.atomic._renameat2", None)
    return request.param


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux swaps two folders in one step")
def test_a_folder_is_swapped_in_one_step_where_the_system_can(tmp_path):
    write_text(tmp_path / "a/file", "a")
    write_text(tmp_path / "b/file", "b")
    assert _exchange(tmp_path / "a", tmp_path / "b")
    assert ((tmp_path / "a/file").read_text(), (tmp_path / "b/file").read_text()) == ("b", "a")
    assert not _exchange(tmp_path / "a", tmp_path / "absent")


def test_replacing_keeps_the_old_until_the_new_is_whole(tmp_path, swap):
    write_text(tmp_path / "run/old", "x")
    with atomic_folder(tmp_path / "run", replace=True) as folder:
        (folder / "new").write_text("x")
        assert names(tmp_path / "run") == ["old"]
    assert names(tmp_path / "run") == ["new"]
    assert names(tmp_path) == ["run"]


def test_replacing_that_fails_keeps_the_old(tmp_path, swap):
    write_text(tmp_path / "run/old", "x")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run", replace=True):
        raise RuntimeError
    assert names(tmp_path / "run") == ["old"]
    assert names(tmp_path) == ["run"]


def test_a_rename_that_fails_puts_the_old_back(tmp_path, swap):
    write_text(tmp_path / "run/old", "x")
    with pytest.raises(StorageError), atomic_folder(tmp_path / "run", replace=True) as folder:
        folder.rmdir()
    assert names(tmp_path / "run") == ["old"]
    assert names(tmp_path) == ["run"]


def test_processes_may_replace_the_same_folder(tmp_path, python, swap, repetitions):
    code = """
        import pathlib
        import harness.system.atomic
        if argument["swap"] == "in two steps":
            harness.system.atomic._renameat2 = None
        for k in range(argument["times"]):
            with harness.system.atomic.atomic_folder(pathlib.Path(argument["folder"]), replace=True) as folder:
                (folder / "file").write_text("x")
    """
    argument = {"folder": tmp_path / "run", "swap": swap, "times": repetitions(40, 100)}
    processes = [python(code, argument) for _ in range(3)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["file"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux swaps two folders in one step")
def test_a_folder_that_is_replaced_is_there_at_every_moment(tmp_path, python):
    code = """
        import pathlib
        from harness.system.atomic import atomic_folder
        for k in range(200):
            with atomic_folder(pathlib.Path(argument), replace=True) as folder:
                (folder / "file").write_text("x")
    """
    write_text(tmp_path / "run/file", "x")
    process = python(code, tmp_path / "run")
    misses = looks = 0
    while process.poll() is None:
        looks += 1
        misses += not os.path.lexists(tmp_path / "run")
    assert misses == 0
    assert looks > 500


@pytest.fixture
def half_done(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a file and of a folder."""
    code = """
import pathlib, sys, time
from harness.system.atomic import atomic_file, atomic_folder
place = pathlib.Path(sys.argv[1])
with atomic_file(place / "file"), atomic_folder(place / "run") as folder:
    (folder / "model").mkdir()
    print("ready", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.process
def test_what_a_living_process_is_at_stays_however_old_it_looks(tmp_path, half_done):
    """A clock that jumps, or a file that grows over a night."""
    assert len(names(tmp_path)) == 2
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    sweep_partials(tmp_path)
    assert len(names(tmp_path)) == 2


@pytest.mark.process
@pytest.mark.parametrize("waited", [True, False])
def test_what_a_killed_process_left_goes_at_once(tmp_path, half_done, waited):
    """Also while its parent has not asked how it ended."""
    half_done.kill()
    if waited:
        half_done.wait()
    else:
        os.waitid(os.P_PID, half_done.pid, os.WEXITED | os.WNOWAIT)
    sweep_partials(tmp_path)
    assert names(tmp_path) == []


def test_what_another_machine_left_goes_when_it_is_a_day_old(tmp_path):
    """So does what an earlier version left, whose names say nothing of a process."""
    elsewhere = [f"{PARTIAL}{name}" for name in ("a-1234abcd", "b-00000000.1.1-1234abcd", "c--1234abcd")]
    for name in elsewhere:
        (tmp_path / name / "model").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - 80_000,) * 2)
    (tmp_path / "run").mkdir()
    sweep_partials(tmp_path)
    assert names(tmp_path) == [*elsewhere, "run"]
    for name in (*elsewhere, "run"):
        os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    sweep_partials(tmp_path)
    assert names(tmp_path) == ["run"]
    sweep_partials(tmp_path / "absent")


def test_reused_process_number_does_not_protect_partial_files(tmp_path):
    with atomic_path(tmp_path / "file") as temporary:
        own = f".{os.getpid()}."
        stale = tmp_path / temporary.name.replace(own, f"{own}1")
        assert stale != temporary
        stale.write_text("half")
        temporary.write_text("whole")
        sweep_partials(tmp_path)
        assert names(tmp_path) == [temporary.name]
