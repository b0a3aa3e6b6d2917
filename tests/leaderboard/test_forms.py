"""What a name holds is what a reader of any form sees: each form is read back as its readers read it."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from harness.tables.forms import FORMS, write_csv, write_latex, write_markdown
from harness.tables.html import write_html
from harness.tables.table import Column, Table, one_line, text_of

HOSTILE = {
    "script": "<script>alert('x')</script>",
    "latex": r"_ & % # $ { } ~ ^ \ | \input{/etc/passwd} $x^2$ \\ \\[2em] %done",
    "markdown": "**bold** _it_ `code` [a](b) ![i](j) ~~gone~~ | a \\| b \\\\| c",
    "links": "www.evil.org https://evil.org a@b.org <https://evil.org> :smile: #1 @me",
    "quotes": "\"double\" 'single' `back` ''two'' \"\"two\"\" “curly” ‘curly’ ,,low",
    "dashes": "--fresh --- – — − a-b",
    "emoji": "👩🏽‍🔬 naïve 😀 é ẞ",
    "arabic": "اختبار عربي 123",
    "long": "x" * 500,
    "comma": 'a,b;c\t"d"',
    "entity": "&lt;b&gt; &amp; &#60;",
    "list": "- item",
    "rule": "---",
    "row": "[0.1] first * and (second)",
}
FORMULAS = ("=1+1", "+1", "-1+2", "@SUM(A1)", "=cmd|' /C calc'!A0", "＝1+1", "\t=1", " =1", "\r\n=1", "\u200b=1")


def table_of(*names: str, **changes: object) -> Table:
    columns = (Column("name", "Name"), Column("score", "Score", "number", best=True))
    rows = tuple({"name": name, "score": 0.5 - k / 100} for k, name in enumerate(names))
    return Table(**{"title": "Title", "columns": columns, "rows": rows, **changes})  # type: ignore[arg-type]


# --- reading back


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def read_markdown(text: str) -> tuple[list[list[str]], list[str]]:
    """Cells, and other paragraphs, as text; a page that a name made more of is no such table."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    rows: list[list[str]] = []
    paragraphs: list[str] = []
    in_cell = False
    for token in parser.parse(text):
        assert token.type in {
            "paragraph_open", "paragraph_close", "inline", "table_open", "table_close", "thead_open", "thead_close",
            "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
        }, token  # fmt: skip
        if token.type == "tr_open":
            rows.append([])
        in_cell = token.type in ("th_open", "td_open") or (in_cell and token.type == "inline")
        if token.type == "inline":
            for part in token.children or []:
                assert part.type in ("text", "text_special", "strong_open", "strong_close"), part
            said = "".join(part.content for part in token.children or [])
            if in_cell:
                rows[-1].append(said)
            else:
                paragraphs.append(said)
    return rows, paragraphs


_BACK = {
    r"\textbackslash{}": "\\", r"\{": "{", r"\}": "}", r"\$": "$", r"\&": "&", r"\#": "#", r"\_": "_", r"\%": "%",
    r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<", r"\textgreater{}": ">",
    r"\textbar{}": "|", r"\texttt{\char34}": '"', r"\textasciigrave{}": "`", r"\textquoteleft{}": "‘",
    r"\textquotedblleft{}": "“", r"\textquotedblright{}": "”", r"\textendash{}": "–", r"\textemdash{}": "—",
    r"$^\dagger$": "†", r"$-$": "−", r"\dots{}": "…", r"$\geq$": "≥", r"$\pm$": "±",
}  # fmt: skip


def latex_text(source: str) -> str:
    """What LaTeX prints of a text, by its rules; a command or special that is not one of ours is an error."""
    printed, at = "", 0
    while at < len(source):
        command = next((c for c in sorted(_BACK, key=len, reverse=True) if source.startswith(c, at)), None)
        if command:
            printed, at = printed + _BACK[command], at + len(command)
        elif source.startswith("{}", at):
            at += 2
        else:
            assert source[at] not in '\\{}$&#_%~^<>|"`', source[at : at + 20]
            assert not source.startswith(("--", "''", ",,"), at), "a ligature"
            printed, at = printed + source[at], at + 1
    return printed


