"""Results of benchmarks as files: what they hold, what they leave out, and the page that shows them."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from docs.generate import benchmarks
from tests.benchmarks import results_file
from tests.benchmarks.results_file import keep, path_of, processor
from tests.benchmarks.side_by_side import Growth, Row

ROW = Row("scores", "10 frames", "a loop", 2.0, 0.512345, (3.9, 3.1, 4.4))
GROWTH = Growth("scoring", "frames", {10: 0.5, 20: 1.0}, {20: 2.0})
FILES = sorted(results_file.RESULTS.glob("*.json"))


def test_results_of_a_run_join_those_of_others(tmp_path):
    keep([ROW], [], tmp_path)
    path = keep([Row("parsing", "5 rows", "pandas", 1, 2, (0.5, 0.4, 0.6))], [GROWTH], tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [row["what"] for row in content["comparisons"]] == ["scores", "parsing"]
    assert content["comparisons"][0]["ours"] == 0.5123
    assert content["growth"][0]["seconds"] == {"10": 0.5, "20": 1.0}
    assert path == path_of(content["machine"], tmp_path)


def test_repeated_benchmark_replaces_its_row(tmp_path):
    keep([ROW], [GROWTH], tmp_path)
    path = keep([Row("scores", "10 frames", "a loop", 4.0, 1.0, (4.0, 4.0, 4.0))], [GROWTH], tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [row["theirs"] for row in content["comparisons"]] == [4.0]
    assert len(content["growth"]) == 1


def test_file_names_no_host_and_no_user(tmp_path):
    path = keep([ROW], [], tmp_path)
    text = path.read_text(encoding="utf-8") + path.name
    assert socket.gethostname() not in text
    assert not re.search(rf"{re.escape(str(Path.home()))}\b", text)
    assert set(json.loads(path.read_text(encoding="utf-8"))["machine"]) == {
        "processor", "cores", "system", "python", "packages"
    }  # fmt: skip


def test_processor_is_named_without_marks(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz\n", encoding="utf-8")
    monkeypatch.setattr(results_file, "CPU_INFO", info)
    assert processor() == "Intel Xeon E5-2680 v4"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kept_file_is_on_its_page(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    text = benchmarks.pages()[benchmarks.PATH]
    assert path == path_of(content["machine"], path.parent)
    assert content["machine"]["processor"] in text
    for row in content["comparisons"]:
        low, middle, high = sorted(row["ratio"])
        assert low <= middle <= high
        assert row["ratio"][1] == low
        assert row["what"] in text


def test_page_shows_results_with_their_load(tmp_path):
    keep([ROW], [GROWTH], tmp_path)
    text = benchmarks.pages(tmp_path)[benchmarks.PATH]
    assert "| scores | 10 frames | a loop | 2 s | 512 ms | 3.9 (3.1–4.4) |" in text
    assert "| scoring | 10 frames: 500 ms, 20 frames: 1 s (2) |" in text


def test_page_without_files_names_no_machine(tmp_path):
    text = benchmarks.pages(tmp_path)[benchmarks.PATH]
    assert "No machine has a file yet" in text
    assert "## " not in text
