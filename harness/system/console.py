"""Rich's console with texts cleaned: see :mod:`harness.system.terminal`, which needs no such library."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from harness.system.terminal import CleanStream, clean


class Terminal(Console):
    """Console that prints texts cleaned and otherwise unchanged: ``[b]`` and ``:a:`` are printed so.

    Args:
        options: options of Rich's console; markup, emoji codes and highlighting are off by default. Colours and bold
            type are off if the environment variable ``NO_COLOR`` is set.
    """

    def __init__(self, **options: Any) -> None:
        """Make the console."""
        plain = {"color_system": None} if os.environ.get("NO_COLOR") else {}
        super().__init__(**({"markup": False, "emoji": False, "highlight": False} | plain | options))

    @property
    def file(self) -> IO[str]:
        """Stream that the console writes to."""
        stream: Any = Console.file.fget(self)  # type: ignore[attr-defined]
        return stream.raw if isinstance(stream, CleanStream) else stream

    @file.setter
    def file(self, stream: IO[str]) -> None:
        Console.file.fset(self, stream)  # type: ignore[attr-defined]

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as Rich lays it out, cleaned before it is measured."""
        return super().render_str(clean(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the printed segments, cleaned also if their source is another object than text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)
