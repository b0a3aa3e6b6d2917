"""Reader of arrays in NumPy's own format that checks their header before use."""

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

_format: Any = np.lib.format  # NumPy gives no types for it

_READERS = {
    (1, 0): _format.read_array_header_1_0,
    (2, 0): _format.read_array_header_2_0,
}
"""Readers of headers by version of the format; the third version is for fields with names that are not Latin."""

_USUAL = 512  # bytes that hold the header of any array with few dimensions
_PLAIN = re.compile(
    rb"\x93NUMPY\x01\0(?P<length>..)"
    rb"\{'descr': '(?P<type>[<>|][biufc][0-9]{1,2})', 'fortran_order': (?P<columns>True|False)"
    rb", 'shape': \((?P<shape>[0-9]{1,18},|[0-9]{1,18}(?:, [0-9]{1,18})+)?\), \} *\n",
    re.DOTALL,
)
"""Header in NumPy's usual spelling, readable without a parser of Python."""


def map_array(path: Path, *, do: str | None = None) -> npt.NDArray[Any]:
    """Return an array of numbers on disk, memory-mapped and read-only.

    Args:
        path: the file.
        do: advice to the user for a file that holds no array.

    Raises:
        DataError: the file is unreadable, or is no such array: damaged, cut short, an archive, or a pickle.
    """
    try:
        with open_file(path) as stream:
            shape, in_columns, dtype = _header(stream, os.fstat(stream.fileno()).st_size)
            at = stream.tell()
        return np.memmap(path, dtype, "r", at, shape, "F" if in_columns else "C")
    except Exception as error:  # the parser of headers raises all errors of Python's parser
        raise _unreadable(path, error, do) from None


def read_array(data: bytes, where: object) -> npt.NDArray[Any]:
    """Return the array of numbers in the bytes of a ``.npy`` file.

    Args:
        data: the bytes.
        where: origin of the bytes, for messages.

    Raises:
        DataError: the bytes hold no array of numbers.
    """
    stream = io.BytesIO(data)
    try:
        shape, in_columns, dtype = _header(stream, len(data))
        values = np.frombuffer(data, dtype, offset=stream.tell())
        return values.reshape(shape, order="F" if in_columns else "C")
    except Exception as error:  # as above
        raise _unreadable(where, error) from None


def array_bytes(values: npt.NDArray[Any]) -> tuple[bytes, memoryview]:
    """Return header and contents of the file that ``np.save`` would write for a C-contiguous array."""
    stream = io.BytesIO()
    _format.write_array_header_1_0(stream, _format.header_data_from_array_1_0(values))
    return stream.getvalue(), values.reshape(-1).view(np.uint8).data


def _header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, True if columns are stored one after the other, and type.

    Raises:
        ValueError: the values are no numbers, or their size differs from the file's.
        Exception: the header is damaged; any error of Python's parser.
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
    expected, actual = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if expected != actual:
        raise ValueError(f"{actual} bytes of values for a shape of {str(shape)[:80]}")
    return shape, in_columns, dtype


def _unreadable(where: object, error: Exception, do: str | None = None) -> DataError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return DataError(
        "not readable as an array", where=where, found=reason[:200], expected="an array of numbers, .npy", do=do
    )
