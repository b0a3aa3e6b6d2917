"""Support for the encoders from mediapipe's wheel: an error if its import fails, a quiet screen, a plain locale.

MediaPipe reads its graphs with the C library, which interprets letters and decimal points by the user's locale: the
Turkish capital of ``i`` is outside ASCII, and German expects ``0,5`` instead of ``0.5``.
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
    """Return the project's error for a failed import of mediapipe, with the command that mends it."""
    text = str(error)
    for library, package in _SYSTEM_PACKAGES.items():
        if library in text:
            do = f"As root: apt-get install -y {package}"
            return MissingDependencyError("MediaPipe lacks a library of the system", found=text, do=do)
    return MissingDependencyError(f"{encoder} needs MediaPipe", found=text, do=f"Run: {install_command('mediapipe')}")


_CATEGORIES = 0x3F
"""Mask of all standard categories, which is the same in the headers of glibc, musl and macOS."""


@contextlib.contextmanager
def plain_locale() -> Iterator[None]:
    """Give the calling thread the C locale for a block; other threads, and Python's settings, keep theirs.

    All threads of a process share one locale, which must not change while others work. The C library supports a locale
    per thread (POSIX ``uselocale``). Text stays UTF-8, so that files opened in the block are read as before. Windows
    lacks this function, and MediaPipe reads numbers there in Python's locale, which is C by default.
    """
    library, handle = _c_locale()
    if library is None:
        yield
        return
    before = library.uselocale(handle)
    try:
        yield
    finally:
        library.uselocale(before)


@functools.cache
def _c_locale() -> tuple[ctypes.CDLL | None, int | None]:
    """Return the C library and a handle of its plain locale; ``None`` on systems without a locale per thread."""
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
    """Hold back the output of C++ code to stderr, and show it if a Python exception ends the block.

    MediaPipe has no option that silences its start-up log: it writes to file descriptor 2 before it reads options.
    """
    try:
        saved = os.dup(2)
    except OSError:  # a service may run without a stderr
        yield
        return
    if sys.stderr is not None:  # None under pythonw
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
