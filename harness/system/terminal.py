"""What reaches a terminal: text in which nothing can move the cursor, change colours, hide, or pose as other lines.

Names, notes and messages come from files of strangers. A terminal takes some characters for commands, and shows others
as nothing or backwards. Here they become visible escapes: ``\\x1b``, ``\\u202e``. Letters of all languages stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any

QUIET, VERBOSE = "ABAW_QUIET", "ABAW_VERBOSE"
"""Environment variables that tell this process, and its workers, how much to say."""

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"  # direction of writing, invisible
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # line and paragraph separators, byte order mark, annotations
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of characters, which no encoding holds; invisible tags
)


def shown_notes(texts: Iterable[str]) -> list[str]:
    """Return notes that a command is to print: all of them, or none under ``--quiet``."""
    return [] if os.environ.get(QUIET) else list(texts)


def clean(text: str) -> str:
    """Return a text with what a terminal would obey, or show as nothing, written as escapes; line breaks stay.

    >>> clean("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _COMMANDS.sub(_escape, text)


def one_line(text: object) -> str:
    """Return a name, or other words of somebody else, cleaned and without line breaks or tabs.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return clean(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def clean_json(text: str) -> str:
    """Return JSON cleaned: the same content, with JSON's own escapes."""
    return _COMMANDS.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class CleanStream:
    """A text stream that cleans what is written to it; all else is the stream's.

    It says that it is no terminal, so that libraries write no commands to it. Our own
    :class:`harness.system.console.Terminal` goes past it.

    Attributes:
        raw: the stream behind.
    """

    def __init__(self, raw: IO[str]) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text, cleaned; a bar of progress may begin with a return to the line's first column."""
        start = "\r" if text.startswith("\r") else ""
        body = text[len(start) :]
        end = "\r\n" if body.endswith("\r\n") else ""
        self.raw.write(start + clean(body[: len(body) - len(end)]) + end)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts, cleaned."""
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """Return False: what is written here is text alone."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Clean whatever is written to stdout and stderr while the block runs, by whomever."""
    before = sys.stdout, sys.stderr
    try:
        if not isinstance(sys.stdout, CleanStream) and sys.stdout is not None:
            sys.stdout = CleanStream(sys.stdout)
        if not isinstance(sys.stderr, CleanStream) and sys.stderr is not None:
            sys.stderr = CleanStream(sys.stderr)
        yield
    finally:
        sys.stdout, sys.stderr = before
