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


def helper(name: str, *arguments: object) -> dict[str, object]:
    """Run a script of ``tests/support`` and return its report."""
    result = subprocess.run(
        [sys.executable, "-m", f"tests.support.{name}", *map(str, arguments)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_eight_writers_and_readers_that_poll_lose_nothing(tmp_path, repetitions):
    runs = repetitions(4, 25)
    found = helper("crowd", tmp_path, 8, runs)
    assert found["failed"] == 0
    assert len(found["seen"]) == 2
    assert all(seen["looks"] > 0 for seen in found["seen"])
    assert all(seen["torn"] == seen["fewer"] == 0 for seen in found["seen"])
    store = Store(tmp_path / "results.duckdb")
    assert set(store.folders()) == {f"writer{w}-{k}" for w in range(8) for k in range(runs)}
    counts = store.query("SELECT run_id, count(*) AS n FROM scores GROUP BY run_id").n
    assert counts.tolist() == [5] * 8 * runs
    store.check()


# with --long fifty kills in all
@pytest.mark.parametrize(
    ("work", "few", "many"),
    [("record", 6, 16), ("files", 6, 10), ("features", 5, 8), ("packing", 5, 8), ("slots", 5, 8)],
)
def test_killed_at_any_moment_nothing_is_half_made_and_nothing_said_is_lost(tmp_path, repetitions, work, few, many):
    (tmp_path / "work").mkdir()
    rounds = repetitions(few, many)
    found = helper("kills", work, tmp_path / "work", rounds, 0)
    assert found["finished"] >= rounds // 2, "the workers were killed before they did anything"
