"""Results of ``make bench`` as a file per kind of machine: ``results/comparisons/<processor>-<cores>-cores.json``.

A run on some benchmarks leaves the results of the others. A file names the processor and the versions of packages, and
nothing that tells whose machine it was.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.system.atomic import write_text
from tests.benchmarks.side_by_side import Growth, Row

RESULTS = Path(__file__).with_name("results") / "comparisons"
PACKAGES = (
    "numpy", "pandas", "scikit-learn", "torch", "timm", "opencv-python-headless", "openvino", "duckdb", "streamlit",
)  # fmt: skip
CPU_INFO = Path("/proc/cpuinfo")


def processor() -> str:
    """Return the name of the processor, without marks and clock rates."""
    text = CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.is_file() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = named[1] if named else platform.processor() or platform.machine()
    return " ".join(re.sub(r"\((?:R|TM)\)|@.*|\bCPU\b", " ", name).split())


def machine() -> dict[str, Any]:
    """Return the kind of this machine: processor, cores, system, Python and the versions that decide on speed."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions,
    }


def path_of(kind: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Return the file of a kind of machine."""
    name = re.sub(r"[^a-z0-9]+", "-", str(kind["processor"]).lower()).strip("-")
    return folder / f"{name}-{kind['cores']}-cores.json"


def keep(rows: Sequence[Row], growths: Sequence[Growth], folder: Path = RESULTS) -> Path:
    """Write the results of a run into the file of this kind of machine; those of other benchmarks stay.

    Returns:
        The file.
    """
    kind = machine()
    path = path_of(kind, folder)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"comparisons": [], "growth": []}
    when = {"day": datetime.now(UTC).date().isoformat(), "load": round(os.getloadavg()[0], 1)}
    comparisons = {(row["what"], row["size"], row["today"]): row for row in before["comparisons"]}
    for row in rows:
        comparisons[row.what, row.size, row.today] = {
            **asdict(row), "theirs": _digits(row.theirs), "ours": _digits(row.ours),
            "ratio": [_digits(value) for value in row.ratio], **when,
        }  # fmt: skip
    growth = {entry["what"]: entry for entry in before["growth"]}
    for one in growths:
        seconds = {str(n): _digits(value) for n, value in one.seconds.items()}
        factors = {str(n): _digits(value) for n, value in one.factors.items()}
        growth[one.what] = {"what": one.what, "unit": one.unit, "seconds": seconds, "factors": factors, **when}
    content = {"machine": kind, "comparisons": list(comparisons.values()), "growth": list(growth.values())}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
