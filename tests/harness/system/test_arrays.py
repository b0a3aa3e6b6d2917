"""Arrays on disk: read as they are, refused with a sentence whatever is wrong with them, never executed."""

from __future__ import annotations

import io
import os
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.system.arrays import array_bytes, map_array, read_array


def saved(values: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, **options)
    return stream.getvalue()


VALUES = [
    np.arange(12, dtype=np.float32).reshape(4, 3), np.zeros((0, 5), np.float16), np.array(3.0), np.arange(7),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.array([True, False]), np.ones((2, 3, 4), np.complex64),
    np.arange(5, dtype=">i4"), np.arange(3, dtype=np.uint8),
]  # fmt: skip


@pytest.mark.parametrize("values", VALUES, ids=lambda values: f"{values.dtype}{values.shape}")
def test_an_array_is_read_as_numpy_wrote_it(tmp_path, values):
    path = tmp_path / "a.npy"
    path.write_bytes(saved(values))
    for found in (map_array(path), read_array(path.read_bytes(), path)):
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)
        assert not found.flags.writeable
    assert isinstance(map_array(path), np.memmap)


@pytest.mark.parametrize("values", VALUES, ids=lambda values: f"{values.dtype}{values.shape}")
def test_what_is_written_are_numpys_bytes(values):
    values = np.ascontiguousarray(values)
    assert b"".join(array_bytes(values)) == saved(values)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",  # Python 2
        '{"descr":"<f4","fortran_order":False,"shape":(2,3)}',  # other programs
    ],
)
def test_headers_that_other_programs_write_are_read(tmp_path, header):
    text = header.ljust(117) + "\n"
    data = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text.encode() + bytes(24)
    assert read_array(data, "a").shape == (2, 3)
    (tmp_path / "a.npy").write_bytes(data)
    assert map_array(tmp_path / "a.npy").shape == (2, 3)


HEADERS = [
    "", "{", "(" * 200, "{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 10**9), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999999), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 6), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 6, }",
    "{'descr': '<f4', 'fortran_order': 'no', 'shape': (2, 3), }",
    "{'descr': '<f4', 'shape': (2, 3), }",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 3), }",
    "{'descr': '<f9', 'fortran_order': False, 'shape': (2, 3), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<U1', 'fortran_order': False, 'shape': (6,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } + 1",
    "'\\",
    "\0" * 30,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 1), }",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("version", [1, 2])
def test_damaged_header_is_an_error_of_the_project(tmp_path, header, version):
    text = header.ljust(117) + "\n"
    data = b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 * version, "little") + text.encode() + bytes(24)
    (tmp_path / "a.npy").write_bytes(data)
    for attempt in (lambda: map_array(tmp_path / "a.npy", do="Write it again"), lambda: read_array(data, "a")):
        with pytest.raises(DataError, match=r"not readable as an array; found .*, expected an array of numbers"):
            attempt()
    with pytest.raises(DataError, match=r"a\.npy: .* Write it again\.$"):
        map_array(tmp_path / "a.npy", do="Write it again")


@given(st.integers(0, 8 * 176 - 1), st.integers(0, 175))
def test_any_damage_gives_the_array_or_an_error(bit, length):
    whole = saved(np.arange(12, dtype=np.float32).reshape(4, 3))
    assert len(whole) == 176
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    for data in (bytes(flipped), whole[:length], bytes(random.Random(bit).randbytes(length))):
        try:
            found = read_array(data, "a")
        except DataError:
            continue
        assert found.size * found.itemsize == 48


def test_pickles_archives_and_what_is_no_file_are_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    contents = {"pickle": pickle.dumps(Trap()), "objects": saved(np.array([Trap()], object), allow_pickle=True),
                "empty": b""}  # fmt: skip
    np.savez(tmp_path / "archive", a=np.arange(3))
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    for name in (*contents, "archive.npz", "pipe", "absent", "."):
        with pytest.raises(DataError, match="not readable as an array"):
            map_array(tmp_path / name)
    assert not (tmp_path / "sprung").exists()
