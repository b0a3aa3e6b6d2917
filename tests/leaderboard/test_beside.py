"""The pages stay open while runs are recorded beside them: nobody fails, and every run shows up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from served import Visitor, served

from leaderboard.screens.links import PAGES

RUNS = 50
# what the console command does, fifty times, without the seconds that Python needs to start
RECORD = """
import sys
from harness.cli.main import cli
out, store, file, labels, runs = sys.argv[1:]
for k in range(int(runs)):
    options = ["--task", "EXPR", "--labels", labels, "--record", "--name", f"expr/beside-{k:02d}-"]
    cli.main(["score", file, *options, "--out", out, "--store", store], standalone_mode=False)
"""


@pytest.fixture
def scorable(tmp_path: Path) -> tuple[Path, Path]:
    """A file of predictions, and the folder of its labels."""
    labels = tmp_path / "data" / "6th_ABAW_Annotations" / "EXPR_Recognition_Challenge" / "Validation_Set"
    labels.mkdir(parents=True)
    classes = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    rows = []
    for video in ("a", "b", "c"):
        (labels / f"{video}.txt").write_text("\n".join([classes, *(str(k % 8) for k in range(40)), ""]))
        rows += [f"{video}/{k + 1:05d}.jpg,{k * 3 % 8}" for k in range(40)]
    file = tmp_path / "predictions.txt"
    file.write_text("\n".join([f"image_location,{classes}", *rows, ""]))
    return file, labels


def test_pages_are_read_over_and_over_while_fifty_runs_are_recorded(
    tmp_path: Path, scorable: tuple[Path, Path]
) -> None:
    store, log = tmp_path / "out" / "results.duckdb", tmp_path / "writer.log"
    names = [f"expr/beside-{k:02d}-" for k in range(RUNS)]
    shown: list[int] = []
    with (
        served(store, tmp_path, "--out", str(tmp_path / "out")) as server,
        Visitor(server) as visitor,
        log.open("w") as out,
    ):
        assert visitor.open().failures == []  # there is no store yet
        command = [sys.executable, "-c", RECORD, store.parent, store, *scorable, RUNS]
        writer = subprocess.Popen([*map(str, command)], stdout=out, stderr=out)
        while writer.poll() is None:
            for page in PAGES:
                answer = visitor.open("" if page == "board" else page)
                assert answer.failures == []
                if page == "board":
                    shown.append(sum(answer.shows(name) for name in names))
        assert writer.returncode == 0, log.read_text()
        board = visitor.open()
    assert [name for name in names if not board.shows(name)] == []
    assert shown == sorted(shown), "a run that was on the screen is never gone again"
    assert set(shown) & set(range(1, RUNS)), "runs show up as they are recorded, not at the end only"
