"""Every command of the console program, by its full name."""

from __future__ import annotations

from collections.abc import Iterator

import click

from harness.cli.main import cli


def commands(group: click.Group = cli, prefix: str = "abaw") -> Iterator[tuple[str, click.Command]]:
    """Yield name and command of each command that can be run, those of groups included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{prefix} {name}", command
            yield from commands(command, f"{prefix} {name}")
        elif command is not None:
            yield f"{prefix} {name}", command


COMMANDS = dict(commands())


def options(command: click.Command) -> set[str]:
    """Return the long options of a command, those of every command included."""
    return {name for p in command.params if isinstance(p, click.Option) for name in p.opts if name.startswith("--")}
