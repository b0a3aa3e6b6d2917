"""The reference of the console command: one page per command, one anchor per option."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from docs.generate.markdown import cell, code, fenced, page, slug, table
from harness.cli.layout import COMMAND_GROUPS, EVERYWHERE, OTHERS, OWN_OPTIONS, summary
from harness.cli.main import cli

FOLDER = "reference/cli"


def tree(group: click.Group = cli, prefix: str = "abaw") -> Iterator[tuple[str, click.Command]]:
    """Yield the full name and the command of each command, groups before their members."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from tree(command, f"{prefix} {name}")


def option_anchor(name: str, option: str) -> str:
    """Return the anchor of an option, such as ``abaw-run--split``."""
    return f"{slug(name)}{option if option.startswith('--') else '--' + option.lstrip('-')}"


def page_of(name: str) -> str:
    """Return the page of a command, by its full name."""
    return f"{FOLDER}/{name.split()[1]}.md"


def pages() -> dict[str, str]:
    """Return the index of commands and one page per command."""
    commands = dict(tree())
    written: dict[str, list[str]] = {}
    for name, command in commands.items():
        written.setdefault(page_of(name), []).append(_section(name, command))
    texts = {path: page(f"abaw {path.rpartition('/')[2][:-3]}", *parts) for path, parts in written.items()}
    return {f"{FOLDER}/index.md": _index(commands), **texts}


def _index(commands: dict[str, click.Command]) -> str:
    outermost = {name.split()[1]: command for name, command in commands.items() if len(name.split()) == 2}
    groups = {title: [name for name in names if name in outermost] for title, names in COMMAND_GROUPS.items()}
    grouped = {name for names in groups.values() for name in names}
    groups[OTHERS] = [name for name in outermost if name not in grouped]
    parts = ["Every command and option, generated from the program. [Commands](../../commands.md) is the overview.\n"]
    for title, names in groups.items():
        rows = ((f"[`abaw {name}`]({name}.md)", cell(summary(outermost[name]))) for name in names)
        parts += [f"## {title}\n", table(("command", "purpose"), rows)]
    return page("Command line", *parts)


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [] if len(name.split()) == 2 else [f"## {name} {{ #{slug(name)} }}\n"]
    parts += [fenced(" ".join(usage.split()), "sh"), _help(command.help or "")]
    sections: dict[str, list[click.Option]] = {OWN_OPTIONS: []}
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            sections.setdefault(getattr(parameter, "abaw_section", OWN_OPTIONS), []).append(parameter)
    for title, options in sorted(sections.items(), key=lambda pair: pair[0] == EVERYWHERE):
        if not options:
            continue
        parts += [
            f"**{title}**\n",
            table(("option", "meaning"), (_option(name, option, context) for option in options)),
        ]
    return "\n".join(parts)


def _option(name: str, option: click.Option, context: click.Context) -> tuple[str, str]:
    spelling, text = option.get_help_record(context) or ("", "")
    anchors = "".join(
        f'<span id="{option_anchor(name, opt)}"></span>' for opt in (*option.opts, *option.secondary_opts)
    )
    return anchors + code(spelling), cell(text)


def _help(text: str) -> str:
    """Return the help of a command as Markdown; paragraphs that click must not wrap become blocks of code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            body = paragraph.removeprefix("\b").strip("\n")
            first = re.match(r"Examples?:\s+", body)
            if first:
                lines = [line[len(first[0]) :] if k == 0 else line.strip() for k, line in enumerate(body.splitlines())]
                parts.append(fenced("\n".join(lines), "sh"))
            else:
                parts.append(fenced(body))
        else:
            parts.append(cell(paragraph) + "\n")
    return "\n".join(parts)
