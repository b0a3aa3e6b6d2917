"""One board, whatever shows it: terminal, page, bundle and every form of export have the same cells."""

from __future__ import annotations

import datetime
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.board.board import Board, load_board
from harness.board.entries import RUN, View
from harness.board.tables.board import board_table
from harness.cli.main import cli
from harness.store.store import Store
from harness.tables.forms import FORMS
from harness.tables.table import RIGHT_ALIGNED, TIED, Column, Table, text_of
from harness.tasks import EXPR
from leaderboard.bundle.page import bundle
from leaderboard.screens.grid import board_frame
from tests.leaderboard.test_forms import latex_rows, latex_text, read_csv, read_markdown
from tests.support.scored_runs import record, scored_run

pytestmark = pytest.mark.slow

Cells = list[dict[str, str]]
VIEW = View(EXPR, "val", "Aff-Wild2")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with seeds, a tie, a run far below, and three runs that take no rank."""
    best = [scored_run("expr/best", 0.7, seed=seed, tuned=0.72) for seed in range(3)]
    runs = [scored_run("expr/nearly", 0.69), scored_run("expr/far-below", 0.1)]
    cheat = replace(scored_run("expr/cheat", 0.9), trained_on="train+val")
    partial = replace(scored_run("expr/partial", 0.5), status="partial")
    blind = replace(scored_run("expr/blind", 0.5), scores=[], statistics={})
    store = Store(tmp_path_factory.mktemp("one") / "results.duckdb")
    record(store, *best, *runs, cheat, partial, blind)
    return store


@pytest.fixture(scope="module")
def board(store: Store) -> Board:
    return load_board(store, VIEW)


@pytest.fixture(scope="module")
def table(board: Board) -> Table:
    return board_table(board.entries, VIEW)


def expected(table: Table, columns: tuple[Column, ...]) -> Cells:
    """Return what a reader of any form must find, by key."""
    return [
        {c.key: table.cell(k, c) + (TIED if table.marked(k, c) else "") for c in columns}
        for k in range(len(table.rows))
    ]


# --- readers: each reads its form back as a person or a program would


def cells_of_text(text: str, table: Table) -> Cells:
    """Columns are where every line of the table has two blanks; the title is above them, notes are below."""
    lines = text.splitlines()[1 : len(table.rows) + 2]
    width = max(map(len, lines))
    blank = [all(line[k : k + 1].strip() == "" for line in lines) for k in range(width)]
    edges = [0, *(m.end() for m in re.finditer(r"x{2,}", "".join("x" if b else "." for b in blank))), width]
    rows = [[line[a:b].strip() for a, b in itertools.pairwise(edges)] for line in lines]
    return by_title(rows, table)


def by_title(rows: list[list[str]], table: Table) -> Cells:
    """Return rows by the columns' keys; the first row has the titles."""
    keys = {column.title: column.key for column in table.columns}
    return [dict(zip([keys[title] for title in rows[0]], row, strict=True)) for row in rows[1:]]


def cells_of_markdown(text: str, table: Table) -> Cells:
    return by_title(read_markdown(text)[0], table)


def cells_of_latex(text: str, table: Table) -> Cells:
    rows = [[latex_text(re.sub(r"\\textbf\{(.*?)\}(?=$|\$)", r"\1", cell)) for cell in row] for row in latex_rows(text)]
    return by_title([[cell.replace("−", "-") for cell in row] for row in rows], table)


def cells_of_csv(text: str, table: Table) -> Cells:
    header, *lines = read_csv(text)
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    return [written(row, row["tied_with_best"] == "true", table) for row in rows]


def written(row: dict[str, str], tied: bool, table: Table) -> dict[str, str]:
    """Return a row of full numbers as a reader's forms write it."""
    found = {}
    for column in table.read:
        if column.kind == "interval":
            value: object = (float(row["low"]), float(row["high"])) if row["low"] else None
        else:
            value = float(row[column.key]) if row[column.key] and column.kind in RIGHT_ALIGNED else row[column.key]
        found[column.key] = text_of(value if value != "" else None, column)
        found[column.key] += TIED if tied and column.best and found[column.key] else ""
    return found


