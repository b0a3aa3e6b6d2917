"""Where weights lie: ``<cache>/weights/<name>.safetensors`` and ``<name>.json``, which says where they come from."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.atomic import atomic_path, sweep_partials, write_text
from harness.errors import DataError, MissingDependencyError, problem
from harness.filelock import exclusive, queued
from harness.provenance import sha256_of
from harness.settings import Settings
from solutions.weights.registry import WeightsEntry, find_entry
from solutions.weights.tensors import read_tensors

if TYPE_CHECKING:
    import torch

_PATIENCE = 20.0


@dataclass(frozen=True)
class Weights:
    """Pretrained weights, read and checked.

    Attributes:
        tensors: in the file's own dtypes, on the CPU, by the names of the module that was saved.
        sha256: of the publisher's file that they were read from.
    """

    entry: WeightsEntry
    tensors: Mapping[str, torch.Tensor]
    sha256: str


@dataclass(frozen=True)
class Record:
    """What is known of weights that are here.

    Attributes:
        sha256, size: of the publisher's file; size in bytes.
        source: the address or the path that it came from.
        date: when, ISO 8601 in UTC.
        converted_sha256, converted_size: of the ``.safetensors`` file that it was turned into.
    """

    name: str
    sha256: str
    size: int
    source: str
    date: str
    converted_sha256: str
    converted_size: int


def weights_folder(settings: Settings) -> Path:
    """Folder of all weights."""
    return settings.cache.expanduser() / "weights"


def tensors_path(name: str, settings: Settings) -> Path:
    """The converted file."""
    return weights_folder(settings) / f"{name}.safetensors"


def read_record(name: str, settings: Settings) -> Record | None:
    """What is recorded of weights; ``None`` if nothing is.

    Raises:
        DataError: the record can't be read.
    """
    path = _record_path(name, settings)
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        do = f"Remove it, then run: {way_out(find_entry(name))}"
        raise DataError(problem("not readable as a record of weights", where=path, found=error, do=do)) from None


def is_here(name: str, settings: Settings) -> bool:
    """Whether weights are there, going by their size: cheap, where :func:`load_weights` reads every byte."""
    record, path = read_record(name, settings), tensors_path(name, settings)
    return record is not None and path.is_file() and path.stat().st_size == record.converted_size


def load_weights(name: str, settings: Settings) -> Weights:
    """Weights that were fetched or imported earlier, every byte checked.

    Raises:
        UnknownNameError: no weights have that name.
        MissingDependencyError: they are not here; the message says how to get them.
        DataError: the file is not the one that was recorded.
    """
    entry = find_entry(name)
    record = _whole(name, settings)
    if record is None:  # another process may be between the two files' renames
        with queued(_lock_path(name, settings), shared=True, deadline=time.monotonic() + _PATIENCE):
            record = _whole(name, settings)
    if record is None:
        raise _not_usable(entry, settings)
    from safetensors.torch import load_file

    return Weights(entry, load_file(tensors_path(name, settings)), record.sha256)


def import_weights(name: str, path: Path, settings: Settings, *, replace: bool = False) -> Weights:
    """Read the publisher's file without executing anything in it, convert it, and keep it.

    The same file again is no mistake. The file itself is left where it is.

    Args:
        replace: put it in the place of weights that came from another file.

    Raises:
        UnknownNameError: no weights have that name.
        DataError: the file holds no tensors or can't be read safely, or is not the one that is known or recorded.
        StorageError: the disk is full, or the folder can't be written.
    """
    find_entry(name)
    try:
        sha256, size = sha256_of(path), path.stat().st_size
    except OSError as error:
        raise DataError(problem("can't be read", where=path, found=error.strerror or error)) from None
    with exclusive(_lock_path(name, settings), patience=_PATIENCE):
        check_hash(name, sha256, path, settings, replace=replace)
        _put(name, path, Record(name, sha256, size, str(path.resolve()), _now(), "", 0), settings)
    return load_weights(name, settings)


def check_hash(name: str, sha256: str, path: Path, settings: Settings, *, replace: bool = False) -> None:
    """Refuse a file that is not the one that the registry knows or that was recorded at first use.

    Raises:
        DataError: it is another one.
    """
    entry, record = find_entry(name), read_record(name, settings)
    if entry.sha256 is not None and sha256 != entry.sha256:
        raise DataError(
            problem(
                f"not the published file of {name}",
                where=path,
                found=f"sha256 {sha256}",
                expected=entry.sha256,
                do=f"Get {entry.file} again from {entry.page}",
            )
        )
    if record is not None and record.sha256 != sha256 and not replace:
        raise DataError(
            problem(
                f"not the file that {name} came from at first (recorded {record.date[:10]})",
                where=path,
                found=f"sha256 {sha256}",
                expected=record.sha256,
                do=f"If you trust this one more, run: abaw weights import {name} {path} --replace",
            )
        )


def way_out(entry: WeightsEntry) -> str:
    """The command that brings weights here."""
    bring = f"abaw weights import {entry.name} FILE"
    return f"{bring} ({entry.file}; see {entry.page})" if entry.url is None else f"abaw weights fetch {entry.name}"


def _put(name: str, path: Path, record: Record, settings: Settings) -> None:
    """Convert and keep; the record goes last, so that a kill before it leaves a pair that is refused, not believed."""
    from safetensors.torch import save_file

    tensors = read_tensors(path)
    target = tensors_path(name, settings)
    sweep_partials(target.parent)
    with atomic_path(target) as temporary:
        save_file(tensors, temporary)
        converted, size = sha256_of(temporary), temporary.stat().st_size
    content = asdict(record) | {"converted_sha256": converted, "converted_size": size}
    write_text(_record_path(name, settings), json.dumps(content, indent=2) + "\n")


def _whole(name: str, settings: Settings) -> Record | None:
    """The record, if the file beside it is the one that it speaks of."""
    if not is_here(name, settings):
        return None
    record = read_record(name, settings)
    return record if record and sha256_of(tensors_path(name, settings)) == record.converted_sha256 else None


def _not_usable(entry: WeightsEntry, settings: Settings) -> MissingDependencyError | DataError:
    path = tensors_path(entry.name, settings)
    if path.exists() and read_record(entry.name, settings):
        what = "no longer what was recorded when it was written: changed, damaged, or half replaced"
        return DataError(problem(what, where=path, do=f"Run: {way_out(entry)}"))
    do = f"Run: {way_out(entry)}; or use an encoder that needs no download: landmarks"
    return MissingDependencyError(problem(f"the weights of {entry.name} are not here", where=path, do=do))


def _record_path(name: str, settings: Settings) -> Path:
    return weights_folder(settings) / f"{name}.json"


def _lock_path(name: str, settings: Settings) -> Path:
    return weights_folder(settings) / f".{name}.lock"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
