"""Things that are no regular files, to be put in the place of one; and a guard against waiting for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

KINDS = {
    "pipe": "a pipe",
    "socket": "a socket",
    "folder": "Is a directory",
    "link to a pipe": "a pipe",
    "link to a device": "a device",
    "link to nothing": "a link that leads to nothing",
    "link in a circle": "a link that leads in a circle",
}
"""By name, the words that a message has for it."""


def put(kind: str, path: Path) -> Path:
    """Put a special file where a file, or nothing, was."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    pipe = path.with_name(f"{path.name}-pipe")
    pipe.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):  # its name may have 100 letters
            made.bind(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a pipe":
        os.mkfifo(pipe)
        path.symlink_to(pipe.name)
    elif kind == "link to a device":
        path.symlink_to("/dev/null")
    elif kind == "link to nothing":
        path.symlink_to("nothing-of-this-name")
    else:
        path.symlink_to(path.name)
    return path


@contextlib.contextmanager
def at_once(seconds: float = 10.0) -> Iterator[None]:
    """Fail where the block waits for something: a pipe that nobody writes to is waited for without an end."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
