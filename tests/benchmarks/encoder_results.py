"""Measured rates of encoders as a file per kind of machine, and the page that is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
UNITS = {"face": "crops/s", "frame": "frames/s", "audio": "s of audio/s", "text": "texts/s"}


@dataclass(frozen=True)
class Machine:
    """Kind of machine, without its name.

    Attributes:
        threads: that the encoders had.
        date: of the last measurement.
    """

    cpu: str
    cores: int
    threads: int
    python: str
    packages: Mapping[str, str]
    date: str


@dataclass(frozen=True)
class Measurement:
    """One encoder.

    Attributes:
        kind: of input, a key of :data:`UNITS`.
        rate: inputs per second of wall-clock time, the better of two runs.
        work: seconds of CPU time per input, over all threads and workers.
        peak: bytes of memory at the most.
        cached: bytes of the cache per input.
        weights: ``random``, ``published`` or ``none``.
        load: of the machine before the run, processes that wanted a core.
        amount: inputs of the run.
    """

    name: str
    kind: str
    rate: float
    work: float
    peak: int
    cached: float
    weights: str
    load: float
    amount: float

    @property
    def unit(self) -> str:
        """Unit of the rate."""
        return UNITS[self.kind]


@dataclass(frozen=True)
class Results:
    """Content of one file; ``missing`` holds the reasons of encoders that could not be timed."""

    machine: Machine
    measurements: Sequence[Measurement]
    missing: Mapping[str, str]


def read_results(path: Path) -> Results:
    """Read a file of results."""
    content = json.loads(path.read_text(encoding="utf-8"))
    measurements = [Measurement(**one) for one in content["measurements"]]
    return Results(Machine(**content["machine"]), measurements, content["missing"])


def write_results(
    path: Path, machine: Machine, measurements: Sequence[Measurement], missing: Mapping[str, str]
) -> None:
    """Write a file of results."""
    path.parent.mkdir(exist_ok=True)
    rounded = [
        {
            **asdict(one),
            "rate": float(f"{one.rate:.4g}"),
            "work": float(f"{one.work:.4g}"),
            "cached": round(one.cached, 1),
            "amount": round(one.amount, 1),
        }
        for one in measurements
    ]
    content = {"machine": asdict(machine), "measurements": rounded, "missing": dict(missing)}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
