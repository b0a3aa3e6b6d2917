"""Checksums of a folder: what is damaged is named, and no name leads elsewhere."""

from __future__ import annotations

import json
import zlib

import pytest

from harness.system.checksums import CHECKSUMS_FILE, checksum_of, damaged_files, write_checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kept" / "below").mkdir(parents=True)
    (tmp_path / "kept" / "a.safetensors").write_bytes(bytes(range(256)) * 9000)
    (tmp_path / "kept" / "below" / "b.json").write_text("{}")
    (tmp_path / "kept" / "empty").touch()
    write_checksums(tmp_path / "kept")
    return tmp_path / "kept"


def test_what_is_as_it_was_written_is_not_damaged(folder):
    assert damaged_files(folder) == []
    assert checksum_of(folder / "a.safetensors") == zlib.crc32((folder / "a.safetensors").read_bytes())
    write_checksums(folder)
    assert damaged_files(folder) == []


def test_damaged_and_missing_files_are_named(folder):
    content = bytearray((folder / "a.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "a.safetensors").write_bytes(content)
    (folder / "below" / "b.json").unlink()
    assert damaged_files(folder) == ["a.safetensors", "below/b.json"]


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"../outside": 0}', '{"/etc/passwd": 0}'])
def test_checksums_that_are_none_are_damaged_themselves(folder, text):
    (folder / CHECKSUMS_FILE).write_text(text)
    assert damaged_files(folder) == [CHECKSUMS_FILE]


def test_folder_of_an_earlier_version_counts(folder):
    (folder / CHECKSUMS_FILE).unlink()
    assert damaged_files(folder) == []
    assert "empty" in json.dumps({"empty": checksum_of(folder / "empty")})
