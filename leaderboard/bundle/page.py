"""HTML page with one section per task, split, data set and version of its labels; its tables work without scripts."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import __version__
from harness.board.board import Board, every_board
from harness.board.entries import RUN, View, runs_of, unit_of
from harness.board.rank_intervals import leader
from harness.board.tables.board import board_table
from harness.errors import UsageError
from harness.metrics.titles import score_title
from harness.store.address import StoreAddress
from harness.store.store import Store, TableRows
from harness.system.atomic import write_text
from harness.system.counts import counted
from harness.tables.html import Cell, Head, HtmlRow, html_cells, html_head, html_table
from harness.tables.table import TIED, Column, Row, Table
from leaderboard import words
from leaderboard.bundle.strips import Scale, axis, bars, interval, scale_of

_HERE = Path(__file__).parent
_CHART = "interval"
_HELP = {
    "rank": words.RANK, "name": words.KIND, "interval": words.INTERVAL, "tuned": words.TUNED,
    "optimism": words.OPTIMISM, "rank_interval": words.RANK_INTERVAL, "standing": words.STANDING_MEANS,
}  # fmt: skip
_BY_PERSON = "95 % by person"
_CLASS_HELP = "The score of each class, dimension or action unit, in the official order; a full bar is 1."
_GLOSSARY = {
    "Kinds of rows": words.KIND,
    "Score of a run": words.CROSS_FITTED,
    "95 % by video": words.INTERVAL,
    "Tuned on val": words.TUNED,
    "Optimism": words.OPTIMISM,
    "Rank interval": words.RANK_INTERVAL,
    "Beside the best run": words.STANDING_MEANS,
    "Seeds": words.SEEDS_MEANS,
    "Constant": words.CONSTANT,
    "Evidence": words.EVIDENCE,
    "Data": words.DATA,
    "Labels": words.LABELS,
}


def write_bundle(store: Store, path: Path) -> Path:
    """Write every board of a store as one HTML file, atomically; boards without runs show published results.

    Args:
        store: store to read.
        path: file to write, or an existing folder, in which ``index.html`` is written.

    Returns:
        Path of the file.

    Raises:
        UsageError: the file's suffix is not that of HTML.
        StoreError: the store can't be read.
        StorageError: the file can't be written.
    """
    target = path / "index.html" if path.is_dir() else path
    if target.suffix.lower() not in (".html", ".htm"):
        do = "Name a file such as board.html, or a folder that is there"
        raise UsageError("the bundle is an HTML file", where=path, do=do)
    write_text(target, bundle(store, datetime.datetime.now(datetime.UTC)))
    return target


def bundle(store: Store, moment: datetime.datetime) -> str:
    """Return the HTML text of the page.

    Args:
        store: store to read.
        moment: time that the page shows as its own, UTC.

    Raises:
        StoreError: the store can't be read.
    """
    runs, published = store.run_rows(), store.published()
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    sections = [_section(board, runs) for board in every_board(store, runs, published)]
    by_person = {_BY_PERSON: words.INTERVAL_BY_PERSON} if unit_of(row["persons"] for row in runs) == "person" else {}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("page.html.jinja").render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        made=f"{moment:%Y-%m-%d %H:%M}",
        store=_name(store),
        n_runs=len(runs),
        newest=f"{max(row['created'] for row in runs):%Y-%m-%d %H:%M}" if runs else "",
        sections=sorted(sections, key=lambda section: section["n_runs"] == 0),
        words=_GLOSSARY | by_person,
        dagger=TIED,
        words_apart=words.APART,
        version=__version__,
    )


def _policy(style: str, script: str) -> str:
    """Return the content security policy, which allows this style, this script and embedded images only."""
    of_style, of_script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{of_style}'; script-src 'sha256-{of_script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _name(store: Store) -> str:
    """Return the store's file and its folder's name. The rest of the path and the machine stay private."""
    place = store.place
    return "of a team" if isinstance(place, StoreAddress) else "/".join(place.resolve().parts[-2:])


def _section(board: Board, runs: TableRows) -> dict[str, Any]:
    view, metric = board.view, board.view.task.metric
    on_val = view.split == "val"
    own_runs, named = runs_of(runs, view), f", labels {view.labels}" if board.others else ""
    short = f"{view.task.name} {view.split}, {view.data_name}{named}"
    return {
        "anchor": re.sub(r"[^a-z0-9]+", "-", short.lower())[:60].strip("-") + f"-{_short_hash(short)}",
        "short": short,
        "title": f"{view.task.name} {view.split}: {view.task.title}, {view.data_name}{named}",
        "metric": score_title(metric),
        "metric_help": words.METRIC_HELP[metric],
        "data": board.ranking.size if board.ranking else _data_text(own_runs),
        "other_labels": [other.text for other in board.others],
        "elsewhere": {name: counted(number, "run") for name, number in board.elsewhere.items()},
        "apart": board.apart,
        "data_name": view.data_name,
        "published_on": view.published_on,
        "drawn": view.drawn,
        "leader": leader(board.entries),
        "n_runs": len(own_runs),
        "published_tuned": words.PUBLISHED_TUNED if 0 < len(board.runs) < len(board.entries) and on_val else "",
        "board": _shown(board_table(board.entries, view), view) if board.entries else None,
        "reference": _shown(board_table(board.reference, view), view) if board.reference else None,
    }


def _data_text(runs: TableRows) -> str:
    """Return the size of the data of runs without a score, such as ``70 videos, 280,532 frames``, for each version."""
    versions = dict.fromkeys((row["videos"], row["frames"]) for row in runs)
    return "; or ".join(f"{counted(videos, 'video')}, {counted(frames, 'frame')}" for videos, frames in versions)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


# --- a table with charts in its cells

# shown in a line below the name, in the chart, or under 'more': there is no room for a column each
_ELSEWHERE = frozenset(("kind", "edition", "spread", "seed", "seeds", "sd", "trained_on", "evidence", "constant"))
_MORE = ("constant", "constant_name")


def _shown(table: Table, view: View) -> Markup:
    """Return a table as HTML, with intervals and classes as small charts and columns for programs under 'more'."""
    known = [_known(table, k) for k in range(len(table.rows))]
    scale, targets = scale_of(known), view.task.targets
    columns = _columns(table)
    heads = [_head(column, scale) for column in columns]
    charts = [bars(row, targets) for row in known]
    if any(charts):
        heads.append(Head("By class", help=f"{_CLASS_HELP} {', '.join(targets)}."))
    more = [c for c in table.columns if c.key in _MORE or (c.data_only and c.key not in (*targets, *_ELSEWHERE))]
    rows = []
    for k, (row, plain) in enumerate(zip(known, html_cells(table, columns), strict=True)):
        cells = [_with_chart(cell, column, row, scale) for cell, column in zip(plain, columns, strict=True)]
        if any(charts):
            cells.append(Cell("", markup=charts[k] or ""))
        unfolded = [(column.title, text) for column in more if (text := table.cell(k, column))]
        rows.append(HtmlRow(cells, "run" if row["kind"] == RUN else "published", unfolded))
    return Markup(html_table(table, heads, rows))  # noqa: S704 - every text in it was escaped


def _columns(table: Table) -> list[Column]:
    """Return the columns of the page's table; scores are drawn even if no row has an interval."""
    columns = [column for column in table.read if column.key not in _ELSEWHERE]
    if any(column.key == _CHART for column in columns):
        return columns
    after = next(k for k, column in enumerate(columns, start=1) if column.key == "score")
    return [*columns[:after], Column(_CHART, "On one scale", "interval"), *columns[after:]]


