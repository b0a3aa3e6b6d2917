"""Writers of a table as CSV, Markdown, LaTeX, HTML, JSON and text; each escapes its own special characters."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.tables.html import write_html
from harness.tables.table import RIGHT_ALIGNED, TIED, Column, Table, one_line

NUMERIC = (*RIGHT_ALIGNED, "interval")


# --- CSV


def write_csv(table: Table) -> str:
    """Return a table as CSV (RFC 4180): a header of keys, LF line ends, numbers in full, two columns per interval.

    A text that a spreadsheet would read as a formula gets an apostrophe in front. The apostrophe also precedes parts
    of a text that become cells if the file is opened with semicolons, tabs or bars between cells.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header = [name for column in table.columns for name in _names(column)]
    writer.writerow([*header, *(["tied_with_best"] if table.tied else [])])
    for k in range(len(table.rows)):
        cells = [cell for column in table.columns for cell in _plain(table, k, column)]
        for at, following in enumerate(cells[1:]):  # cut at semicolons, the number goes on with the next text
            if following and not re.fullmatch(_NUMBER, following):
                cells[at] = _LAST_NUMBER.sub(r"\g<1>'", cells[at])
        writer.writerow([*cells, *([str(k in table.tied).lower()] if table.tied else [])])
    return stream.getvalue()


def _names(column: Column) -> list[str]:
    if column.kind != "interval":
        return [column.key]
    prefix = "" if column.key == "interval" else f"{column.key}_"
    return [f"{prefix}low", f"{prefix}high"]


_FORMULA = tuple("=+-@＝＋－＠")
# a spreadsheet may cut the file at other separators, and then a cell begins within a text; numbers are no formulas
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INNER_FORMULA = re.compile(rf"""[;\t|]\s*["']*(?=[=+\-@＝＋－＠])(?!{_NUMBER}\s*(?:[;\t|]|$))""")
_LAST_NUMBER = re.compile(rf"""([;\t|]\s*["']*)(?=[+-]{_NUMBER}$)""")


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
    text = _INNER_FORMULA.sub(r"\g<0>'", one_line(str(value)))
    return [f"'{text}" if text.startswith(_FORMULA) else text]


# --- Markdown and LaTeX


@dataclass(frozen=True)
class _Marks:
    """Marks of a form: escapes of text and numbers, bold type for the best value, a dagger for ties with it."""

    text: Callable[[str], str]
    number: Callable[[str], str]
    bold: str
    dagger: str


def _cells(table: Table, marks: _Marks) -> list[list[str]]:
    best = {column.key: table.best(column) for column in table.read}

    def written(row: int, column: Column) -> str:
        escape = marks.number if column.kind in NUMERIC else marks.text
        text = escape(table.cell(row, column))
        text = marks.bold.replace("…", text) if text and row in best[column.key] else text
        return text + marks.dagger if table.marked(row, column) else text

    return [[written(k, column) for column in table.read] for k in range(len(table.rows))]


def write_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown, with the title above and notes below."""
    rule = ["---:" if column.kind in RIGHT_ALIGNED else ":---" for column in table.read]
    lines = [[markdown(column.title) for column in table.read], rule]
    lines += _cells(table, _Marks(markdown, str, "**…**", TIED))
    below = "".join(f"\n{_paragraph(note)}\n" for note in table.all_notes)
    rows = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"**{markdown(table.title)}**\n\n{rows}\n{below}"


# a colon may begin an address or an emoji, the point after www an address
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~$&#@{}^!]|:(?=//)|(?<!\d):(?=[\w+-]+:)|(?<=www)\.", re.IGNORECASE)
_LINE_START = re.compile(r"^(?=[-+=])|^(\d+)(?=[.)])")


def markdown(text: str) -> str:
    """Return a text escaped so that Markdown shows it unchanged inside a line or a cell."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def _paragraph(text: str) -> str:
    """Return a text escaped as a line by itself: signs at its start make no list or rule."""
    return _LINE_START.sub(r"\1\\", markdown(text))


