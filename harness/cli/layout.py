"""Layout of help: commands in groups, a command's own options first, summaries whole. And options of every command."""

from __future__ import annotations

import inspect
import logging
import os
import re
from collections.abc import Mapping, Sequence
from types import MethodType
from typing import Any

import click

from harness.system.terminal import QUIET, VERBOSE

COMMAND_GROUPS: Mapping[str, Sequence[str]] = {
    "Look around": ("demo", "data", "solutions", "weights"),
    "Run solutions": ("run", "extract", "transcribe", "reproduce", "crossval", "blend", "sweep"),
    "Official files": ("plan", "submit", "validate", "repair", "score", "pack", "slots"),
    "Results": ("runs", "show", "compare", "leaderboard", "export", "hide", "note", "tag", "remove"),
    "Stores and teams": ("import", "sync", "reindex", "store"),
}
"""Commands by group, in the order of work; others follow under :data:`OTHERS`."""
OTHERS = "More commands"

OWN_OPTIONS, EVERYWHERE = "Options", "Every command"
_SECTION = "abaw_section"


def in_section(section: str, parameters: Sequence[Any]) -> Any:
    """Return a decorator that adds options under a heading of their own in the help.

    Args:
        section: heading.
        parameters: decorators of :func:`click.option`, in the order of the help.
    """

    def decorate(function: Any) -> Any:
        for option in reversed(parameters):
            function = option(function)
            setattr(function.__click_params__[-1], _SECTION, section)
        return function

    return decorate


def write_commands(group: click.Group, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the commands of a group with whole summaries, in :data:`COMMAND_GROUPS` where it is the outermost."""
    names = group.list_commands(ctx)
    commands = {name: command for name in names if (command := group.get_command(ctx, name)) and not command.hidden}
    grouped = {name for members in COMMAND_GROUPS.values() for name in members}
    sections = {title: [n for n in members if n in commands] for title, members in COMMAND_GROUPS.items()}
    if ctx.parent is not None:
        sections, grouped = {}, set()
    others = [name for name in commands if name not in grouped]
    for title, members in {**sections, (OTHERS if sections else "Commands"): others}.items():
        if members:
            with formatter.section(title):
                formatter.write_dl([(name, summary(commands[name])) for name in members])


def summary(command: click.Command) -> str:
    """Return the first sentence of a command's help, whole."""
    text = " ".join(inspect.cleandoc(command.help or command.short_help or "").split("\n\n", 1)[0].split())
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].rstrip(".:;")


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write a command's own options first, then the shared ones under their headings."""
    sections: dict[str, list[tuple[str, str]]] = {OWN_OPTIONS: []}
    for parameter in command.get_params(ctx):
        if not isinstance(parameter, click.Option):  # the usage line names arguments, the text explains them
            continue
        record = parameter.get_help_record(ctx)
        if record is not None:
            sections.setdefault(getattr(parameter, _SECTION, OWN_OPTIONS), []).append(record)
    for title, records in sorted(sections.items(), key=lambda pair: pair[0] == EVERYWHERE):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def laid_out(command: click.Command) -> click.Command:
    """Return a command, and those below it, with this layout and the options of every command."""
    if getattr(command, "abaw_laid_out", False):
        return command
    changes: dict[str, Any] = {"abaw_laid_out": True}
    taken = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for option in options_of_every_command():
        if taken.isdisjoint(option.opts):
            command.params.append(option)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            laid_out(child)
        changes["format_commands"] = MethodType(write_commands, command)
        changes["format_options"] = MethodType(_write_both, command)
    else:
        changes["format_options"] = MethodType(write_options, command)
    for name, value in changes.items():
        setattr(command, name, value)
    return command


def _write_both(group: click.Group, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    write_options(group, ctx, formatter)
    group.format_commands(ctx, formatter)


def options_of_every_command() -> list[click.Option]:
    """Return new options that every command takes, and that may also stand before its name."""
    options = [
        click.Option(
            ["-q", "--quiet"], is_flag=True, help="No progress and no notes: results, warnings and errors alone."
        ),
        click.Option(["-v", "--verbose"], is_flag=True, help="Also what libraries say, and where an error arose."),
        click.Option(["--no-color"], is_flag=True, help="Plain text, without colours and bold type.  [NO_COLOR]"),
    ]
    for option, name in zip(options, (QUIET, VERBOSE, "NO_COLOR"), strict=True):
        option.expose_value, option.is_eager = False, True
        option.callback = _setter(name)
        setattr(option, _SECTION, EVERYWHERE)
    return options


def _setter(name: str) -> Any:
    """Return a callback that sets an environment variable until the command ends."""

    def set_it(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if not value or ctx.resilient_parsing:
            return
        before = os.environ.get(name)
        os.environ[name] = "1"
        ctx.find_root().call_on_close(lambda: _restore(name, before))
        if name in (QUIET, VERBOSE):
            level, logger = logging.getLogger().level, logging.getLogger()
            logger.setLevel(logging.ERROR if name == QUIET else logging.INFO)
            ctx.find_root().call_on_close(lambda: logger.setLevel(level))

    return set_it


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
