"""What every table has in common: how it is written, and where to."""

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
    """How a table is written, where to, and where the results are."""
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
    """The results store. Where there is none yet, that is said: a mistyped path is no empty board."""
    from harness.store.store import Store

    store = Store(settings.store)
    if not store.exists():
        click.echo(f"{settings.store}: no results store yet", err=True)
    return store


def write(table: Table, *, form: str | None, to: Path | None, columns: str | None) -> None:
    """Write a table as it was asked for.

    Raises:
        UnknownNameError: it has no such column.
        UsageError: the file's name is of another kind.
        StorageError: the file can't be written; one that was there is as it was.
    """
    text = FORMS[form or _form_of(to)][0](_chosen(table, columns))
    if to is None:
        click.echo(text.encode(), nl=False)  # bytes: no system changes the line ends
        return
    write_text(to, text)
    click.echo(f"{to}: {table.title}, {counted(len(table.rows), 'row')}", err=True)


def _form_of(to: Path | None) -> str:
    """The form that a file's name tells; CSV where it tells none."""
    suffix = to.suffix.lower() if to else ""
    if suffix not in _SUFFIXES and suffix not in ("", ".txt"):
        do = f"Name it {', '.join(_SUFFIXES)}, or say which it is to be: --format"
        raise UsageError("no form of a table has this name", where=to, do=do)
    return _SUFFIXES.get(suffix, "csv")


def _chosen(table: Table, names: str | None) -> Table:
    """The columns that were asked for, whatever they are for."""
    if names is None:
        return table
    known = {column.key: column for column in table.columns}
    keys = [name.strip() for name in names.split(",") if name.strip()]
    for key in keys:
        if key not in known:
            raise UnknownNameError("column", key, known)
    return replace(table, columns=tuple(replace(known[key], data_only=False) for key in keys))


def one_of(kind: str, name: str | None, known: list[str]) -> str:
    """A name that is known, the first one by default.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name is None:
        return known[0]
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return name
