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


def helper(name: str, *arguments: object) -> dict[str, object]:
    """Run a script of ``tests/support`` and return its report."""
    result = subprocess.run(
        [sys.executable, "-m", f"tests.support.{name}", *map(str, arguments)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_eight_writers_and_readers_that_poll_lose_nothing(tmp_path):
    found = helper("crowd", tmp_path, 8, 25)
    assert found["failed"] == 0
    assert len(found["seen"]) == 2
    assert all(seen["looks"] > 0 for seen in found["seen"])
    assert all(seen["torn"] == seen["fewer"] == 0 for seen in found["seen"])
    store = Store(tmp_path / "results.duckdb")
    assert set(store.folders()) == {f"writer{w}-{k}" for w in range(8) for k in range(25)}
    counts = store.query("SELECT run_id, count(*) AS n FROM scores GROUP BY run_id").n
    assert counts.tolist() == [5] * 200
    store.check()


# fifty kills in all
@pytest.mark.parametrize(
    ("work", "rounds"), [("record", 16), ("files", 10), ("features", 8), ("packing", 8), ("slots", 8)]
)
def test_killed_at_any_moment_nothing_is_half_made_and_nothing_said_is_lost(tmp_path, work, rounds):
    (tmp_path / "work").mkdir()
    found = helper("kills", work, tmp_path / "work", rounds, 0)
    assert found["finished"] >= rounds // 2, "the workers were killed before they did anything"
