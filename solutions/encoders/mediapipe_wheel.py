"""What every encoder out of mediapipe's wheel needs: a message where it can't be loaded, and a clean screen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from harness.errors import MissingDependencyError, install_command, problem

_SYSTEM_PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libGLESv2.so": "libgles2",
    "libgthread-2.0.so": "libglib2.0-0",
    "libglib-2.0.so": "libglib2.0-0",
}


def missing(encoder: str, error: ImportError) -> MissingDependencyError:
    """The project's error for a failed import of mediapipe, with the one command that mends it."""
    text = str(error)
    for library, package in _SYSTEM_PACKAGES.items():
        if library in text:
            do = f"As root: apt-get install -y {package}"
            return MissingDependencyError(problem("MediaPipe lacks a library of the system", found=text, do=do))
    return MissingDependencyError(
        problem(f"{encoder} needs MediaPipe", found=text, do=f"Run: {install_command('mediapipe')}")
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what C++ writes to stderr, and show it after all if a Python exception ends the block.

    MediaPipe's start-up log can't be switched off: it writes to file descriptor 2 before any option is read.
    """
    try:
        saved = os.dup(2)
    except OSError:  # a service may run without a stderr
        yield
        return
    if sys.stderr is not None:  # neither has pythonw
        sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
