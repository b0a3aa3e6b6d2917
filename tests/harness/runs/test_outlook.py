"""``abaw run --dry-run``: what is cached is what lies on disk, and rates are those that runs measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.records.origin import Origin
from harness.records.run import RunRecord
from harness.runs.outlook import _beside_encoding

SOLUTION = "expr/tiny-mlp-smooth"
pytestmark = pytest.mark.slow


def call(drawn: Path, folder: Path, *arguments: str) -> str:
    """Return what ``abaw run`` prints on stdout."""
    places = [f"--{name}={folder / name}" for name in ("out", "cache")]
    store = f"--store={folder / 'results.duckdb'}"
    done = CliRunner().invoke(cli, ["run", SOLUTION, f"--data={drawn}", *places, store, "--device=cpu", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def outlook(drawn: Path, folder: Path, *arguments: str) -> dict[str, object]:
    """Return what the dry run says as plain data."""
    (found,) = json.loads(call(drawn, folder, "--dry-run", "--json", *arguments))
    return found


def test_dry_run_counts_images_and_writes_nothing(drawn_once: Path, tmp_path: Path) -> None:
    first = outlook(drawn_once, tmp_path)
    (stock,) = first["stocks"]
    assert stock["encoder"] == "tiny"
    assert stock["missing"] == stock["frames"] > 0
    assert (first["rate"], first["rest"], first["seconds"], first["finished"]) == (None, None, None, "")
    assert list(tmp_path.iterdir()) == []
    text = call(drawn_once, tmp_path, "--dry-run")
    assert f"tiny, 0 of {stock['frames']:,} frames cached" in text
    assert "time: time unknown" not in text
    assert "time: unknown: nothing like it was measured here" in text


def test_dry_run_after_a_run_tells_its_rate_and_cache(drawn_once: Path, tmp_path: Path) -> None:
    before = outlook(drawn_once, tmp_path)
    call(drawn_once, tmp_path)
    (folder,) = [path.parent for path in (tmp_path / "out").rglob("run.json")]
    record = RunRecord.read(folder)
    again = outlook(drawn_once, tmp_path)
    assert again["finished"] == record.run_id
    assert again["missing"] == 0
    assert before["missing"] == record.timings["frames_encoded"]
    # the arrays of features, as they lie on the disk without their headers
    arrays = sum(path.stat().st_size - 128 for path in (tmp_path / "cache" / "features").rglob("*.npy"))
    assert before["stocks"][0]["bytes"] == arrays
    assert again["rate"]["value"] == record.timings["frames_per_second"]
    timings = record.timings
    assert again["rest"]["beside"]
    encoding = timings["frames_encoded"] / timings["frames_per_second"]
    assert again["seconds"] == again["rest"]["value"] == timings["total"] - encoding
    assert f"measured here by run {record.run_id[-8:]}" in call(drawn_once, tmp_path, "--dry-run")
    assert "beside its encoding" in call(drawn_once, tmp_path, "--dry-run")
    call(drawn_once, tmp_path, "--fresh")
    (found,) = [path.parent for path in (tmp_path / "out").rglob("run.json")]
    fresh = outlook(drawn_once, tmp_path, "--fresh")
    assert fresh["finished"] == ""
    assert fresh["seconds"] == fresh["rest"]["value"] == RunRecord.read(found).timings["total"]


def test_rates_of_imported_runs_are_not_this_machines(drawn_once: Path, tmp_path: Path) -> None:
    call(drawn_once, tmp_path)
    (folder,) = [path.parent for path in (tmp_path / "out").rglob("run.json")]
    assert outlook(drawn_once, tmp_path)["rate"] is not None
    Origin("elsewhere", "2026-11-22T10:00:00+00:00").write(folder)
    assert outlook(drawn_once, tmp_path)["rate"] is None


def test_rounded_rate_leaves_the_rest_of_slow_encoding_open() -> None:
    assert _beside_encoding(1010.0, 100, 0.1) is None  # from 667 to 2,000 seconds of encoding
    assert _beside_encoding(1.0, 100, 0.0) is None
    assert _beside_encoding(12.0, 500, 50.0) == 2.0
    assert _beside_encoding(9.0, 500, 50.0) is None
