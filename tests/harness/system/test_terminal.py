"""Names and notes of strangers on the terminal: every control character visible, every letter as it is."""

from __future__ import annotations

import io
import json
import logging
import sys
import unicodedata
import zipfile
from pathlib import Path

import click
import hypothesis
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from harness.cli import main as module
from harness.errors import DataError, problem
from harness.records.failure import Failure
from harness.store.store import Store
from harness.system.console import Terminal
from harness.system.terminal import CleanStream, clean, clean_json, clean_output, one_line
from tests.harness.test_layering import imports_of, modules
from tests.support.places import REPOSITORY

EVIL = "ab\x1b[2Jc\x9b31m\u202egnp\r\x08\x07d\ne"
SHOWN = r"ab\x1b[2Jc\x9b31m\u202egnp\x0d\x08\x07d\ne"
LETTERS = "Gesicht-Ä, 表情, עברית, हिन्दी, שָׁלוֹם, ไทย, 👩🏽\u200d🔬, می\u200cخواهم"
HARMLESS = {"\n"}


def commands_in(text: str) -> set[str]:
    """Return what a terminal would obey, or hide, of a text."""
    return {
        c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066\u200b"
    } - HARMLESS


@hypothesis.given(st.text(st.characters(codec=None)))
def test_clean_text_commands_nothing_and_keeps_the_rest(text: str) -> None:
    assert commands_in(clean(text)) <= {"\t"}
    assert commands_in(one_line(text)) == set()
    assert "\n" not in one_line(text)
    letters = [c for c in text if unicodedata.category(c)[0] in "LMNPS"]
    shown = clean(text)
    assert all(c in shown for c in letters)
    assert clean(shown) == shown, "what is clean stays as it is"


def test_letters_of_all_languages_stay() -> None:
    assert clean(LETTERS) == one_line(LETTERS) == LETTERS


@hypothesis.given(st.text())
def test_clean_json_is_the_same_content(text: str) -> None:
    written = clean_json(json.dumps([text], ensure_ascii=False))
    assert json.loads(written) == [text]
    assert commands_in(written) == set()


def test_a_stream_cleans_what_is_written() -> None:
    raw = io.StringIO()
    stream = CleanStream(raw)
    print(EVIL, file=stream)
    stream.writelines(["\x1b]0;title\x07"])
    assert commands_in(raw.getvalue()) == set()
    assert not stream.isatty()
    raw.seek(0)
    raw.truncate()
    stream.write("\r 50%")
    stream.write("done\r\n")
    assert raw.getvalue() == "\r 50%done\r\n", "a bar of progress, and a line of Windows'"


def test_a_table_on_a_terminal_has_our_colours_alone() -> None:
    raw = io.StringIO()
    console = Terminal(file=raw, force_terminal=True, color_system="standard", highlight=False, width=200)
    table = Table(box=None)
    table.add_column("name")
    table.add_row(Text.assemble((one_line(EVIL), "bold")))
    console.print(table)
    console.print(EVIL, markup=False)
    console.print(Text(EVIL))
    words = raw.getvalue()
    assert "\x1b[1m" in words
    assert "\x1b[2J" not in words
    assert words.count(r"\x1b[2J") == 3
    assert commands_in(words) == {"\x1b"}


def test_terminal_prints_brackets_and_codes_of_emoji_as_they_are() -> None:
    raw = io.StringIO()
    console = Terminal(file=raw, force_terminal=True, color_system="standard", width=200)
    table = Table(box=None)
    table.add_column("[bold]name[/]")
    table.add_row("x[link=http://example.com]y[/link]")
    console.print("ffmpeg -map 0:a:0 -map 0:v:0 [/zz] :skull:")
    console.print(table)
    shown = raw.getvalue()
    assert "ffmpeg -map 0:a:0 -map 0:v:0 [/zz] :skull:" in shown
    assert "x[link=http://example.com]y[/link]" in shown
    assert "[bold]name[/]" in shown
    assert "]8;" not in shown


def test_a_console_writes_past_the_clean_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.StringIO()
    monkeypatch.setattr(sys, "stdout", raw)
    with clean_output():
        assert isinstance(sys.stdout, CleanStream)
        assert Terminal().file is raw
        with clean_output():
            assert sys.stdout.raw is raw, "one layer is enough"
    assert sys.stdout is raw


def test_no_command_writes_past_the_cleaning() -> None:
    found = [
        str(path.relative_to(REPOSITORY))
        for package in ("harness", "solutions", "leaderboard")
        for path in modules(package)
        if {"rich.console.Console", "rich.print", "rich.console"} & imports_of(path)
    ]
    assert found == ["harness/system/console.py"]


