"""What lies in a folder, to compare: of megabytes that differ pytest would write out the difference, for an hour."""

from __future__ import annotations

from pathlib import Path

from harness.system.provenance import sha256_of


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """sha256 by name within the folder, hidden files included; of all files or of those that match a pattern."""
    paths = {path for pattern in patterns or ("*",) for path in folder.rglob(pattern) if path.is_file()}
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(paths)}
