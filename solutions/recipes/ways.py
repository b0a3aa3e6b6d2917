"""Rows that a paper's text and its authors' code compute in different ways: the default, and both by name.

A row is a recipe without a suffix. It follows the way that gives the number which the paper prints, as far as outputs
of the authors' code show it, and its remark says which that is. ``@text`` and ``@code`` name the two ways whatever the
default is; ``@paper`` is the default with the constants that the authors' notebooks print.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from solutions.postprocess.plan import PostProcess
from solutions.recipe import AnyStream, Recipe

TEXT, CODE = "@text", "@code"


@dataclass(frozen=True)
class Way:
    """Streams and post-processing of a row.

    Attributes:
        streams: one or more.
        postprocess: from their scores to decisions.
    """

    streams: tuple[AnyStream, ...]
    postprocess: PostProcess


def rows_of_ways(row: Recipe, *, text: Way | None, code: Way) -> tuple[Recipe, ...]:
    """Return a row and the same by text and by code.

    Args:
        row: the default, whose streams and post-processing are those of one of the ways.
        text: as the paper has it; ``None`` where the row's own streams and post-processing are all that it says.
        code: as the authors' code has it.
    """
    ways = {TEXT: ("as the paper's text has it", text), CODE: ("as the authors' code has it", code)}
    return (row, *(_twin(row, suffix, words, way) for suffix, (words, way) in ways.items() if way is not None))


def _twin(row: Recipe, suffix: str, words: str, way: Way) -> Recipe:
    return replace(
        row,
        name=row.name + suffix,
        summary=f"{row.summary}; {words}",
        streams=way.streams,
        postprocess=way.postprocess,
        row=None,
        paper_constants=None,
        remark="",
        variant_of=row.name,
    )