def latex_rows(text: str) -> list[list[str]]:
    inside = text[text.index("\\toprule") : text.index("\\bottomrule")]
    lines = [line.strip() for line in inside.splitlines()[1:] if "\\midrule" not in line]
    assert all(line.endswith(" \\\\") for line in lines if line)
    return [re.split(r"(?<!\\) ?& ?", line.removesuffix(" \\\\")) for line in lines if line]


# --- hostile names


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_name_comes_back_from_every_form(name: str) -> None:
    table = table_of("plain", name, title=name, notes=(name,))
    shown = one_line(name)
    in_csv = read_csv(write_csv(table))
    assert in_csv[2][0].removeprefix("'") == shown
    assert len(in_csv[2]) == 2
    rows, paragraphs = read_markdown(write_markdown(table))
    assert rows[2] == [shown, "0.490"]
    assert paragraphs == [shown, shown]
    source = write_latex(table)
    cells = latex_rows(source)
    straight = shown.replace("’", "'")
    assert [latex_text(cell) for cell in cells[2]] == [straight, "0.490"]
    caption = re.search(r"\\caption\{(.*)\}\n", source)
    assert caption
    assert latex_text(caption[1]) == straight
    assert latex_text(source.split("\\par\\footnotesize ")[1].splitlines()[0]) == straight


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_spreadsheet_takes_a_name_for_a_formula(formula: str) -> None:
    cell = read_csv(write_csv(table_of(formula)))[1][0]
    assert cell.startswith("'")
    assert cell[1:] == one_line(formula)


@pytest.mark.parametrize("separator", [";", "; ", ';"', ";'", "|", "| "])
@pytest.mark.parametrize("formula", ["=1+1", "+cmd", "-1+1", "@SUM(A1)", "＝1"])
def test_no_part_of_a_name_is_a_formula_elsewhere(separator: str, formula: str) -> None:
    for name in (f"a{separator}{formula}", f"=a{separator}b{separator}{formula};c"):
        text = write_csv(table_of(name))
        for cut in (csv.reader(io.StringIO(text), delimiter=mark) for mark in ";|"):
            cells = [cell.strip().strip("\"'") if cell.startswith('"') else cell.strip() for row in cut for cell in row]
            assert [cell for cell in cells if cell.startswith(tuple("=+-@＝")) and not _is_number(cell)] == []


def test_numbers_within_a_text_stay() -> None:
    for text in ("low -0.5; -0.25", "a; +1.5e-3; b", "1;-2|+3", "a;-.5"):
        assert read_csv(write_csv(table_of(text)))[1][0] == text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_a_negative_number_is_a_number_and_no_formula() -> None:
    table = Table("t", (Column("d", "D", "signed"),), ({"d": -0.25},))
    assert read_csv(write_csv(table))[1] == ["-0.25"]


def test_text_is_one_line_and_shows_what_it_holds() -> None:
    assert one_line("a\r\n\tb\u2028c   d\x00\x1b[31m") == "a b c d[31m"
    assert one_line("safe\u202egnp.exe\u2066\u200f") == "safegnp.exe"
    assert one_line("👩🏽\u200d🔬") == "👩🏽\u200d🔬"
    assert one_line("\ud800x\ufeff\u200b") == "x"


def test_every_form_is_utf8_whatever_the_name_holds() -> None:
    for write, _, _ in FORMS.values():
        write(table_of("\ud800 \udfff 😀")).encode()


# --- what a reader sees


def test_best_is_bold_and_its_ties_are_marked_and_explained() -> None:
    table = table_of("a", "b", "c", tied=frozenset({1}))
    markdown, source = write_markdown(table), write_latex(table)
    assert "| a | **0.500** |" in markdown
    assert "| b | 0.490† |" in markdown
    assert "| c | 0.480 |" in markdown
    assert "† not separable" in markdown
    assert "a & \\textbf{0.500} \\\\" in source
    assert "b & 0.490$^\\dagger$ \\\\" in source
    assert "$^\\dagger$ not separable" in source
    assert read_csv(write_csv(table)) == [
        ["name", "score", "tied_with_best"],
        ["a", "0.5", "false"],
        ["b", "0.49", "true"],
        ["c", "0.48", "false"],
    ]


def test_equal_best_rows_are_bold_and_empty_columns_have_none() -> None:
    columns = (Column("x", "X", "number", best=True), Column("y", "Y", "number", best=True))
    table = Table("t", columns, ({"x": 0.5}, {"x": 0.5, "y": None}, {"x": 0.4, "y": float("nan")}))
    assert table.best(columns[0]) == {0, 1}
    assert table.best(columns[1]) == frozenset()
    assert write_markdown(table).count("**0.500**") == 2


