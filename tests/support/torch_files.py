"""Files as PyTorch writes them, and as somebody with bad intentions might."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
NOTHING: Mapping[str, bytes] = {}


class Stored:
    """A reference to a storage."""

    def __init__(self, key="0", count=4, kind=torch.FloatStorage, view=()):
        self.id = ("storage", kind, key, "cpu", count, *view)


class Called:
    """Pickles as a call of ``function``, with a state if one is given."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def rebuilt(storage=None, offset=0, size=(4,), stride=(1,), rest=(False, OrderedDict())):
    return Called(torch._utils._rebuild_tensor_v2, storage or Stored(), offset, size, stride, *rest)


def dumped(content, protocol=2) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.id if isinstance(value, Stored) else None

    stream = io.BytesIO()
    Pickler(stream, protocol).dump(content)
    return stream.getvalue()


def zipped(
    path: Path, pickled: bytes, storages: Mapping[str, bytes] = NOTHING, extra: Mapping[str, bytes] = NOTHING
) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        for name, data in extra.items():
            archive.writestr(name, data)
    return path


def legacy(path: Path, pickled: bytes, storages: Mapping[str, bytes] = NOTHING, keys=None) -> Path:
    head = [MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": sys.byteorder == "little"}]
    parts = [*(pickle.dumps(part, 2) for part in head), pickled, pickle.dumps(list(keys or storages), 2)]
    for data in storages.values():
        parts += [struct.pack("<q", len(data) // 4), data]
    path.write_bytes(b"".join(parts))
    return path
