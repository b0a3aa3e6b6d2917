"""Variants of rows that a paper's text and its authors' code compute in different ways.

The recipe of a row has no suffix. It follows the variant that gives the number which the paper prints, as far as
outputs of the authors' code show it; its remark names that variant. The suffixes ``@text`` and ``@code`` select one of
the two, independent of the default; ``@paper`` is the default with the constants that the authors' notebooks print.
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
        streams: at least one.
        postprocess: steps from the streams' scores to decisions.
    """

    streams: tuple[AnyStream, ...]
    postprocess: PostProcess


def rows_of_ways(row: Recipe, *, text: Way | None, code: Way) -> tuple[Recipe, ...]:
    """Return the recipe of a row, followed by its variants ``@text`` and ``@code``.

    Args:
        row: the default; its streams and post-processing equal one of the variants'.
        text: the variant that the paper's text describes; ``None`` where the text does not differ from ``row``.
        code: the variant of the authors' code.
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
