"""Stores with runs that the tests make up: real records in a real DuckDB file, only the numbers are invented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.records.run import RunRecord
from harness.store.store import Store
from leaderboard.screens import drawing
from tests.support.scored_runs import make_run

RunFactory = Callable[..., RunRecord]


@pytest.fixture(scope="session")
def run_record() -> RunFactory:
    """Makes records, see :func:`make_run`."""
    return make_run


@pytest.fixture
def checked_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts on a page are held against Vega-Lite's schema, for which no reader is made to wait."""
    monkeypatch.setattr(drawing, "_VALIDATE", True)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that the page will open; there is no file before something is recorded."""
    path = tmp_path / "results.duckdb"
    monkeypatch.setenv("ABAW_STORE", str(path))
    return Store(path, patience=5)
