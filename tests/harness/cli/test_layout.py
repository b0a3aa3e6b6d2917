"""Help in groups without cut summaries, options of every command, errors as JSON, completion."""

from __future__ import annotations

import json
import os
import re

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from harness.cli.layout import COMMAND_GROUPS, EVERYWHERE, OTHERS, summary
from harness.cli.main import COMMANDS, OUR_PLUGINS, cli


@pytest.fixture(scope="module")
def shown() -> str:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["--help"], terminal_width=80).output


def test_help_lists_every_command_under_a_group(shown):
    grouped = {name for names in COMMAND_GROUPS.values() for name in names}
    assert {*COMMANDS, *OUR_PLUGINS} - grouped == {"completion"}
    titles = [*COMMAND_GROUPS, OTHERS]
    assert [line[:-1] for line in shown.splitlines() if line[:-1] in titles] == titles


def test_help_cuts_no_summary_at_80_columns(shown):
    lines = shown[shown.index("Look around:") :].splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines)
    whole = " ".join(shown.split())
    context = click.Context(cli)
    for name in COMMANDS:
        assert " ".join([name, summary(cli.get_command(context, name))]) in whole


def test_own_options_come_before_shared_ones():
    text = CliRunner().invoke(cli, ["run", "--help"]).output
    titles = ["Options:", "Data set:", "How work is done:", "Runs and store:", f"{EVERYWHERE}:"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert text.index("--seeds") < text.index("Data set:") < text.index("--crops")


@pytest.mark.parametrize("command", [["runs"], ["slots", "send"], ["weights", "list"], ["data", "check"]])
def test_every_command_takes_quiet_verbose_and_no_color(command):
    text = CliRunner().invoke(cli, [*command, "--help"]).output
    for option in ("-q, --quiet", "-v, --verbose", "--no-color"):
        assert text.count(option) == 1


def test_quiet_holds_until_the_command_ends(tmp_path, monkeypatch):
    monkeypatch.delenv("ABAW_QUIET", raising=False)
    from harness.system import progress

    seen = []
    monkeypatch.setattr(progress.console(), "print", lambda *texts, **_: seen.append(texts))
    for name, environment in (("loud", {}), ("quiet", {"ABAW_QUIET": "1"})):
        with pytest.MonkeyPatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            with progress.progress(name, 2, "frames") as advance:
                advance(2)
    assert [texts[0].partition(":")[0] for texts in seen] == ["loud"]
    assert CliRunner().invoke(cli, ["runs", "-q", "--out", str(tmp_path)]).exit_code == 0
    assert "ABAW_QUIET" not in os.environ


def test_errors_are_json_where_json_was_asked_for(abaw):
    done = abaw("show", "nobody", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    assert (error["kind"], error["exit_code"]) == ("UnknownNameError", 2)
    assert "unknown run 'nobody'" in error["message"]
    usage = abaw("runs", "--format", "json", "--nonsense")
    assert json.loads(usage.stderr)["error"]["kind"] == "UsageError"
    assert abaw("show", "nobody").stderr.startswith("abaw: unknown run")


def test_verbose_shows_where_an_error_arose(abaw):
    assert "Traceback" in abaw("show", "nobody", "-v").stderr
    assert "Traceback" not in abaw("show", "nobody").stderr


def completed(*words: str) -> list[str]:
    complete = BashComplete(cli, {}, "abaw", "_ABAW_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_tab_completes_solutions_weights_and_encoders():
    assert "expr/tiny-mlp-smooth" in completed("run", "expr/tiny")
    assert completed("weights", "fetch", "wav2") == ["wav2vec2-base-960h"]
    assert completed("extract", "flow-stat") == ["flow-statistics"]


def test_tab_completes_runs_without_a_store(tmp_path, run_record, monkeypatch):
    run_record("cnn-val-s0-0a1b2c3d").write(tmp_path / "submissions/EXPR/cnn-val-s0-0a1b2c3d")
    monkeypatch.chdir(tmp_path)
    assert completed("show", "0a") == ["0a1b2c3d"]
    assert completed("compare", "0a1b2c3d", "cnn") == ["cnn-val-s0-0a1b2c3d"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell):
    text = CliRunner().invoke(cli, ["completion", shell]).output
    assert re.search(rf"_ABAW_COMPLETE={shell}_complete", text)


def test_no_color_leaves_plain_text(monkeypatch):
    from harness.system.console import Terminal

    for name, expected in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", name)
        import io

        console = Terminal(file=io.StringIO(), force_terminal=True, **({} if name else {"color_system": "standard"}))
        console.print("text", style="bold")
        assert ("\x1b[1m" in console.file.getvalue()) is expected
