"""The page of measured results: every file of ``tests/benchmarks/results/comparisons``, which ``make bench`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.generate.markdown import cell, page, table

PATH = "measured.md"
RESULTS = Path(__file__).parents[2] / "tests/benchmarks/results/comparisons"


def pages(folder: Path = RESULTS) -> dict[str, str]:
    """Return the page."""
    files = sorted(folder.glob("*.json"))
    parts = [
        "Times of this project beside what one would run today, in turn in one process, so that a busy machine slows "
        "both: medians, and the ratio of the pairs with its range. `make bench` writes one file per kind of machine "
        "into `tests/benchmarks/results/comparisons/`; this page shows the files. *Load* is the number of processes "
        "that wanted a core when the results were written: on a busy machine times are too long, ratios less so.\n",
    ]
    if not files:
        parts.append("No machine has a file yet.\n")
    for path in files:
        parts += _machine(json.loads(path.read_text(encoding="utf-8")))
    return {PATH: page("Measured results", *parts)}


def _machine(content: Mapping[str, Any]) -> list[str]:
    kind = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in kind["packages"].items())
    parts = [
        f"## {cell(kind['processor'])}, {kind['cores']} cores\n",
        f"{cell(kind['system'])}, Python {kind['python']}, {cell(versions)}.\n",
    ]
    if content["comparisons"]:
        header = ("what", "size", "beside", "theirs", "ours", "times as fast", "day", "load")
        parts.append(table(header, (_comparison(row) for row in content["comparisons"])))
    if content["growth"]:
        header = ("what", "time by size (times the one before)", "day", "load")
        parts.append(table(header, (_growth(entry) for entry in content["growth"])))
    return parts


def _comparison(row: Mapping[str, Any]) -> tuple[str, ...]:
    middle, low, high = (f"{value:.3g}" for value in row["ratio"])
    times = (_seconds(row["theirs"]), _seconds(row["ours"]), f"{middle} ({low}–{high})")
    return (cell(row["what"]), cell(row["size"]), cell(row["today"]), *times, row["day"], f"{row['load']:g}")


def _growth(entry: Mapping[str, Any]) -> tuple[str, ...]:
    steps = [
        f"{int(n):,} {entry['unit']}: {_seconds(taken)}"
        + (f" ({entry['factors'][n]:.3g})" if n in entry["factors"] else "")
        for n, taken in entry["seconds"].items()
    ]
    return cell(entry["what"]), cell(", ".join(steps)), entry["day"], f"{entry['load']:g}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"