def test_nothing_that_is_missing_is_written_as_a_word() -> None:
    columns = (Column("a", "A"), Column("b", "B", "number"), Column("c", "C", "whole"), Column("i", "I", "interval"))
    missing = (None, float("nan"), np.float32("nan"), np.float64("inf"), pd.NA, pd.NaT)
    rows = tuple({"a": value, "b": value, "c": value, "i": (value, 0.5)} for value in missing)
    table = Table("t", columns, (*rows, {}))
    for k in range(len(table.rows)):
        assert [table.cell(k, column) for column in columns] == ["", "", "", ""]
    assert read_csv(write_csv(table))[1:] == [[""] * 5] * 7


def test_numbers_are_full_in_csv_and_rounded_where_they_are_read() -> None:
    columns = (Column("score", "S", "number"), Column("d", "D", "signed"), Column("n", "N", "whole"))
    table = Table("t", columns, ({"score": 1 / 3, "d": -0.0001, "n": np.float64(7)},))
    assert read_csv(write_csv(table))[1] == [repr(1 / 3), "-0.0001", "7"]
    assert "| 0.333 | +0.000 | 7 |" in write_markdown(table)
    assert text_of(0.0123, columns[1]) == "+0.012"


def test_a_minus_is_a_minus_in_latex() -> None:
    columns = (Column("d", "D", "signed"), Column("i", "I", "interval"))
    source = write_latex(Table("t", columns, ({"d": -0.25, "i": (-0.5, 0.0)},)))
    assert "$-$0.250 & [$-$0.500, 0.000] \\\\" in source


def test_row_with_leading_bracket_is_no_argument_in_latex() -> None:
    table = Table("t", (Column("i", "I", "interval"),), ({"i": (0.1, 0.2)}, {"i": (0.1, 0.2)}))
    for line in write_latex(table).splitlines():
        assert not line.strip().startswith(("[", "*", "("))


def test_several_intervals_have_names_of_their_own_in_csv() -> None:
    columns = (Column("interval", "95 %", "interval"), Column("a_interval", "A", "interval"))
    header = read_csv(write_csv(Table("t", columns, ())))[0]
    assert header == ["low", "high", "a_interval_low", "a_interval_high"]


def test_columns_for_programs_are_in_csv_alone() -> None:
    table = Table("t", (Column("a", "Aaa"), Column("b", "Bbb", data_only=True)), ({"a": "x", "b": "secret"},))
    assert read_csv(write_csv(table)) == [["a", "b"], ["x", "secret"]]
    for write in (write_markdown, write_latex):
        assert "Bbb" not in write(table)
        assert "secret" not in write(table)


def test_latex_says_when_pdflatex_will_not_do() -> None:
    assert "XeLaTeX" not in write_latex(table_of("naïve – “x” ≥ †"))
    assert "XeLaTeX" in write_latex(table_of("😀"))
    assert "XeLaTeX" in write_latex(table_of("عربي"))


@pytest.fixture
def pdflatex() -> str:
    found = shutil.which("pdflatex")
    if found is None:
        pytest.skip("needs pdflatex")
    return found


def test_latex_compiles(pdflatex: str, tmp_path: Path) -> None:
    names = [name for key, name in HOSTILE.items() if key not in ("emoji", "arabic")]
    body = write_latex(table_of(*names, title=HOSTILE["latex"], tied=frozenset({1}), notes=tuple(names)))
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}\n"
    )
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]


# --- what a terminal or a spreadsheet would obey


def test_html_has_no_control_characters():
    table = table_of("x\x1b]0;title\x07\u202ey", title="t\x1b[2J\x9b\x00", notes=("n\x1b[2J",))
    written = write_html(table)
    assert not [c for c in written if c != "\n" and not c.isprintable()]
    assert "title" in written


def test_number_that_ends_a_text_begins_no_formula():
    table = replace(
        table_of("a"), columns=(Column("a", "A"), Column("b", "B")), rows=({"a": "a;-1", "b": "5+HYPERLINK(A1);"},)
    )
    line = write_csv(table).splitlines()[1]
    assert not [cell for cell in line.split(";") if cell.startswith(("=", "+", "-", "@"))]
