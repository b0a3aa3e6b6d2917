"""The reference of official files: every format of ``harness.files.formats``, by edition and by task."""

from __future__ import annotations

import inspect
import re
import sys

from docs.generate.markdown import cell, code, fenced, page, slug, table, without_roles
from harness.files.format import Column, Format
from harness.files.formats import FORMATS
from harness.tasks import TASKS

PATH = "reference/formats.md"


def pages() -> dict[str, str]:
    """Return the page of official files."""
    editions = sorted({edition for format in FORMATS.values() for edition in format.editions})
    parts = [
        "Every official format that this project knows, generated from `harness/files/formats/`. `abaw validate`, "
        "`repair`, `score`, `pack` and `submit` read and write all of them. Text is UTF-8 with LF, without quotes.\n",
        "## By edition\n",
        table(("edition", "formats"), ((str(edition), _names(edition)) for edition in editions)),
        "## Formats\n",
        *(_section(format) for format in FORMATS.values()),
        "## Sources\n",
        *_sources(),
    ]
    return {PATH: page("File formats", *parts)}


def _names(edition: int) -> str:
    return ", ".join(f"[{f.name}](#{anchor(f)})" for f in FORMATS.values() if edition in f.editions)


def anchor(format: Format) -> str:
    """Return the anchor of a format on the page."""
    return f"format-{slug(format.name)}"


def _section(format: Format) -> str:
    rows = [
        ("task", f"{format.task}: {TASKS[format.task].title}" if format.task in TASKS else format.task),
        ("editions", ", ".join(map(str, format.editions))),
        (
            "files",
            f"one file per video, `&lt;video&gt;{format.suffix}`" if format.per_video else "one file for all videos",
        ),
        ("header", code(format.header) if format.header else "none: rows begin at once"),
        ("also read", ", ".join(map(code, format.also)) or "no other header"),
        ("row", code(format.row_example) if format.row else f"{code(format.row_example)}; line k is frame k"),
        (
            "rows",
            "some frames of a video"
            if format.sparse
            else "every frame of a video"
            if _of_frames(format)
            else "every video",
        ),
        ("values", f"{len(format.columns)}, as {'int64' if format.whole else 'float64'}"),
    ]
    if format.sums_to_one:
        rows.append(("sum", "the first two values must add up to exactly 1.0 in float64"))
    example = "\n".join(filter(None, (format.header, *(_row(format, k) for k in range(2)))))
    return "\n".join(
        (
            f"### {format.name} {{ #{anchor(format)} }}\n",
            table(("", ""), rows),
            table(("value", "allowed"), ((cell(column.name), cell(column.expected)) for column in format.columns)),
            "A file begins like this (made-up values):\n",
            fenced(example),
        )
    )


def _of_frames(format: Format) -> bool:
    return format.row is None or format.row.first is not None


def _row(format: Format, k: int) -> str:
    values = [_value(column, place, format) for place, column in enumerate(format.columns)]
    if format.row is None:
        return ",".join(values)
    example = {"<person>/<visit>/<file>.mp4": "12/1/a.mp4", "Videos/<person>/<visit>/<file>.mp4": "Videos/12/1/a.mp4"}
    of = next((text for start, text in example.items() if format.row.example.startswith(start)), "video1")
    of = "00012" if format.row.example == "<5 digits>" else of
    if format.row.first is None and k:
        of = of.replace("00012", "00013").replace("a.mp4", "b.mp4")
    return ",".join((format.row.name(of, (format.row.first or 0) + k), *values))


def _value(column: Column, place: int, format: Format) -> str:
    if format.sums_to_one and place < 2:
        return ("0.25", "0.75")[place]
    if column.whole:
        return str(int(column.high) if format.sums_to_one else place % 2)
    return f"{column.low + 0.75 * (column.high - column.low):g}"


def _sources() -> list[str]:
    """Return where each family of formats is known from: the docstrings of their modules."""
    modules = {name: module for name, module in sys.modules.items() if name.startswith("harness.files.formats.")}
    return [
        f"**{re.sub(r'.*[.]', '', name)}.** {without_roles(inspect.getdoc(module) or '')}\n"
        for name, module in sorted(modules.items())
    ]
