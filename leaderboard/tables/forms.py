"""A table as CSV, Markdown, LaTeX or HTML: every special character of each form escaped, whatever a name holds."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable

from leaderboard.tables.table import TIED, Column, Table, one_line

_RIGHT = ("whole", "number", "signed")
_TIED_NOTE = f"{TIED} not separable from the best: paired over the same videos, p >= 0.05."


def write_csv(table: Table) -> str:
    """RFC 4180 with a header of keys, line feeds, numbers in full; an interval is two columns, ``low`` and ``high``.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header: list[str] = []
    for column in table.columns:
        header += ["low", "high"] if column.kind == "interval" else [column.key]
    writer.writerow([*header, *(["tied_with_best"] if table.tied else [])])
    for k in range(len(table.rows)):
        cells: list[str] = []
        for column in table.columns:
            cells += _plain(table, k, column)
        writer.writerow([*cells, *([str(k in table.tied).lower()] if table.tied else [])])
    return stream.getvalue()


def _plain(table: Table, row: int, column: Column) -> list[str]:
    value = table.value(row, column)
    if column.kind == "interval":
        return ["", ""] if value is None else [repr(float(end)) for end in value]
    if value is None:
        return [""]
    if column.kind == "whole":
        return [str(int(value))]
    if column.kind in ("number", "signed"):
        return [repr(float(value))]
    text = one_line(str(value))
    return [f"'{text}" if text[:1] in ("=", "+", "-", "@") else text]


def write_markdown(table: Table) -> str:
    """A table as GitHub reads it; the title above, notes below."""
    rule = ["---:" if column.kind in _RIGHT else ":---" for column in table.columns]
    lines = [[markdown(column.title) for column in table.columns], rule]
    lines += _cells(table, markdown, "**{}**", TIED)
    below = "".join(f"\n{markdown(note)}\n" for note in _notes(table))
    rows = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"**{markdown(table.title)}**\n\n{rows}\n{below}"


_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&#@:!])")


def markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def write_latex(table: Table) -> str:
    """A ``table`` with ``booktabs``; other scripts and emoji need XeLaTeX or LuaLaTeX, and a font that has them."""
    align = "".join("r" if column.kind in _RIGHT else "l" for column in table.columns)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{latex(table.title)}}}",
        f"  \\begin{{tabular}}{{{align}}}",
        "    \\toprule",
        "    " + " & ".join(latex(column.title) for column in table.columns) + " \\\\",
        "    \\midrule",
    ]
    for cells in _cells(table, latex, "\\textbf{{{}}}", "$^\\dagger$"):
        lines.append("    " + " & ".join(cells) + " \\\\")
    lines += ["    \\bottomrule", "  \\end{tabular}"]
    lines += [f"  \\par\\footnotesize {latex(note)}" for note in _notes(table)]
    return "\n".join([*lines, "\\end{table}", ""])


_LATEX = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "_": "\\_", "%": "\\%",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", '"': "\\textquotedbl{}", "'": "\\textquotesingle{}", "`": "\\textasciigrave{}",
    TIED: "$^\\dagger$", "–": "--", "−": "$-$", "≥": "$\\geq$", "±": "$\\pm$", "·": "$\\cdot$", "…": "\\dots{}",
}  # fmt: skip


def latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(character, character) for character in one_line(text))


def write_html(table: Table) -> str:
    """A ``table`` element; no style, no script."""
    head = "".join(f'<th scope="col">{html.escape(column.title)}</th>' for column in table.columns)
    right = [' class="number"' if column.kind in _RIGHT else "" for column in table.columns]
    body = [
        "<tr>" + "".join(f"<td{side}>{cell}</td>" for side, cell in zip(right, cells, strict=True)) + "</tr>"
        for cells in _cells(table, html.escape, "<strong>{}</strong>", f"<sup>{TIED}</sup>")
    ]
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in _notes(table))
    caption = f"<caption>{html.escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>\n" + "\n".join(body) + f"\n</tbody></table>\n{notes}"


def _cells(table: Table, escape: Callable[[str], str], bold: str, dagger: str) -> list[list[str]]:
    """Every cell as it is written: escaped, the best in bold, what ties with it marked."""
    best = {column.key: table.best(column) for column in table.columns}

    def written(row: int, column: Column) -> str:
        text = escape(table.cell(row, column))
        text = bold.format(text) if text and row in best[column.key] else text
        return text + dagger if table.marked(row, column) else text

    return [[written(k, column) for column in table.columns] for k in range(len(table.rows))]


def _notes(table: Table) -> list[str]:
    return [*([_TIED_NOTE] if table.tied else []), *table.notes]


FORMS: dict[str, tuple[Callable[[Table], str], str, str]] = {
    "csv": (write_csv, ".csv", "text/csv"),
    "md": (write_markdown, ".md", "text/markdown"),
    "latex": (write_latex, ".tex", "application/x-tex"),
}
"""What a table can be exported as, by the name of the form: writer, suffix, media type."""
