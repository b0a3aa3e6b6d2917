"""Memory of this machine that is still available to a process."""

from __future__ import annotations

import re
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Return the number of bytes available without swapping, within a container's limit.

    Args:
        meminfo: Linux's table of memory (proc_meminfo(5), ``MemAvailable``).
        cgroup: folder with ``memory.max`` and ``memory.current`` of the container (cgroup v2).

    Returns:
        Number of bytes; ``None`` if the system does not report it, as on macOS.
    """
    known = [_machine(meminfo), _container(cgroup)]
    return min((number for number in known if number is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _container(cgroup: Path) -> int | None:
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return max(0, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else None
