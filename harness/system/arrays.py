"""Arrays in NumPy's own format, read without trusting what their header says."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.system.regular import open_file

_format: Any = np.lib.format  # has no types

_READERS = {
    (1, 0): _format.read_array_header_1_0,
    (2, 0): _format.read_array_header_2_0,
}
"""By version of the format; the third is for names of fields that are not Latin, which no array here has."""

_USUAL = 512  # bytes that hold the header of any array of few dimensions
_PLAIN = re.compile(
    rb"\x93NUMPY\x01\0(?P<length>..)"
    rb"\{'descr': '(?P<type>[<>|][biufc][0-9]{1,2})', 'fortran_order': (?P<columns>True|False)"
    rb", 'shape': \((?P<shape>[0-9]{1,18},|[0-9]{1,18}(?:, [0-9]{1,18})+)?\), \} *\n",
    re.DOTALL,
)
"""A header as NumPy writes it: it needs no parser of Python."""


def map_array(path: Path, *, do: str | None = None) -> npt.NDArray[Any]:
    """Return an array of numbers as it lies on disk, memory-mapped and read-only.

    Args:
        do: what the user can do about a file that is none.

    Raises:
        DataError: the file can't be read, or is no such array: damaged, cut short, an archive, or a pickle.
    """
    try:
        with open_file(path) as stream:
            shape, in_columns, dtype = _header(stream, os.fstat(stream.fileno()).st_size)
            at = stream.tell()
        return np.memmap(path, dtype, "r", at, shape, "F" if in_columns else "C")
    except Exception as error:  # the parser of headers raises whatever Python's own parser does
        raise _unreadable(path, error, do) from None


def read_array(data: bytes, where: object) -> npt.NDArray[Any]:
    """Return the array of numbers that these bytes are.

    Args:
        where: where they come from, for messages.

    Raises:
        DataError: they are no such array.
    """
    stream = io.BytesIO(data)
    try:
        shape, in_columns, dtype = _header(stream, len(data))
        values = np.frombuffer(data, dtype, offset=stream.tell())
        return values.reshape(shape, order="F" if in_columns else "C")
    except Exception as error:  # as above
        raise _unreadable(where, error) from None


def array_bytes(values: npt.NDArray[Any]) -> tuple[bytes, memoryview]:
    """Return the header and the contents of the file that ``np.save`` would write of a C-contiguous array."""
    stream = io.BytesIO()
    _format.write_array_header_1_0(stream, _format.header_data_from_array_1_0(values))
    return stream.getvalue(), values.reshape(-1).view(np.uint8).data


def _header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns are stored one after the other, and type.

    Raises:
        ValueError: the array is not of numbers, or not as large as the file; anything else where the header is damaged.
    """
    start = stream.read(_USUAL)
    if start.startswith(b"PK"):
        raise ValueError("an archive")
    if match := _PLAIN.match(start):
        stream.seek(match.end())
        shape = tuple(int(n) for n in (match["shape"] or b"").split(b",") if n.strip())
        in_columns, dtype = match["columns"] == b"True", np.dtype(match["type"].decode())
        if match.end() - 10 != int.from_bytes(match["length"], "little"):
            raise ValueError("a header of another length than it says")
    else:
        stream.seek(0)
        version = _format.read_magic(stream)
        if version not in _READERS:
            raise ValueError(f"version {version} of the format")
        with warnings.catch_warnings():  # of headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, in_columns, dtype = _READERS[version](stream)
    if dtype.hasobject or dtype.names is not None or dtype.kind not in "biufc":
        raise ValueError(f"values of type {str(dtype)[:80]}")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"shape {str(shape)[:80]}")
    expected, found = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if expected != found:
        raise ValueError(f"{found} bytes of values for a shape of {str(shape)[:80]}")
    return shape, in_columns, dtype


def _unreadable(where: object, error: Exception, do: str | None = None) -> DataError:
    found = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return DataError(
        "not readable as an array", where=where, found=found[:200], expected="an array of numbers, .npy", do=do
    )
