"""``abaw demo``: the whole way once, on a data set that is drawn on the spot."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.settings import load_settings
from harness.system.console import Terminal
from harness.system.counts import counted
from harness.system.progress import progress
from harness.tables.text import print_tables
from harness.tasks import TASKS, VD, Task

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset

SOLUTIONS = (
    "expr/tiny-mlp-smooth", "va/tiny-mlp-smooth", "au/tiny-mlp-smooth", "vd/motion", "emi/log-mel", "ah/log-mel",
)  # fmt: skip
FACES, SCENES, MIMICRY, DOUBTS = "data", "scenes", "mimicry", "doubts"
HOMES = {"VD": SCENES, "EMI": MIMICRY, "AH": DOUBTS}
"""Folder of a task's data set; that of all others is ``data``."""
VIDEOS = {
    FACES: {"train": 12, "val": 8, "test": 4},
    SCENES: {"train": 6, "val": 4, "test": 2},
    MIMICRY: {"train": 24, "val": 12, "test": 4},
    DOUBTS: {"train": 12, "val": 8, "test": 4},
}
FRAMES = {FACES: 240, SCENES: 90, MIMICRY: 30, DOUBTS: 60}
WARNING = (
    "The demo's faces, scenes and voices are drawn by this program. A score on them shows that the pipeline works, "
    "nothing more: it can't be compared with any score on Aff-Wild2, DVD, Hume-Vidmimic2 or BAH."
)


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Folder for what it makes.  [default: a new temporary folder]"
)
@click.option("--seed", default=0, show_default=True, help="Of the drawing and the training.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Choice([name.partition("/")[0] for name in SOLUTIONS], case_sensitive=False),
    help="Only this task; may be repeated.  [default: all]",
)
def demo(keep: Path | None, seed: int, tasks: tuple[str, ...]) -> None:
    """Try all steps on small synthetic data sets.

    The command draws the data sets, trains, predicts, writes official files, checks and scores them, and shows the
    boards. Scores on synthetic data show only that the steps fit together. It downloads nothing.

    \b
    Example: abaw demo
             abaw demo --task expr --keep /tmp/demo
    """
    from harness.board.board import load_board
    from harness.board.entries import View
    from harness.board.tables.board import tables_of
    from harness.cli.report import print_run
    from harness.datasets.open import open_dataset
    from harness.datasets.synthetic import write_affwild2, write_bah, write_dvd, write_vidmimic
    from harness.files.score import score_file
    from harness.metrics.titles import interval_text, score_title
    from harness.plugins.registry import solution_entry
    from harness.runs.runner import run_solution
    from harness.store.store import Store

    start = time.monotonic()
    console = Terminal(soft_wrap=True)
    home = keep or Path(tempfile.mkdtemp(prefix="abaw-demo-"))
    writers: dict[str, Callable[..., None]] = {
        FACES: write_affwild2,
        SCENES: write_dvd,
        MIMICRY: write_vidmimic,
        DOUBTS: write_bah,
    }
    solutions = [name for name in SOLUTIONS if not tasks or name.partition("/")[0] in tasks]
    kinds = {HOMES.get(solution_entry(name).task.name, FACES) for name in solutions}
    for kind, draw in writers.items():
        if kind in kinds and not (home / kind).exists():
            videos = VIDEOS[kind]
            total = sum(videos.values())
            with progress(f"drawing {counted(total, 'video')}", total, "videos") as advance:
                draw(home / kind, seed=seed, videos=videos, frames=FRAMES[kind], progress=lambda *_: advance(1))
    settings = load_settings(out=home / "submissions", store=home / "results.duckdb", cache=home / "cache")
    opened: dict[str, Dataset] = {}
    for name in solutions:
        entry = solution_entry(name)
        root = home / HOMES.get(entry.task.name, FACES)
        data = opened[entry.task.name] = open_dataset(root, entry.task, cache=settings.cache)
        console.rule(f"{entry.task.name}: validation")
        finished = run_solution(entry, data, "val", settings, seed=seed)
        print_run(finished.record, finished.folder, reused=finished.reused)
        console.rule(f"{entry.task.name}, test: the file that would be sent in")
        sent = run_solution(entry, data, "test", settings, seed=seed)
        print_run(sent.record, sent.folder, reused=sent.reused)
        labels = _held_out(root, entry.task)
        head = score_file(sent.submission, entry.task, labels)[0].headline
        title, result = score_title(head.metric), interval_text(head.value, head.low, head.high)
        console.print(f"scored against the demo's own test labels: {title} {result}")
    console.rule("the board")
    results = Store(settings.store)
    views = [View(TASKS[task], "val", data.name) for task, data in opened.items()]
    print_tables(console, [table for view in views for table in tables_of(load_board(results, view))])
    console.print(f"\n{WARNING}")
    console.print(f"Made in {time.monotonic() - start:.0f} s, in {home}")
    console.print(f"Open the leaderboard:  {_command()} leaderboard --store {settings.store}")


def _held_out(root: Path, task: Task) -> Path:
    """Return the labels of the test videos of a drawn data set."""
    folder = root / "held_out"
    if task.annotation_folders:
        return folder if task is VD else folder / task.annotation_folders[0]
    return folder / task.name / {"EMI": "test_split.csv", "AH": "frames.txt"}[task.name]


def _command() -> str:
    """How the user types this command: after ``make demo`` its environment is not active."""
    if shutil.which("abaw"):
        return "abaw"
    script = Path(sys.executable).with_name("abaw")
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
