"""What a team relies on in the last night: what was finished is not lost, whoever else is at it, whatever is killed.

Real processes and real SIGKILLs, see ``tests/support/crowd.py`` and ``kills.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.store.store import Store
from tests.support.places import REPOSITORY

pytestmark = pytest.mark.process


def helper(name: str, *arguments: object, timeout: float = 3 * 3600) -> dict[str, object]:
    """Run a script of ``tests/support`` and return its report; three hours are for ``--long``."""
    result = subprocess.run(
        [sys.executable, "-m", f"tests.support.{name}", *map(str, arguments)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def told(record_property, name: str, counts: dict[str, object]) -> None:
    """Leave counts in the report, and on the screen of whoever looks (``-rP`` or ``-s``)."""
    for key, n in counts.items():
        record_property(f"{name} {key}", n)
    print(f"{name}: {counts}")


# with --long 10,000 records
def test_eight_writers_and_readers_that_poll_lose_nothing(tmp_path, repetitions, record_property):
    runs = repetitions(4, 1250)
    found = helper("crowd", tmp_path, 8, runs)
    told(record_property, "eight writers", {"records": 8 * runs, **found})
    assert found["failed"] == 0
    assert len(found["seen"]) == 2
    assert all(seen["looks"] > 0 for seen in found["seen"])
    assert all(seen["torn"] == seen["fewer"] == 0 for seen in found["seen"])
    store = Store(tmp_path / "results.duckdb")
    assert set(store.folders()) == {f"writer{w}-{k}" for w in range(8) for k in range(runs)}
    counts = store.query("SELECT run_id, count(*) AS n FROM scores GROUP BY run_id").n
    assert counts.tolist() == [5] * 8 * runs
    store.check()


# with --long 300 kills in all, 250 of them while a store begins; commands are killed in tests/test_interrupted.py
@pytest.mark.parametrize(
    ("work", "few", "many"),
    [
        ("creation", 4, 250),
        ("record", 6, 16),
        ("files", 6, 10),
        ("features", 5, 8),
        ("packing", 5, 8),
        ("slots", 5, 8),
    ],
)
def test_kill_at_any_moment_leaves_complete_and_reported_runs(tmp_path, repetitions, record_property, work, few, many):
    (tmp_path / "work").mkdir()
    rounds = repetitions(few, many)
    found = helper("kills", work, tmp_path / "work", rounds, 0)
    told(record_property, work, found)
    assert found["finished"] >= rounds // 2 or work == "creation", "the workers were killed before they did anything"
