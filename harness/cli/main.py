"""``abaw``: the console command. Subcommands live in the modules beside this one."""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import keyword
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from harness import DISTRIBUTION
from harness.cli.layout import laid_out, options_of_every_command, write_commands
from harness.errors import AbawError
from harness.system.terminal import VERBOSE, clean_json, clean_output

if TYPE_CHECKING:
    from importlib import metadata

PLUGINS = "abaw.commands"
OUR_PLUGINS = ("export", "leaderboard", "transcribe", "weights")
"""Commands of this distribution's other packages, which are found as those of strangers are."""
_log = logging.getLogger("abaw")

# In the order of work. A command's module is imported when it is called: checking a file must not wait for the rest.
COMMANDS = {
    "demo": "harness.cli.demo",
    "data": "harness.cli.data",
    "solutions": "harness.cli.solutions",
    "extract": "harness.cli.solve",
    "run": "harness.cli.solve",
    "submit": "harness.cli.solve",
    "reproduce": "harness.cli.reproduce",
    "crossval": "harness.cli.crossval",
    "blend": "harness.cli.blend",
    "sweep": "harness.cli.sweep",
    "validate": "harness.cli.files",
    "repair": "harness.cli.files",
    "score": "harness.cli.files",
    "pack": "harness.cli.pack",
    "plan": "harness.cli.plan",
    "slots": "harness.cli.slots",
    "runs": "harness.cli.results",
    "show": "harness.cli.results",
    "compare": "harness.cli.compare",
    "hide": "harness.cli.marking",
    "note": "harness.cli.marking",
    "tag": "harness.cli.marking",
    "remove": "harness.cli.marking",
    "import": "harness.cli.importing",
    "reindex": "harness.cli.results",
    "sync": "harness.cli.results",
    "store": "harness.cli.store",
    "completion": "harness.cli.completion",
}


class Commands(click.Group):
    """The commands of this package and of installed plug-ins; a mistyped name gets a suggestion."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return names of commands in the order of work, then those of plug-ins."""
        names = [*COMMANDS, *(point.name for point in _plugins() if point.name not in COMMANDS)]
        return [name for name in names if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command of a name."""
        if name in COMMANDS:
            attribute = f"{name}_" if keyword.iskeyword(name) else name
            command: click.Command = getattr(importlib.import_module(COMMANDS[name]), attribute)
            return laid_out(command)
        theirs = _load_plugin(name)
        return laid_out(theirs) if theirs is not None and name in OUR_PLUGINS else theirs

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups, with whole summaries."""
        write_commands(self, ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and remove control characters from all output meanwhile."""
        with clean_output():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does; the error on an unknown name suggests the closest one.

        Our commands write no colours through click, so that click can skip the search for them.
        """
        try:
            name, command, rest = super().resolve_command(ctx, args)
            ctx.color = True if name in COMMANDS else None
            return name, command, rest
        except click.UsageError as error:
            import difflib  # late: for a mistake alone

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{close[0]}'?", ctx) from None


def _plugins() -> list[metadata.EntryPoint]:
    from importlib import metadata  # which imports a parser of mail, and which most commands do without

    points = sorted(metadata.entry_points(group=PLUGINS), key=lambda point: point.name)
    for point in points:
        if point.name in COMMANDS:
            _log.warning("command %r of %s is left out: abaw has its own", point.name, point.value)
    return points


def _load_plugin(name: str) -> click.Command | None:
    for point in _plugins():
        if point.name == name and name not in COMMANDS:
            try:
                command: click.Command = point.load()
            except Exception as error:  # a third party's module may raise anything at import
                _log.warning("command %r can't be loaded (%s)", point.name, error)
            else:
                return command
    return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name=DISTRIBUTION, prog_name="abaw")
def cli() -> None:
    """From frames, to an official ABAW submission, to an honest place on a leaderboard.

    \b
    Look around without any data:    abaw demo
    See what a data set holds:       abaw data check ROOT
    Run a solution on validation:    abaw run expr/landmarks-mlp-smooth --data ROOT --split val
    Make the file to send in:        abaw submit expr/landmarks-mlp-smooth --data ROOT --split test

    Settings: flag, then environment (ABAW_DATA, ABAW_OUT, ABAW_STORE, ABAW_CACHE, ABAW_DEVICE, ABAW_WORKERS,
    ABAW_BACKEND, ABAW_PRECISION, ABAW_WEIGHTS, ABAW_ENGINE, ABAW_ADDRESS, ABAW_GPUS_PER_WORKER, ABAW_EDITION), then
    abaw.toml in this folder or above, then the default.

    Exit codes: 0 done, 1 something is wrong with data or files, 2 wrong usage, 3 the results store is busy
    or does not answer.
    """


cli.params.extend(options_of_every_command())


def main() -> None:
    """Run the command line; turn the project's errors into one message and an exit code."""
    sys.excepthook = _show_exception
    try:
        with clean_output():
            _run()
    finally:
        gc.freeze()  # the process ends: a last search for garbage among all modules would take longer than the exit


def _show_exception(*error: Any) -> None:
    """Show an error that nobody expected as Python does, cleaned: its words may be a stranger's."""
    with clean_output():
        sys.__excepthook__(*error)


def _run() -> None:
    logging.basicConfig(format="abaw: %(message)s", level=logging.WARNING)
    try:
        sys.exit(cli.main(prog_name="abaw", standalone_mode=False) or 0)
    except AbawError as error:
        if os.environ.get(VERBOSE) or _is_verbose(sys.argv):
            traceback.print_exception(error)
        if not _show_as_json(type(error).__name__, str(error), error.exit_code):
            click.echo(f"abaw: {error}", err=True, color=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if not _show_as_json("UsageError", error.format_message(), error.exit_code):
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("abaw: stopped. What is finished is kept; the same command goes on from there.", err=True)
        sys.exit(130)
    except OSError as error:  # a file that vanished or may not be read; the system's words name it
        text = f"{error.filename or 'the system'}: {error.strerror or error}"
        if not _show_as_json(type(error).__name__, text, 1):
            click.echo(f"abaw: {text}", err=True, color=True)
        sys.exit(1)


def _show_as_json(kind: str, message: str, code: int) -> bool:
    """Show an error as one line of JSON on stderr where the command line asks for JSON; return whether it does."""
    asked = sys.argv[1:]
    if "--json" not in asked and "--format=json" not in asked and ("--format", "json") not in itertools.pairwise(asked):
        return False
    content = {"error": {"kind": kind, "message": message, "exit_code": code}}
    click.echo(clean_json(json.dumps(content, ensure_ascii=False)), err=True)
    return True


def _is_verbose(arguments: Sequence[str]) -> bool:
    return any(argument in ("-v", "--verbose") for argument in arguments)


if __name__ == "__main__":
    main()
