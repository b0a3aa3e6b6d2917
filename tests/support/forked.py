"""How a forked process ends: as an interpreter would, but without what its parent left to be done at its own end."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn


def end_fork(code: int) -> NoReturn:
    """Wait for threads, call what was registered for the end, write out the streams, and end."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
