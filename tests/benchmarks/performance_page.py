"""``docs/performance.md``, made of the files of results: ``python -m tests.benchmarks.performance_page``."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reference.sizes import DataSetSize, data_set_sizes
from tests.benchmarks.encoder_results import RESULTS, Measurement, Results, read_results
from tests.support.places import REPOSITORY

PAGE = REPOSITORY / "docs/performance.md"
_KIND = {"face": "image", "frame": "image", "audio": "audio", "text": "text"}
_WEIGHTS = {"random": "random, of full size", "published": "published", "none": "–"}
_READ_BY = {"face": ("Aff-Wild2", "BAH"), "frame": ("DVD",), "audio": ("Hume-Vidmimic2", "BAH"),
            "text": ("Hume-Vidmimic2", "BAH")}  # fmt: skip
"""Data sets that encoders of a kind are used on; the images of Hume-Vidmimic2 are counted nowhere."""

_INTRODUCTION = """# Frames per second and hours

How long encoders take to fill the cache of features, on one kind of machine, without a GPU: nothing was measured on a
GPU, so there is no row for one. Once features are cached, heads train in seconds to minutes; `abaw run --dry-run` says
what your machine measured.

This page is made of the files in `tests/benchmarks/results/` by `python -m tests.benchmarks.performance_page`. Measure
your machine with `python -m tests.benchmarks.bench_encoders`.
"""

_READING = """\
- *measured* is the better of two runs of six seconds and more on drawn data: images are decoded, prepared, encoded
  and stored. Nothing else ran meanwhile: *load*, the mean number of processes that wanted a core in the minute before,
  is that of the encoder before. On a busy machine networks may take several times as long.
- Random weights of full size take as long as published ones; the rows that they make mean nothing, and none was scored.
- *memory* is the peak of the process and its workers together, Python and its libraries included.
- Text networks with random weights were timed alone, on 40 random tokens per text.
"""


def page(files: Sequence[Results]) -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for results in files:
        here = results.machine
        versions = ", ".join(f"{name} {version}" for name, version in here.packages.items())
        parts.append(f"## {here.cpu}, {here.threads} threads on {here.cores} cores\n")
        parts.append(f"Python {here.python}, {versions}; {here.date}.\n")
        parts.append(_rates(results.measurements))
        if results.missing:
            parts.append(
                "Not measured: " + "; ".join(f"`{name}`: {why}" for name, why in results.missing.items()) + ".\n"
            )
        parts.append(_READING)
        parts.append("### Hours for a whole data set\n")
        parts.append("At the rate measured; disk for the features.\n")
        parts.append(_hours(results))
    parts.append("### Sizes of the data sets\n")
    parts.append(_table(("data set", "what", "amount", "source"),
                        [(s.data_set, s.kind, f"{s.amount:,}", s.source) for s in data_set_sizes()]))  # fmt: skip
    return "\n".join(parts)


def extract(results: Results, names: Sequence[str]) -> str:
    """Return the rows of some encoders for the README, with the hours of their first data set."""
    rows = []
    for one in results.measurements:
        if one.name in names:
            size = _sizes_for(one)[0]
            rows.append(
                (f"`{one.name}`", f"{one.rate:,.1f}", f"{size.data_set}: {_hours_for(one, size)} h", _disk(one, size))
            )
    return _table(("encoder", "per second", "hours", "disk"), rows)


def _rates(measurements: Sequence[Measurement]) -> str:
    head = ("encoder", "unit", "measured", "load", "memory", "cache per input", "weights")
    rows = [
        (
            f"`{one.name}`", one.unit, f"{one.rate:,.1f}", f"{one.load:.1f}",
            f"{one.peak / 2**20:,.0f} MiB", f"{one.cached:,.0f} bytes", _WEIGHTS[one.weights],
        )
        for one in measurements
    ]  # fmt: skip
    return _table(head, rows)


def _hours(results: Results) -> str:
    rows = []
    for one in results.measurements:
        for size in _sizes_for(one):
            rows.append((size.data_set, f"`{one.name}`", _hours_for(one, size), _disk(one, size)))
    rows.sort(key=lambda row: [size.data_set for size in data_set_sizes()].index(row[0]))
    return _table(("data set", "encoder", "hours", "disk"), rows)


def _sizes_for(one: Measurement) -> list[DataSetSize]:
    sizes = {(size.data_set, size.kind): size for size in data_set_sizes()}
    return [sizes[name, _KIND[one.kind]] for name in _READ_BY[one.kind]]


def _hours_for(one: Measurement, size: DataSetSize) -> str:
    hours = size.amount / one.rate / 3600
    return f"{hours:.2g}" if hours < 10 else f"{hours:,.0f}"


def _disk(one: Measurement, size: DataSetSize) -> str:
    gibibytes = one.cached * size.amount / 2**30
    return f"{gibibytes:,.1f} GiB" if gibibytes >= 0.1 else f"{gibibytes * 1024:,.0f} MiB"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def files_of_results() -> list[Results]:
    """Return the content of all files of results."""
    return [read_results(path) for path in sorted(RESULTS.glob("*.json"))]


def with_extract(readme: str, files: Sequence[Results]) -> str:
    """Return the README with the rows of :data:`EXTRACT` of the first file of results."""
    before, start, rest = readme.partition(_START)
    _, end, after = rest.partition(_END)
    return "".join((before, start, "\n\n", extract(files[0], EXTRACT), "\n", end, after))


README = REPOSITORY / "README.md"
EXTRACT = (
    "landmarks", "tiny", "expression", "enet_b0_8_best_vgaf", "pose", "flow-statistics", "wav2vec2", "log-mel",
    "sentences",
)  # fmt: skip
_START = "<!-- performance: python -m tests.benchmarks.performance_page -->"
_END = "<!-- end of performance -->"


if __name__ == "__main__":
    every = files_of_results()
    PAGE.write_text(page(every), encoding="utf-8")
    README.write_text(with_extract(README.read_text(encoding="utf-8"), every), encoding="utf-8")
