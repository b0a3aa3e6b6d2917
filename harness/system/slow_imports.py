"""A note on stderr before a library is loaded that takes seconds: without it a command looks as if it hung."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from typing import Any

from harness.system.terminal import QUIET

SLOW = "torch"


class _Announcer(MetaPathFinder):
    """Finder of modules that finds none, and prints a note when the slow library is looked for, once."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Print the note if this is the slow library; let the other finders find it."""
        if fullname == SLOW:
            sys.meta_path.remove(self)
            sys.stderr.write(f"loading {SLOW}, which takes some seconds\n")
            sys.stderr.flush()


@contextlib.contextmanager
def announced_imports() -> Iterator[None]:
    """Print a note at the moment when torch is loaded while the block runs; none if it is there, or under ``--quiet``.

    Some solutions need no torch, so that the note stands at the import itself.
    """
    if SLOW in sys.modules or os.environ.get(QUIET):
        yield
        return
    announcer = _Announcer()
    sys.meta_path.insert(0, announcer)
    try:
        yield
    finally:
        if announcer in sys.meta_path:
            sys.meta_path.remove(announcer)
