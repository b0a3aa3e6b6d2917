"""The pages stay open while runs are recorded beside them: nobody fails, and every run shows up."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leaderboard.screens.links import PAGES
from tests.support.leaderboard_server import Visitor, served

pytestmark = pytest.mark.process
# what the console command does, many times, without the seconds that Python needs to start; after half of them a line
# of standard input must come first
RECORD = """
import sys
from harness.cli.main import cli
of_each, names = sys.argv[1:-1], sys.argv[-1].split()
for k, name in enumerate(names):
    if k == len(names) // 2:
        sys.stdin.readline()
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
        process.communicate()


def start(writers: Writers, folder: Path, *arguments: object) -> None:
    """One more that runs Python with these arguments."""
    log = folder / f"writer-{len(writers)}.log"
    with log.open("w") as out:
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
    writers.append((process, log))


def go_on(writers: Writers) -> None:
    """Let the writers record their second halves."""
    for process, _ in writers:
        if process.stdin is not None and not process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # of a process that has ended
                process.stdin.close()


def test_pages_that_are_read_while_runs_are_recorded_fail_never(
    tmp_path: Path, scorable: tuple[Path, Path], writers: Writers, repetitions: Callable[[int, int], int]
) -> None:
    each, whole = repetitions(4, 16), repetitions(1, 2)
    shares = [[f"expr/beside-{writer}-{k:02d}-" for k in range(each)] for writer in range(repetitions(2, 3))]
    whole_names = [f"expr/beside-whole-{k:02d}-" for k in range(whole)]
    names = [*itertools.chain.from_iterable(shares), *whole_names]
    out = tmp_path / "out"
    store = out / "results.duckdb"
    shown: list[int] = []
    with served(store, tmp_path, "--out", str(out)) as server, Visitor(server) as visitor:
        assert visitor.open().failures == []  # there is no store yet
        of_each = [scorable[0], "--task", "EXPR", "--labels", scorable[1], "--out", out, "--store", store]
        for share in shares:
            start(writers, tmp_path, "-c", RECORD, *of_each, " ".join(share))
        for name in whole_names:
            start(writers, tmp_path, "-m", "harness.cli.main", "score", *of_each, "--record", "--name", name)
        deadline = time.monotonic() + 60
        while any(process.poll() is None for process, _ in writers):
            for page in PAGES:
                answer = visitor.open("" if page == "board" else page)
                assert answer.failures == []
                if page == "board":
                    shown.append(sum(answer.shows(name) for name in names))
            if shown[-1] or time.monotonic() > deadline:
                go_on(writers)
        assert [(log.read_text(), process.returncode) for process, log in writers if process.returncode] == []
        board = visitor.open()
        server.process.terminate()
        server.process.wait(timeout=10)  # it ends, though somebody has a page open
    assert [name for name in names if not board.shows(name)] == []
    assert shown == sorted(shown), "a run that was on the screen is never gone again"
    assert set(shown) & set(range(1, len(names))), "runs show up as they are recorded, not at the end only"
