"""``abaw export``: the same bytes as the page's buttons, to a file or to standard output."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.errors import AbawError, UnknownNameError, UsageError
from harness.files.archives.fingerprint import Fingerprint
from harness.records.run import RunRecord
from harness.slots import Ledger
from harness.store.run_names import short_id
from harness.store.store import Store
from harness.tables.forms import FORMS
from harness.tables.table import Table
from leaderboard.export.command import export
from tests.support.app_pages import open_page
from tests.support.scored_runs import record, scored_run

RunFactory = Callable[..., RunRecord]
NAME = 'expr/a_b & 100% "q" <i>x</i> | 😀'


def abaw_export(*arguments: object) -> bytes:
    done = call(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout_bytes


def call(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def error_of(*arguments: object) -> AbawError:
    done = call(*arguments)
    assert isinstance(done.exception, AbawError), (done.output, done.exception)
    return done.exception


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, Table]:
    """What the page offers under its buttons, by the name of the file; they write it with the same writers."""
    found: dict[str, Table] = {}

    def keep(table: Table, name: str, **_: Any) -> None:
        found[name] = table

    # where a title stands beside them, and where they stand alone
    for screen in ("downloads", "board", "compare", "papers", "run_making"):
        monkeypatch.setattr(f"leaderboard.screens.{screen}.export_buttons", keep)
    return found


def bytes_of(table: Table) -> dict[str, bytes]:
    return {form: write(table).encode() for form, (write, _, _) in FORMS.items()}


# --- the same bytes


def test_the_board_is_exported_as_the_page_offers_it(
    store: Store, run_record: RunFactory, tables: dict[str, Table]
) -> None:
    record(store, run_record(NAME), run_record("expr/b", 0.5, encoder="x"), run_record("expr/b", 0.6, seed=1))
    open_page(task="EXPR", split="val", data="Aff-Wild2")
    offered = bytes_of(tables["expr-val"])
    for form, content in offered.items():
        assert abaw_export("board", "--task", "EXPR", "--split", "val", "--format", form) == content
    assert NAME in offered["csv"].decode().replace('""', '"')


def test_the_same_filters_leave_the_same_rows(store: Store, run_record: RunFactory, tables: dict[str, Table]) -> None:
    runs = [run_record("expr/a", data_name="lab"), run_record("expr/b", 0.5, data_name="lab", encoder="x")]
    runs.append(run_record("expr/c", 0.6, data_name="lab", encoder="x", created="2026-01-05T23:59:00+00:00"))
    record(store, *runs)
    open_page(data="lab", encoder=["x"], since="2026-01-05", until="2026-01-05")
    content = abaw_export("board", "--data-set", "lab", "--encoder", "x", "--since", "2026-01-05", "--until",
                          "2026-01-05")  # fmt: skip
    assert content == bytes_of(tables["expr-val"])["csv"]
    assert [row["name"] for row in rows_of(content)] == ["expr/c"]
    open_page(data="lab", q="expr/b")
    assert abaw_export("board", "--data-set", "lab", "--search", "expr/b") == bytes_of(tables["expr-val"])["csv"]


def test_seeds_are_one_row_or_one_each_as_on_the_page(
    store: Store, run_record: RunFactory, tables: dict[str, Table]
) -> None:
    record(store, *(run_record("expr/a", 0.4 + seed / 10, data_name="lab", seed=seed) for seed in range(3)))
    for state, flags, rows in (({}, [], 1), ({"each_seed": "true"}, ["--each-seed"], 3)):
        open_page(data="lab", **state)
        content = abaw_export("board", "--data-set", "lab", *flags)
        assert content == bytes_of(tables["expr-val"])["csv"]
        assert len(rows_of(content)) == rows


def test_default_export_is_the_board_that_the_page_opens_with(
    store: Store, run_record: RunFactory, tables: dict[str, Table]
) -> None:
    record(store, run_record(data_name="lab"))
    open_page()
    assert abaw_export("board") == bytes_of(tables["expr-val"])["csv"]


def test_board_names_data_sets_that_have_others(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"), run_record("expr/b", data_name="other"))
    done = call("board")
    assert "this is the board of " in done.stderr
    assert "--data-set names another one: " in done.stderr
    assert {"lab", "other"} <= set(done.stderr.replace(",", " ").replace(";", " ").split())
    assert "--data-set" not in call("board", "--data-set", "lab").stderr


def test_published_results_on_other_data_get_their_own_table(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"))
    own, reference = (rows_of(abaw_export("board", *flags)) for flags in ([], ["--reference"]))
    assert [row["name"] for row in own] == ["expr/landmarks-mlp-smooth"]
    assert len(reference) > 5
    assert all(row["kind"] != "run" for row in reference)


def test_the_ledger_is_exported_as_the_page_offers_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, Table], run_record: RunFactory
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("ABAW_OUT", str(out))
    test = run_record(NAME, None, split="test")
    record(store, run_record(NAME), test)
    ledger = Ledger(out)
    for number, edition in enumerate((10, 8), start=1):
        mark = Fingerprint(f"{number:064x}", f"{number:064x}", 1, ())
        ledger.send(Path("x.txt"), "EXPR", edition, mark=mark, run_id=test.run_id, note="=1+1")
    ledger.result(1, 0.35)
    open_page("submissions")
    for form, content in bytes_of(tables["slots"]).items():
        assert abaw_export("slots", "--format", form) == content
    assert abaw_export("slots", "--left") == bytes_of(tables["slots-left"])["csv"]
    open_page("submissions", task="EXPR", edition="8")
    narrowed = abaw_export("slots", "--task", "expr", "--edition", 8)
    assert narrowed == bytes_of(tables["slots"])["csv"]
    assert [row["number"] for row in rows_of(narrowed)] == ["2"]
    assert abaw_export("slots", "--left", "--task", "EXPR", "--edition", 8) == bytes_of(tables["slots-left"])["csv"]


def test_a_runs_tables_are_exported_as_its_page_offers_them(store: Store, tables: dict[str, Table]) -> None:
    run = scored_run(NAME, 0.5)
    record(store, run)
    open_page("run", run=run.run_id)
    offered = {name.removeprefix(f"{run.run_id}-"): table for name, table in tables.items()}
    assert offered
    for which, table in offered.items():
        for form, content in bytes_of(table).items():
            assert abaw_export("run", run.run_id, "--table", which, "--format", form) == content
    assert abaw_export("run", run.run_id) == bytes_of(offered["classes"])["csv"]
    for name in (short_id(run.run_id), run.run_id[:-3], NAME, f"{NAME}@{run.seed}"):
        assert abaw_export("run", name) == abaw_export("run", run.run_id)
    assert "Did you mean videos" in str(error_of("run", run.run_id, "--table", "vidoes"))
    assert "unknown run" in str(error_of("run", "nope"))


def test_a_comparison_is_exported_as_its_page_offers_it(store: Store, tables: dict[str, Table]) -> None:
    a, b = scored_run(NAME, 0.6), scored_run("expr/b", 0.3, seed=1)
    other = scored_run("expr/c", 0.3, videos=5)
    record(store, a, b, other)
    open_page("compare", a=a.run_id, b=b.run_id)
    assert set(tables) >= {"scores", "videos", "settings"}
    for which, table in tables.items():
        assert abaw_export("compare", a.run_id, b.run_id, "--table", which) == bytes_of(table)["csv"]
    # scores that can't be laid side by side say why; settings can
    assert "can't be compared" in str(error_of("compare", a.run_id, other.run_id))
    assert abaw_export("compare", a.run_id, other.run_id, "--table", "settings")
    tables.clear()
    row = "abaw10:table1:emotieffnet"
    open_page("compare", a=a.run_id, b=row)
    assert abaw_export("compare", a.run_id, row) == bytes_of(tables["difference"])["csv"]
    assert "run, or published number," in str(error_of("compare", a.run_id, "nope"))


def test_a_papers_table_is_exported_as_its_page_offers_it(store: Store, tables: dict[str, Table]) -> None:
    names = ("expr/abaw10-emotieffnet", "expr/abaw10-emotieffnet-gla")
    steps = ("gaps filled", "gaps filled, smoothed")
    runs = [scored_run(names[k], 0.4 + k / 10, seed=seed, postprocess=steps[k]) for k in (0, 1) for seed in (0, 1)]
    record(store, *runs)
    open_page("papers", table="abaw10:table1")
    for form, content in bytes_of(tables["abaw10-table1"]).items():
        assert abaw_export("papers", "abaw10:table1", "--format", form) == content
    assert abaw_export("papers", "abaw10:table1", "--ingredients") == bytes_of(tables["ingredients"])["csv"]
    open_page("papers", table="own:EXPR")
    assert abaw_export("papers", "own:EXPR", "--ingredients") == bytes_of(tables["ingredients"])["csv"]
    assert "--ingredients" in str(error_of("papers", "own:EXPR"))
    assert "no run of VA" in str(error_of("papers", "own:VA", "--ingredients"))
    assert "Did you mean abaw10:table1" in str(error_of("papers", "abaw10:tabel1"))


# --- to a file


@pytest.mark.parametrize(("name", "form"), [("b.csv", "csv"), ("b.md", "md"), ("b.tex", "latex"), ("b.txt", "csv")])
def test_the_files_name_tells_the_form(store: Store, tmp_path: Path, name: str, form: str) -> None:
    assert abaw_export("board", "--to", tmp_path / name) == b""
    assert (tmp_path / name).read_bytes() == abaw_export("board", "--format", form)


def test_unknown_file_kind_is_refused_unless_the_form_is_named(store: Store, tmp_path: Path) -> None:
    error = error_of("board", "--to", tmp_path / "b.pdf")
    assert isinstance(error, UsageError)
    assert "--format" in str(error)
    assert not (tmp_path / "b.pdf").exists()
    abaw_export("board", "--to", tmp_path / "b.table", "--format", "md")
    assert (tmp_path / "b.table").read_bytes() == abaw_export("board", "--format", "md")


def test_a_file_that_was_there_stays_whole_when_the_export_fails(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "b.csv"
    target.write_text("before")
    store.path.write_bytes(b"no database" * 1000)
    assert "results.duckdb" in str(error_of("board", "--to", target))
    assert target.read_text() == "before"


def test_columns_are_chosen_and_ordered_by_their_keys(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"))
    header = abaw_export("board", "--columns", "score,name, interval").decode().splitlines()[0]
    assert header == "score,name,low,high"
    # what is asked for by name is shown, though it is else for programs
    assert "Encoder" in abaw_export("board", "--columns", "name,encoder", "--format", "md").decode()
    assert "Did you mean name" in str(error_of("board", "--columns", "nmae"))


# --- errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data-set", "Aff-Wild3"), "Did you mean Aff-Wild2"),
        (("--split", "tset"), "Did you mean test"),
        (("--encoder", "landmark"), "Did you mean landmarks"),
    ],
)
def test_an_unknown_name_gets_a_guess(
    store: Store, run_record: RunFactory, arguments: tuple[str, ...], said: str
) -> None:
    record(store, run_record())
    error = error_of("board", *arguments)
    assert isinstance(error, UnknownNameError)
    assert said in str(error)


def test_a_day_that_is_none_is_refused(store: Store) -> None:
    assert isinstance(error_of("board", "--since", "yesterday"), UsageError)


def test_a_store_that_is_not_there_gives_published_results(store: Store) -> None:
    done = call("board")
    assert len(rows_of(done.stdout_bytes)) > 5
    assert done.stderr == f"{store.path}: no results store yet\n"
    assert not store.path.exists()