@pytest.fixture
def hostile(run_record, tmp_path) -> tuple[str, str]:
    """Ids of two recorded runs of which every text is a stranger's, beside a failure of such a name."""
    store, out = Store(tmp_path / "submissions" / "results.duckdb"), tmp_path / "submissions"
    texts = ("name", "encoder", "head", "postprocess", "trained_on", "tuned_on", "constant")
    runs = []
    for k, run_id in enumerate(("first", "second")):
        confusion = 5 * np.eye(8)
        confusion[0, k + 1] = 3
        changes = dict.fromkeys(texts, f"{EVIL} {run_id}")
        record = run_record(
            run_id,
            seed=k,
            notes=[EVIL],
            options={EVIL: f"{EVIL}{k}"},
            choices={EVIL: {"on_all": 7 + k, "per_fold": [EVIL]}, "tuned_on": EVIL},
            recipe={EVIL: f"{EVIL}{k}"},
            data={"name": EVIL, "fingerprint": "f" * 64, "videos": 2, "frames": 86},
            statistics={"headline": {f"{EVIL}{v}": confusion.ravel().tolist() for v in range(2)}},
            **changes,
        )
        record.write(out / "EXPR" / run_id)
        runs.append((record, out / "EXPR" / run_id))
    failure = Failure.of(ValueError(EVIL), task="EXPR", split="val", name=EVIL, seed=1, data_name=EVIL)
    store.record(runs, failures=[(failure, failure.write(out))])
    return runs[0][0].run_id, runs[1][0].run_id


@pytest.mark.parametrize(
    "arguments",
    [("runs",), ("runs", "--json"), ("show", "first"), ("show", "first", "--json"), ("compare", "first", "second"),
     ("compare", "first", "second", "--json"), ("sync",), ("reindex",)],
)  # fmt: skip
def test_no_command_passes_on_what_a_stranger_wrote(hostile, abaw, arguments) -> None:
    done = abaw(*arguments)
    assert commands_in(done.stdout + done.stderr) == set()
    assert "Traceback" not in done.stderr
    assert "\ne second" not in done.stdout, "a name makes no line of its own"
    if arguments[0] in ("runs", "show", "compare") and "--json" not in arguments:
        assert r"\x1b[2J" in done.stdout
    if "--json" in arguments:
        json.loads(done.stdout)


@pytest.mark.parametrize("command", ["validate", "repair", "score"])
def test_official_files_with_commands_in_names_are_shown_clean(abaw, tmp_path, command) -> None:
    path = tmp_path / "predictions.txt"
    path.write_bytes(f"image_location,Neutral\nvid\x1b[2J\u202e/00001.jpg,1\n{EVIL}/00001.jpg,x\n".encode())
    more = {"repair": ["--task", "EXPR"], "score": ["--truth", tmp_path], "validate": ["--task", "EXPR"]}[command]
    done = abaw(command, path, *more)
    assert done.returncode != 0
    assert commands_in(done.stdout + done.stderr) == set()
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a\x1b[2J\u202eb/run.json", "{}")
    done = abaw("import", tmp_path / "z.zip")
    assert done.returncode != 0
    assert commands_in(done.stdout + done.stderr) == set()


def test_arguments_of_the_user_come_back_clean(abaw) -> None:
    for arguments in (
        ("show", "no\x1b[2Jrun"),
        ("validate", "no\x1b[2Jfile"),
        ("run", "x", "--no\x1b[2Joption"),
        ("\x1b[2J",),
    ):
        done = abaw(*arguments)
        assert done.returncode != 0
        assert commands_in(done.stdout + done.stderr) == set()


def test_whoever_writes_meanwhile_writes_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in and a log."""

    @click.command()
    def theirs() -> None:
        click.echo(EVIL)
        print(EVIL, file=sys.stderr)
        logging.getLogger("abaw").warning("%s", EVIL)

    monkeypatch.setitem(module.COMMANDS, "theirs", "harness.cli.main")
    monkeypatch.setattr(module, "theirs", theirs, raising=False)
    done = CliRunner().invoke(module.cli, ["theirs"])
    assert done.exception is None
    assert done.stdout.count(r"\x1b[2J") == 1
    assert r"\x1b[2J" in done.stderr
    assert commands_in(done.stdout + done.stderr) == set()


def test_errors_nobody_expected_are_shown_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ValueError(EVIL)
    module._show_exception(ValueError, error, None)
    words = capsys.readouterr().err
    assert r"ValueError: ab\x1b[2J" in words
    assert commands_in(words) == set()


def test_a_place_in_a_message_is_one_line() -> None:
    error = DataError(problem("not there", where=Path("a\nabaw: all is well"), do="Look again"))
    assert str(error) == r"a\nabaw: all is well: not there. Look again."