def write_latex(table: Table) -> str:
    """Return a LaTeX ``table`` with ``booktabs``. If it needs XeLaTeX or LuaLaTeX, a comment in it says so."""
    marks = _Marks(latex, lambda text: text.replace("-", "$-$"), "\\textbf{…}", "$^\\dagger$")
    align = "".join("r" if column.kind in RIGHT_ALIGNED else "l" for column in table.read)
    lines = [
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{latex(table.title)}}}",
        f"  \\begin{{tabular}}{{{align}}}",
        "    \\toprule",
        _latex_row([latex(column.title) for column in table.read]),
        "    \\midrule",
        *map(_latex_row, _cells(table, marks)),
        "    \\bottomrule",
        "  \\end{tabular}",
        *(f"  \\par\\footnotesize {latex(note)}" for note in table.all_notes),
        "\\end{table}",
    ]
    needs = ["% needs \\usepackage{booktabs}"]
    if max("".join(lines)) > _LAST_LATIN:
        needs.append("% other scripts or emoji are in it: XeLaTeX or LuaLaTeX, with a font that has them")
    return "\n".join([*needs, *lines, ""])


def _latex_row(cells: list[str]) -> str:
    row = " & ".join(cells)
    # after the end of a line or a rule, these signs would be an argument
    return f"    {'{}' if row[:1] in ('[', '*', '(') else ''}{row} \\\\"


# all font encodings have these; \textquotedbl, for example, is missing in some
_LATEX = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "_": "\\_", "%": "\\%",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", '"': "\\texttt{\\char34}", "`": "\\textasciigrave{}", "’": "'", "‘": "\\textquoteleft{}",
    "“": "\\textquotedblleft{}", "”": "\\textquotedblright{}", TIED: "$^\\dagger$", "–": "\\textendash{}",
    "—": "\\textemdash{}", "…": "\\dots{}", "●": "$\\bullet$", "−": "$-$", "×": "$\\times$", "±": "$\\pm$",
    "·": "$\\cdot$", "→": "$\\to$", "≤": "$\\leq$", "≥": "$\\geq$", "≈": "$\\approx$",
}  # fmt: skip
_LIGATURE = re.compile("--+|''+|,,+")
_LAST_LATIN = "\u017f"  # last character that pdfLaTeX knows without further packages


def latex(text: str) -> str:
    """Return a text escaped so that LaTeX prints it unchanged: two hyphens stay two."""
    # ligatures are separated before signs are escaped, to keep escapes whole
    apart = _LIGATURE.sub(lambda match: "\0".join(match[0]), one_line(text))
    return "".join(_LATEX.get(character, character) for character in apart).replace("\0", "{}")


# --- JSON and text


def write_json(table: Table) -> str:
    """Return a JSON object: title, columns, rows with numbers in full, notes; an empty cell is ``null``."""
    rows = [
        {column.key: _as_json(table, k, column) for column in table.columns}
        | ({"tied_with_best": k in table.tied} if table.tied else {})
        for k in range(len(table.rows))
    ]
    columns = [{"key": column.key, "title": column.title} for column in table.columns]
    content = {"title": one_line(table.title), "columns": columns, "rows": rows, "notes": table.all_notes}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _as_json(table: Table, row: int, column: Column) -> str | float | list[float] | None:
    value = table.value(row, column)
    if value is None:
        return None
    if column.kind == "interval":
        return [float(end) for end in value]
    if column.kind == "whole":
        return int(value)
    return float(value) if column.kind in RIGHT_ALIGNED else one_line(str(value))


def _write_text(table: Table) -> str:
    from harness.tables.text import write_text  # Rich takes a while to load

    return write_text(table)


FORMS: dict[str, tuple[Callable[[Table], str], str, str]] = {
    "csv": (write_csv, ".csv", "text/csv"),
    "md": (write_markdown, ".md", "text/markdown"),
    "latex": (write_latex, ".tex", "application/x-tex"),
    "html": (write_html, ".html", "text/html"),
    "json": (write_json, ".json", "application/json"),
    "text": (_write_text, ".txt", "text/plain"),
}
"""Export forms of a table by name: writer, suffix, media type."""