def cells_of_json(text: str, table: Table) -> Cells:
    rows = json.loads(text)["rows"]
    ends = [dict(zip(("low", "high"), row["interval"] or ("", ""), strict=True)) for row in rows]
    texts = [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    return [written({**row, **map_str(end)}, row["tied_with_best"] == "True", table)
            for row, end in zip(texts, ends, strict=True)]  # fmt: skip


def map_str(values: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


class HtmlTable(HTMLParser):
    """Texts of a table's cells, row by row; pictures have none, and what unfolds is left out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.small: dict[tuple[int, int], str] = {}
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.inside or not self.rows or {"svg", "details"} & set(self.inside) or "tr" not in self.inside:
            return
        if "small" in self.inside:
            self.small[len(self.rows) - 1, len(self.rows[-1]) - 1] = data
        elif self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def cells_of_html(text: str, table: Table) -> Cells:
    return by_title(HtmlTable(text).rows, table)


def cells_of_bundle(text: str, table: Table) -> Cells:
    """The interval stands below its picture; kind, seeds and edition stand below the name."""
    section = next(part for part in text.split("<section")[1:] if f"<h2>{table.title}</h2>" in part)
    page = HtmlTable(section[section.index("<table") : section.index("</table>") + len("</table>")])
    titles = page.rows[0]
    interval = titles.index("95 % by video")
    for (row, place), small in page.small.items():
        if place == interval:
            page.rows[row][place] = small
    wanted = [k for k, title in enumerate(titles) if title not in ("By class", "More")]
    return by_title([[row[k] for k in wanted] for row in page.rows], table)


READERS: dict[str, Callable[[str, Table], Cells]] = {
    "text": cells_of_text, "md": cells_of_markdown, "latex": cells_of_latex, "csv": cells_of_csv,
    "html": cells_of_html, "json": cells_of_json,
}  # fmt: skip


def test_board_has_what_readers_must_tell_apart(table: Table, board: Board) -> None:
    kinds = {row["kind"] for row in table.rows}
    assert {"run", "paper", "baseline"} <= kinds
    assert len(table.tied) == 1
    shown = {row["name"]: row for row in table.rows if row["kind"] == "run"}
    assert shown["expr/best"]["spread"].startswith("3 seeds ± ")
    assert {name: row["rank_interval"] for name, row in shown.items()} == {
        "expr/best": "1 to 2", "expr/nearly": "1 to 2", "expr/far-below": "3", "expr/cheat": None,
        "expr/partial": None, "expr/blind": None,
    }  # fmt: skip
    assert [shown[f"expr/{name}"]["standing"] for name in ("cheat", "partial", "blind")] == [
        "trained on val", "not whole", "not scored",
    ]  # fmt: skip


@pytest.mark.parametrize("form", [*READERS, "bundle", "page", "abaw runs", "abaw export"])
def test_board_has_same_cells_in_every_form(form: str, store: Store, board: Board, table: Table) -> None:
    columns = table.read
    if form == "page":
        frame = board_frame(table, board.entries)
        columns = tuple(c for c in table.read if c.key in frame and c.key != "kind")
        values = [[text_of(None if frame[c.key].isna()[k] else frame[c.key][k], replace(c, kind=kind_of(c)))
                   for c in columns] for k in range(len(frame))]  # fmt: skip
        found = [dict(zip([c.key for c in columns], row, strict=True)) for row in values]
        wanted = [{key: text.removesuffix(TIED) for key, text in row.items()} for row in expected(table, columns)]
        for row in wanted:  # the page flags what no other form can
            row["trained_on"] = row["trained_on"].replace("train+val", "⚑ train+val")
        assert found == wanted
        return
    if form == "bundle":
        text = bundle(store, datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC))
        found = cells_of_bundle(text, table)
    elif form == "abaw runs":
        more = (Column("short_id", "Run"), Column("day", "Made"), Column("test_file", "Test file"))
        named = tuple(replace(c, title="Run, whole id") if c.key == "run_id" else c for c in table.columns)
        found = cells_of_text(
            call("runs", "--task", "EXPR", "--store", store.path), replace(table, columns=(*named, *more))
        )
        runs = [row for row in found if row["run_id"]]
        assert all(row["run_id"].endswith(row["short_id"].partition(" +")[0]) for row in runs)
        assert {row["test_file"] for row in runs} == {"none"}
        extra = {"run_id", *(column.key for column in more)}
        found = [{key: row[key] for key in row if key not in extra} for row in found]
    elif form == "abaw export":
        more = replace(table, columns=(*table.columns, Column("test_file", "Test file")))
        found = cells_of_markdown(call("export", "board", "--format", "md", "--store", store.path), more)
        wanted = ["none" if kind == RUN else "" for kind in (entry.kind for entry in board.entries)]
        assert [row.pop("test_file") for row in found] == wanted
    else:
        found = READERS[form](FORMS[form][0](table), table)
        found = [{key: row[key] for key in row if key != "run_id"} for row in found]
    keys = set(found[0])
    if form != "bundle":
        assert keys == {column.key for column in columns}
    else:
        assert keys >= {"rank", "name", "score", "interval", "rank_interval", "standing", "tuned"}
    assert found == expected(table, tuple(column for column in columns if column.key in keys))


def kind_of(column: Column) -> str:
    """The page has intervals as texts."""
    return "text" if column.kind == "interval" else column.kind


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("width", [60, 80, 140])
def test_text_for_a_terminal_fits_and_names_what_it_leaves_out(width: int, table: Table) -> None:
    from harness.tables.text import write_text

    lines = write_text(table, width).splitlines()
    assert max(map(len, lines)) <= width
    left_out = " ".join(lines[next(k for k, line in enumerate(lines) if line.startswith("Left out")) :])
    head = " ".join(lines[1:4]).split()
    for column in table.read:
        assert column.title in left_out if not set(column.title.split()) <= set(head) else column.title not in left_out
        assert column.spare or column.title not in left_out
    assert ("Seeds" in left_out, "Kind" in left_out) == (width == 60, width < 140)


def test_text_breaks_long_names_and_cuts_none() -> None:
    from harness.tables.text import write_text

    name = "expr/" + "a-rather-long-part-" * 6
    rows = ({"name": name, "score": 0.5}, {"name": "日本語の名前" * 6, "score": 0.25})
    table = Table("t", (Column("name", "Name"), Column("score", "Score", "number", best=True)), rows)
    text = write_text(table, 40)
    cells = [line[: len(line) - 7] if line.endswith(("0.500", "0.250")) else line for line in text.splitlines()[2:]]
    assert "".join(cell.strip() for cell in cells) == name + "日本語の名前" * 6
    assert name in write_text(table)
