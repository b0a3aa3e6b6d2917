"""PyTorch's file formats: positions of the pickle and of the tensors' bytes. All sizes are checked before use."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.files.archives.zips import count_entries
from harness.system.counts import counted
from solutions.weights.pickled.pickles import Items, Name, Persistent, mapping, read_pickle

if TYPE_CHECKING:
    import torch

MAX_PICKLE = 64 * 2**20
MAX_MEMBERS = 100_000
MAX_DIMENSIONS = 64
_GROWTH = 4  # size of all tensors over the file: tensors may share memory in the file; more than this is an attack
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


class Bytes(Protocol):
    """Source of the bytes of storages."""

    def size(self, key: str) -> int:
        """Return the size of one storage in bytes.

        Raises:
            ValueError: the file lacks a storage with this key.
        """

    def read(self, key: str) -> bytearray:
        """Return all bytes of one storage."""


def open_container(stream: io.BufferedReader, head: bytes) -> tuple[Any, Storages]:
    """Return the saved content, see :func:`solutions.weights.pickled.pickles.read_pickle`, and its storages.

    Args:
        stream: the file.
        head: the file's first 512 bytes.

    Raises:
        ValueError: the file is of another kind, or reading it would be unsafe.
    """
    if head[257:262] == b"ustar":
        raise ValueError("a tar file, as PyTorch wrote them before 0.2; save it again with a later version")
    if head.startswith(b"PK"):
        return _open_zip(stream)
    return _open_legacy(stream)


@dataclass(frozen=True)
class _Place:
    """Position of one storage: elements ``start`` to ``start + count`` of the ``total`` elements of storage ``key``."""

    key: str
    dtype: str
    total: int
    start: int
    count: int


@dataclass
class Storages:
    """Reader of storages that cuts tensors out of them.

    Attributes:
        source: source of the bytes.
        budget: bytes that all tensors together may take.
    """

    source: Bytes
    budget: int
    _loaded: dict[str, torch.Tensor] = field(default_factory=dict)
    _in_use: set[str] = field(default_factory=set)

    def tensor(
        self, storage: Any, offset: Any, size: tuple[int, ...], stride: tuple[int, ...], flags: Sequence[str]
    ) -> torch.Tensor:
        """Return a contiguous tensor with memory of its own.

        Args:
            storage: the pickle's reference to a storage.
            offset: position of the first element in the storage.
            size: shape of the tensor.
            stride: strides in elements.
            flags: marks of tensors whose values differ from the stored ones, which are refused.

        Raises:
            ValueError: the tensor exceeds its storage, or has flags.
        """
        place = _place(storage)
        count = _check_bounds(place, offset, size, stride)
        if flags:
            raise ValueError(f"a tensor marked {', '.join(flags)}")
        flat = self._load(place)
        self._spend(count * flat.element_size())
        view = flat[place.start : place.start + place.count].as_strided(size, stride, place.start + offset)
        if view.is_contiguous() and count == flat.numel() and place.key not in self._in_use:
            self._in_use.add(place.key)  # the usual case: the only tensor with these bytes
            return view
        return view.contiguous() if not view.is_contiguous() else view.clone()

    def _load(self, place: _Place) -> torch.Tensor:
        import torch

        if place.key not in self._loaded:
            dtype: torch.dtype = getattr(torch, place.dtype)
            expected, size = place.total * dtype.itemsize, self.source.size(place.key)
            if expected != size:
                raise ValueError(f"{size:,} bytes of storage {place.key!r:.40} (its pickle says {expected:,})")
            data = self.source.read(place.key)
            self._loaded[place.key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        flat = self._loaded[place.key]
        if str(flat.dtype) != f"torch.{place.dtype}" or flat.numel() != place.total:
            raise ValueError(f"storage {place.key!r:.40} in two dtypes or sizes")
        return flat

    def _spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise ValueError(f"tensors that take more than {_GROWTH} times the file")


def _place(storage: Any) -> _Place:
    """Return the position that ``("storage", FloatStorage, key, device, elements[, view])`` describes.

    Raises:
        ValueError: the reference is malformed.
    """
    identity = storage.id if isinstance(storage, Persistent) else None
    if not (isinstance(identity, tuple) and len(identity) in (5, 6) and _text(identity[0]) == "storage"):
        raise ValueError("a tensor without a storage")
    kind, key, total = identity[1], _text(identity[2]), identity[4]
    if not isinstance(kind, Name) or kind.module not in ("torch", "torch.storage") or kind.name not in _DTYPES:
        raise ValueError(f"a storage of {str(kind)[:80] if isinstance(kind, Name) else 'an unknown kind'}")
    view: Any = identity[5] if len(identity) == 6 else None
    start: Any
    count: Any
    _, start, count = (None, 0, total) if view is None else view if _is_view(view) else (None, None, None)
    if not (_is_count(total) and _is_count(start) and _is_count(count) and start + count <= total):
        raise ValueError("a storage of an impossible size")
    return _Place(key, _DTYPES[kind.name], total, start, count)


def _is_view(view: Any) -> bool:
    return isinstance(view, tuple) and len(view) == 3


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _text(value: Any) -> str:
    if isinstance(value, bytes):  # written by Python 2
        return value.decode("latin-1")
    if isinstance(value, (str, int)):
        return str(value)
    raise ValueError("a storage with an impossible key")


def _check_bounds(place: _Place, offset: Any, size: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """Return the number of elements of a tensor.

    Raises:
        ValueError: the tensor exceeds its storage.
    """
    if not (_is_count(offset) and len(size) == len(stride) and all(map(_is_count, (*size, *stride)))):
        raise ValueError("a tensor with an impossible shape")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else offset - 1
    if last >= place.count or count >= 2**62:
        raise ValueError(f"a tensor that reaches beyond its storage of {counted(place.count, 'element')}")
    return count


class _ZipBytes:
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._archive, self._root = archive, root

    def _info(self, key: str) -> zipfile.ZipInfo:
        try:
            return self._archive.getinfo(f"{self._root}data/{key}")
        except KeyError:
            raise ValueError(f"no storage {key!r:.40}") from None

    def size(self, key: str) -> int:
        return self._info(key).file_size

    def read(self, key: str) -> bytearray:
        with _zip_errors(), self._archive.open(self._info(key)) as member:
            data = bytearray(member.read())  # also compares the checksum
        if len(data) != self.size(key):
            raise ValueError(f"storage {key!r:.40} cut short")
        return data


def _open_zip(stream: io.BufferedReader) -> tuple[Any, Storages]:
    with _zip_errors():
        stream.seek(0)
        if count_entries(stream) > MAX_MEMBERS:  # check before zipfile creates an object for each
            raise ValueError(f"a zip file with more than {MAX_MEMBERS:,} members")
        archive = zipfile.ZipFile(stream)
        size = stream.seek(0, io.SEEK_END)
        root = _check_members(archive, size)
        if archive.getinfo(f"{root}data.pkl").file_size > MAX_PICKLE:
            raise ValueError(f"a pickle of more than {MAX_PICKLE // 2**20} MiB")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("a file from a big-endian machine")
        content, _ = read_pickle(io.BytesIO(archive.read(f"{root}data.pkl")))
    return content, Storages(_ZipBytes(archive, root), _GROWTH * size + 2**20)


@contextlib.contextmanager
def _zip_errors() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, EOFError) as error:
        raise ValueError(f"a damaged or unfinished zip file ({str(error)[:120]})") from None


def _check_members(archive: zipfile.ZipFile, size: int) -> str:
    """Return the folder that holds all members, such as ``archive/``.

    Raises:
        ValueError: the archive was not written by PyTorch, or holds a program.
    """
    members = archive.infolist()
    if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > size:
        raise ValueError("a compressed zip file, which PyTorch does not write")
    names = [m.filename for m in members]
    if len(set(names)) < len(names):
        raise ValueError("a zip file with two members of one name")
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("data.pkl") and name.count("/") <= 1]
    if len(roots) != 1:
        raise ValueError("a zip file, but not one of PyTorch's")
    if any(name.startswith((f"{roots[0]}code/", f"{roots[0]}constants.pkl")) for name in names):
        raise ValueError("a TorchScript archive, which holds a program; save the network's state_dict() instead")
    return roots[0]


class _LegacyBytes:
    """Storages one after the other, each preceded by its number of elements."""

    def __init__(self, stream: io.BufferedReader, places: dict[str, tuple[int, int]]) -> None:
        self._stream, self._places = stream, places

    def size(self, key: str) -> int:
        if key not in self._places:
            raise ValueError(f"no storage {key!r:.40}")
        return self._places[key][1]

    def read(self, key: str) -> bytearray:
        start, size = self._places[key]
        self._stream.seek(start)
        data = bytearray(size)
        if self._stream.readinto(data) != size:
            raise ValueError(f"storage {key!r:.40} cut short")
        return data


def _open_legacy(stream: io.BufferedReader) -> tuple[Any, Storages]:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = io.BytesIO(stream.read(MAX_PICKLE))
    magic, _ = read_pickle(head)
    if magic != _LEGACY_MAGIC:
        raise ValueError("a pickle, but not one of PyTorch's")
    protocol, _ = read_pickle(head)
    if protocol != _LEGACY_PROTOCOL:
        raise ValueError("a version of PyTorch's old format that nobody wrote")
    system, _ = read_pickle(head)
    if isinstance(system, Items) and mapping(system).get("little_endian") is False:
        raise ValueError("a file from a big-endian machine")
    content, identities = read_pickle(head)
    keys, _ = read_pickle(head)
    if not isinstance(keys, list):
        raise ValueError("a file without a list of its storages")
    storages = {}
    for identity in identities:
        if isinstance(identity, tuple) and identity and identity[0] in ("storage", b"storage"):
            place = _place(Persistent(identity))
            storages[place.key] = place
    places = _legacy_places(stream, head.tell(), size, [_text(key) for key in keys], storages)
    return content, Storages(_LegacyBytes(stream, places), _GROWTH * size + 2**20)


def _legacy_places(
    stream: io.BufferedReader, position: int, end: int, keys: list[str], storages: dict[str, _Place]
) -> dict[str, tuple[int, int]]:
    """Return first byte and number of bytes of each storage."""
    import torch

    places = {}
    for key in keys:
        if key not in storages:
            raise ValueError(f"a storage {key!r:.40} that nothing uses")
        stream.seek(position)
        prefix = stream.read(8)
        count = struct.unpack("<q", prefix)[0] if len(prefix) == 8 else -1
        size = count * getattr(torch, storages[key].dtype).itemsize
        position += 8
        if not 0 <= size <= end - position:
            raise ValueError(f"storage {key!r:.40} cut short")
        places[key] = (position, size)
        position += size
    return places
