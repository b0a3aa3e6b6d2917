"""The pages stay open while runs are recorded beside them: nobody fails, and every run shows up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leaderboard.screens.links import PAGES
from tests.support.leaderboard_server import Visitor, served

WRITERS, EACH, WHOLE = 3, 16, 2
NAMES = [f"expr/beside-{writer}-{k:02d}-" for writer in range(WRITERS) for k in range(EACH)]
NAMES += [f"expr/beside-whole-{k:02d}-" for k in range(WHOLE)]
# what the console command does, many times, without the seconds that Python needs to start
RECORD = """
import sys
from harness.cli.main import cli
of_each, names = sys.argv[1:-1], sys.argv[-1].split()
for name in names:
    cli.main(["score", *of_each, "--record", "--name", name], standalone_mode=False)
"""
Writers = list[tuple[subprocess.Popen[bytes], Path]]


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


@pytest.fixture
def writers() -> Iterator[Writers]:
    """Processes that record, with the file of what each says; none outlives the test."""
    started: Writers = []
    yield started
    for process, _ in started:
        process.kill()
        process.wait()


def start(writers: Writers, folder: Path, *arguments: object) -> None:
    """One more that runs Python with these arguments."""
    log = folder / f"writer-{len(writers)}.log"
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=out, stderr=out)
    writers.append((process, log))


def test_pages_are_read_over_and_over_while_fifty_runs_are_recorded(
    tmp_path: Path, scorable: tuple[Path, Path], writers: Writers
) -> None:
    out = tmp_path / "out"
    store = out / "results.duckdb"
    shown: list[int] = []
    with served(store, tmp_path, "--out", str(out)) as server, Visitor(server) as visitor:
        assert visitor.open().failures == []  # there is no store yet
        of_each = [scorable[0], "--task", "EXPR", "--labels", scorable[1], "--out", out, "--store", store]
        for k in range(WRITERS):
            start(writers, tmp_path, "-c", RECORD, *of_each, " ".join(NAMES[k * EACH : (k + 1) * EACH]))
        for name in NAMES[-WHOLE:]:
            start(writers, tmp_path, "-m", "harness.cli.main", "score", *of_each, "--record", "--name", name)
        while any(process.poll() is None for process, _ in writers):
            for page in PAGES:
                answer = visitor.open("" if page == "board" else page)
                assert answer.failures == []
                if page == "board":
                    shown.append(sum(answer.shows(name) for name in NAMES))
        assert [(log.read_text(), process.returncode) for process, log in writers if process.returncode] == []
        board = visitor.open()
    assert [name for name in NAMES if not board.shows(name)] == []
    assert shown == sorted(shown), "a run that was on the screen is never gone again"
    assert set(shown) & set(range(1, len(NAMES))), "runs show up as they are recorded, not at the end only"