def _known(table: Table, k: int) -> dict[str, Any]:
    """Return a row's values by column, with ``low`` and ``high`` of its interval; a row without a kind is a run's."""
    known = {column.key: value for column in table.columns if (value := table.value(k, column)) is not None}
    if _CHART in known:
        known["low"], known["high"] = known[_CHART]
    return {"kind": RUN} | known


def _head(column: Column, scale: Scale | None) -> Head:
    drawn = axis(scale) if column.key == _CHART and scale else ""
    help = words.INTERVAL_BY_PERSON if column.title == _BY_PERSON else _HELP.get(column.key, "")
    return html_head(column, help=help, markup=drawn)


def _with_chart(cell: Cell, column: Column, row: Row, scale: Scale | None) -> Cell:
    """Return the cell with the interval as a chart, or the name's cell with a description of the entry below."""
    if column.key == _CHART and scale is not None:
        return replace(cell, text="", value=row.get("score"), below=cell.text, markup=interval(row, scale))
    return replace(cell, below=_below_name(row)) if column.key == "name" else cell


def _below_name(row: Row) -> str:
    """Return a description of an entry in one line."""
    if row["kind"] != RUN:
        return ", ".join((str(row["kind"]), f"ABAW-{row['edition']:.0f}", f"evidence: {row['evidence']}"))
    trained = f"trained on {row['trained_on']}" if "trained_on" in row else ""
    return ", ".join(part for part in ("run", row.get("spread", ""), trained) if part)
