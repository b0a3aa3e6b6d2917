"""``abaw pack``: official files as one zip, ready to upload."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from harness.cli import completion
from harness.cli.options import json_option, out_options, print_json
from harness.cli.results import run_folder
from harness.errors import SubmissionError, UsageError
from harness.files.archives.pack import Packed
from harness.records.run import RUN_FILE, RunRecord
from harness.settings import load_settings
from harness.system.counts import counted
from harness.system.regular import is_taken


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=completion.runs)
@click.option("--to", type=click.Path(path_type=Path), help="The zip.  [default: beside the run, folder or file]")
@click.option("--folder", default="", help="Put everything in a folder of this name.  [default: at the top]")
@click.option("--force", is_flag=True, help="Replace another file that is there.")
@out_options
@json_option
def pack(
    what: tuple[str, ...],
    to: Path | None,
    folder: str,
    force: bool,
    out: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Pack a run's official files into a zip.

    WHAT is a run (its folder, id, short id, or SOLUTION[@SEED], whose run on test is taken), or any files and folders.
    The same files give the same zip, byte for byte: dates, order and permissions are fixed. Only the official files of
    a run are packed, after a check against the hashes in the run's record.

    \b
    Example: abaw pack landmarks-mlp-smooth-test-s0-1a2b3c4d
    """
    from harness.files.archives import pack as packing
    from harness.records.run import official_files

    settings = load_settings(out=out, store=store)
    places = [Path(name) for name in what]
    if len(places) == 1 and not is_taken(places[0]):
        from harness.store.store import Store

        places = [run_folder(Store(settings.store), what[0], settings.out, split="test")]
    files = [file for place in places for file in (official_files(place) if _is_run(place) else [place])]
    packed = packing.pack(files, to or _beside(places), folder=folder, force=force)
    errors = _errors(packed.path)
    doubts = [doubt for place in places if _is_run(place) for doubt in _doubts(place)]
    packed = replace(packed, warnings=(*packed.warnings, *doubts))
    if as_json:
        print_json({**asdict(packed), "path": str(packed.path), "errors": errors})
    else:
        _print(packed, errors)
    if errors:
        raise click.exceptions.Exit(1)


def _doubts(folder: Path) -> list[str]:
    """Return a warning for a run on another split than test: the organisers want predictions for test."""
    record = RunRecord.read(folder)
    if record.split == "test":
        return []
    return [
        f"{record.run_id} is a run on {record.split}: the organisers want predictions for test. "
        f"Make them with: abaw submit {record.name}"
    ]


def _errors(path: Path) -> list[str]:
    """Return the errors that `abaw validate` reports for the archive; an empty list for files in other formats."""
    from harness.files.checking.submission import validate

    try:
        return [str(error) for error in validate(path).errors]
    except SubmissionError:
        return []


def _print(packed: Packed, errors: list[str]) -> None:
    state = " (it was there already, byte for byte)" if packed.unchanged else ""
    number = counted(len(packed.members), "file")
    click.echo(f"{packed.path}: {packed.bytes:,} bytes, {number}{state}")
    click.echo(f"sha256 {packed.sha256}")
    for member in packed.members:
        click.echo(f"  {member.sha256}  {member.name}")
    for warning in packed.warnings:
        click.echo(f"warning: {warning}", err=True)
    if errors:
        click.echo(f"NOT valid, don't send it in; see all with: abaw validate {packed.path}\n  {errors[0]}", err=True)


def _is_run(place: Path) -> bool:
    return is_taken(place / RUN_FILE)


def _beside(places: list[Path]) -> Path:
    if len(places) > 1:
        raise UsageError("several things to pack", do="Name the zip: --to FILE")
    place = places[0] if places[0].name not in ("", "..") else places[0].resolve()
    return place.with_name(f"{place.name if place.is_dir() else place.stem}.zip")
