"""Pieces of Markdown that the generated pages share."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_MARKUP = {character: f"&#{ord(character)};" for character in "|*_[]"}
GENERATED = "<!-- Generated from the code by docs/generate; changes to this file are lost. -->"


def slug(text: str) -> str:
    """Return an anchor: lower-case words and numbers joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def cell(text: object) -> str:
    """Return a text that is safe inside a cell of a table: one line, without bars, links or markup of its own."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    return "".join(_MARKUP.get(character, character) for character in line)


def code(text: object) -> str:
    """Return a text as code inside a line or a cell."""
    return f"<code>{html.escape(' '.join(str(text).split()), quote=False).replace('|', '&#124;')}</code>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def fenced(text: str, language: str = "text") -> str:
    """Return a block of code."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def without_roles(text: str) -> str:
    """Return a docstring as Markdown: roles of reStructuredText and double backticks become code."""
    return re.sub(r"(?::(?:class|func|meth|mod|data|attr):)?``?([^`]+)``?", r"`\1`", text)


def page(title: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n".join((f"# {title}", "", *parts)).rstrip() + f"\n\n{GENERATED}\n"
