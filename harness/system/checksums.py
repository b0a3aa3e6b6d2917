"""Checksums of files that stay on disk for long: they reveal flipped bits before the files are used."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from harness.system.atomic import write_text
from harness.system.names import bad_name
from harness.system.regular import open_file, read_text

CHECKSUMS_FILE = "checksums.json"
_BLOCK = 1 << 20


def checksum_of(path: Path) -> int:
    """Return the CRC-32 of a file. It reveals any single flipped bit; it is no signature.

    Raises:
        OSError: the file can't be read.
    """
    checksum, block = 0, memoryview(bytearray(_BLOCK))
    with open_file(path) as stream:  # read, not mapped: a bad sector of the disk is then an error
        while n := stream.raw.readinto(block):
            checksum = zlib.crc32(block[:n], checksum)
    return checksum


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files below a folder into the folder.

    Raises:
        StorageError: the folder can't be written.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != CHECKSUMS_FILE)
    checksum_by_name = {path.relative_to(folder).as_posix(): checksum_of(path) for path in files}
    write_text(folder / CHECKSUMS_FILE, json.dumps(checksum_by_name, indent=1) + "\n")


def damaged_files(folder: Path) -> list[str]:
    """Return the names of files below a folder that differ from their checksums; empty without checksums."""
    try:
        expected = json.loads(read_text(folder / CHECKSUMS_FILE))
        if not isinstance(expected, dict):
            return [CHECKSUMS_FILE]
    except FileNotFoundError:  # written by an earlier version
        return []
    except (OSError, ValueError, RecursionError):
        return [CHECKSUMS_FILE]
    if any(map(bad_name, expected)):
        return [CHECKSUMS_FILE]
    return [name for name, checksum in expected.items() if not _is(folder / name, checksum)]


def _is(path: Path, checksum: object) -> bool:
    try:
        return checksum_of(path) == checksum
    except OSError:
        return False
