"""Files opened without waiting for what is none, read whole or refused beyond a limit."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness.system import regular
from harness.system.regular import NoRegularFileError, broken_link, is_taken, kind_of, open_file, read_file, read_text
from tests.support.special_files import KINDS, at_once, put


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", [read_file, open_file, read_text, regular.require_file])
def test_special_file_is_refused_with_what_it_is(tmp_path, kind, read):
    path = put(kind, tmp_path / "file")
    with at_once(), pytest.raises(OSError) as caught:
        read(path)
    assert KINDS[kind] in caught.value.strerror
    assert caught.value.filename == str(path)
    assert isinstance(caught.value, IsADirectoryError if kind == "folder" else NoRegularFileError)
    assert is_taken(path)


def test_missing_file_is_missing(tmp_path):
    for read in (read_file, open_file, regular.require_file):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "file")
    assert not is_taken(tmp_path / "file")
    assert broken_link(tmp_path / "file") is None


def test_device_is_not_even_opened(tmp_path, monkeypatch):
    put("link to a device", tmp_path / "file")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(NoRegularFileError, match="a device, where a file belongs"):
        read_file(tmp_path / "file")


def test_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    status = path.stat()
    put("pipe", path)
    monkeypatch.setattr(os, "stat", lambda *_: status)
    with at_once(), pytest.raises(NoRegularFileError, match="a pipe"):
        read_file(path)


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("size", [0, 1, 4096, 100_001])
def test_file_and_link_to_one_are_read_whole(tmp_path, size, link, monkeypatch):
    monkeypatch.setattr(regular, "_MOST_AT_ONCE", 5000)
    path, content = tmp_path / "file", os.urandom(size)
    path.write_bytes(content)
    if link:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    assert read_file(path) == content
    assert read_file(path, size) == content
    with open_file(path) as stream:
        assert stream.read() == content
    assert broken_link(path) is None


def test_file_beyond_the_limit_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(101))
    with pytest.raises(OSError, match="more than 100 bytes"):
        read_file(path, 100)
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_file(Path("/proc/self/status"), 4)  # which says that it has none
    assert read_file(Path("/proc/self/status")).startswith(b"Name:")


def test_kinds_are_named_by_their_mode(tmp_path):
    (tmp_path / "file").touch()
    assert kind_of((tmp_path / "file").stat().st_mode) == kind_of(tmp_path.stat().st_mode) == ""
    assert kind_of(Path(os.devnull).stat().st_mode) == "a device"
    with socket.socket() as made:
        assert kind_of(os.fstat(made.fileno()).st_mode) == "a socket"
