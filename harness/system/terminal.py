"""Cleaning of text for a terminal: it then can't move the cursor, change colours, hide, or pose as other lines.

Names, notes and messages come from files of other people. A terminal obeys some characters as commands, and shows
others as nothing or backwards. This module replaces them by visible escapes: ``\\x1b``, ``\\u202e``. Letters of all
languages stay.
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
"""Environment variables that set the amount of output of this process and its workers."""

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"  # direction of writing, invisible
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # line and paragraph separators, byte order mark, annotations
    "\ud800-\udfff\U000e0000-\U000e007f]"  # surrogates, which no encoding holds; invisible tags
)


def shown_notes(texts: Iterable[str]) -> list[str]:
    """Return notes that a command is to print: all of them, or none under ``--quiet``."""
    return [] if os.environ.get(QUIET) else list(texts)


def clean(text: str) -> str:
    """Return a text with commands of a terminal and invisible characters written as escapes; line breaks stay.

    >>> clean("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _COMMANDS.sub(_escape, text)


def one_line(text: object) -> str:
    """Return a name, or another foreign text, cleaned and with line breaks and tabs as escapes.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return clean(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def clean_json(text: str) -> str:
    """Return JSON of equal content in which JSON's own escapes replace such characters."""
    return _COMMANDS.sub(lambda match: json.dumps(match[0])[1:-1], text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class CleanStream:
    """Text stream that cleans all text on its way to another stream; other attributes are those of that stream.

    The stream reports that it is no terminal, to keep libraries from writing commands. Our own
    :class:`harness.system.console.Terminal` writes to ``raw`` directly.

    Attributes:
        raw: the other stream.
    """

    def __init__(self, raw: IO[str]) -> None:
        """Clean text for the stream ``raw``."""
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
        """Return False: this stream takes only text, and no commands of a terminal."""
        return False

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the other stream."""
        return getattr(self.raw, name)


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Clean all text written to stdout and stderr while the block runs."""
    before = sys.stdout, sys.stderr
    try:
        if not isinstance(sys.stdout, CleanStream) and sys.stdout is not None:
            sys.stdout = CleanStream(sys.stdout)
        if not isinstance(sys.stderr, CleanStream) and sys.stderr is not None:
            sys.stderr = CleanStream(sys.stderr)
        yield
    finally:
        sys.stdout, sys.stderr = before
