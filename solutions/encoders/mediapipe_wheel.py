"""Helps every encoder out of mediapipe's wheel: an error where it can't be loaded, a clean screen, a plain locale.

MediaPipe reads its graphs with the C library, which takes letters and decimal points for what the user's locale says:
in Turkish the capital of ``i`` is no ASCII letter, in German ``0.5`` is no number.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import tempfile
from collections.abc import Iterator

from harness.errors import MissingDependencyError, install_command

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
            return MissingDependencyError("MediaPipe lacks a library of the system", found=text, do=do)
    return MissingDependencyError(f"{encoder} needs MediaPipe", found=text, do=f"Run: {install_command('mediapipe')}")


_CATEGORIES = 0x3F
"""Masks of all categories that matter, and of no others, by the headers of glibc, musl and macOS alike."""


@contextlib.contextmanager
def plain_locale() -> Iterator[None]:
    """Give the calling thread the C locale for a block; other threads, and Python's own settings, keep theirs.

    A process has one locale that all threads share, which must not change under those that are at work. The C library
    lets a thread have its own (POSIX ``uselocale``). Text stays UTF-8, so that files opened in the block are read as
    before. Windows has no such thing, and MediaPipe reads numbers there in Python's locale, which is C by default.
    """
    library, own = _c_locale()
    if library is None:
        yield
        return
    before = library.uselocale(own)
    try:
        yield
    finally:
        library.uselocale(before)


@functools.cache
def _c_locale() -> tuple[ctypes.CDLL | None, int | None]:
    """The C library and a handle of its plain locale; ``None`` where a thread can't have its own."""
    if sys.platform == "win32":
        return None, None
    library = ctypes.CDLL(None)
    try:
        library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        library.newlocale.restype = ctypes.c_void_p
        library.uselocale.argtypes = (ctypes.c_void_p,)
        library.uselocale.restype = ctypes.c_void_p
    except AttributeError:
        return None, None
    handle = next(filter(None, (library.newlocale(_CATEGORIES, name, None) for name in (b"C.UTF-8", b"C"))), None)
    return (library, handle) if handle else (None, None)


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
