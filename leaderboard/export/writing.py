"""Options and writing that all commands of ``abaw export`` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.options import out_options
from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from harness.system.atomic import write_text
from harness.system.counts import counted
from harness.tables.forms import FORMS
from harness.tables.table import Table

if TYPE_CHECKING:
    from harness.store.store import Store

F = TypeVar("F", bound=Callable[..., Any])
_SUFFIXES = {suffix: form for form, (_, suffix, _) in FORMS.items() if form != "text"}


def writing_options(function: F) -> F:
    """Add the options for a table's format, file and columns, and for the folders of the results."""
    for option in reversed(
        [
            click.option(
                "--format", "form", type=click.Choice(list(FORMS)), help="[default: by the name of --to, else csv]"
            ),
            click.option("--to", type=click.Path(path_type=Path), help="The file.  [default: standard output]"),
            click.option("--columns", help="Only these, in this order: keys as in the CSV's first line, by commas."),
        ]
    ):
        function = option(function)
    return out_options(function)


def open_store(settings: Settings) -> Store:
    """Return the results store; say on stderr if there is no store yet, because a path may be mistyped."""
    from harness.store.store import Store

    store = Store(settings.store)
    if not store.exists():
        click.echo(f"{settings.store}: no results store yet", err=True)
    return store


def write(table: Table, *, form: str | None, to: Path | None, columns: str | None) -> None:
    """Write a table in a format, to a file or to standard output.

    Args:
        table: table to write.
        form: name of the format; ``None`` chooses by the file's suffix.
        to: file; ``None`` is standard output.
        columns: keys of the columns, separated by commas; ``None`` writes all.

    Raises:
        UnknownNameError: the table lacks one of the columns.
        UsageError: no format has the file's suffix.
        StorageError: the file can't be written; an earlier file stays unchanged.
    """
    text = FORMS[form or _form_of(to)][0](_chosen(table, columns))
    if to is None:
        click.echo(text.encode(), nl=False)  # bytes, so that no system changes the line ends
        return
    write_text(to, text)
    click.echo(f"{to}: {table.title}, {counted(len(table.rows), 'row')}", err=True)


def _form_of(to: Path | None) -> str:
    """Return the name of the format for a file's suffix; CSV without a suffix, for ``.txt`` and for standard output."""
    suffix = to.suffix.lower() if to else ""
    if suffix not in _SUFFIXES and suffix not in ("", ".txt"):
        do = f"Name it {', '.join(_SUFFIXES)}, or say which it is to be: --format"
        raise UsageError("no form of a table has this name", where=to, do=do)
    return _SUFFIXES.get(suffix, "csv")


def _chosen(table: Table, names: str | None) -> Table:
    """Return the table with the named columns, including those for programs only."""
    if names is None:
        return table
    known = {column.key: column for column in table.columns}
    keys = [name.strip() for name in names.split(",") if name.strip()]
    for key in keys:
        if key not in known:
            raise UnknownNameError("column", key, known)
    return replace(table, columns=tuple(replace(known[key], data_only=False) for key in keys))


def one_of(kind: str, name: str | None, known: list[str]) -> str:
    """Return a known name, by default the first.

    Args:
        kind: noun for the message.
        name: name to look up; ``None`` takes the first known name.
        known: known names; at least one.

    Raises:
        UnknownNameError: the name is unknown.
    """
    if name is None:
        return known[0]
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return name
