"""Pages, bundle and export with runs of EMI, AH and AHV: scores by target, intervals by what they draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.records.run import RunRecord
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import AH, AHV, EMI, Task
from leaderboard.bundle.page import write_bundle
from leaderboard.export.command import export
from tests.support.app_pages import open_page, words_of
from tests.support.levels import levels_data, random_entry

Made = Callable[[Task], tuple[RunRecord, RunRecord]]
every_level = pytest.mark.parametrize("task", [EMI, AH, AHV], ids=lambda task: task.name)
pytestmark = pytest.mark.usefixtures("checked_charts")


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Made:
    """Makes two runs of different solutions on validation, recorded in the store of the page."""
    settings = Settings(out=tmp_path / "runs", store=store.path, cache=tmp_path / "cache")

    def make(task: Task) -> tuple[RunRecord, RunRecord]:
        data = replace(levels_data(task, tmp_path / "data"), name="lab")
        a, b = (run_solution(random_entry(task, key), data, "val", settings).record for key in (0, 1))
        return a, b

    return make


@every_level
def test_board_page_lists_runs_with_their_intervals(made: Made, task: Task) -> None:
    a, b = made(task)
    page = open_page("board", task=task.name, split="val", data="lab")
    frame = next(element.value for element in page.dataframe if "score" in element.value)
    assert sorted(frame["score"]) == sorted(record.score()["value"] for record in (a, b))
    assert frame["interval"].notna().all()
    assert all(len(values) == task.n_outputs for values in frame["classes"])


@every_level
def test_run_page_shows_each_target_and_constant(made: Made, task: Task) -> None:
    record, _ = made(task)
    page = open_page("run", run=record.run_id)
    assert f"95 % by {record.unit}" in [metric.label for metric in page.metric]
    by_target = next(element.value for element in page.dataframe if "target" in element.value)
    assert by_target["target"].tolist() == list(task.targets)
    if task is not EMI:
        assert "Always absent: " in words_of(page)


@every_level
def test_run_page_opens_a_video(made: Made, task: Task) -> None:
    record, _ = made(task)
    open_page("run", run=record.run_id, video=next(iter(record.statistics["headline"])))


@every_level
def test_compare_page_says_what_was_drawn(made: Made, task: Task) -> None:
    a, b = made(task)
    page = open_page("compare", a=a.run_id, b=b.run_id)
    assert f"paired over {35 if task is EMI else 7} {a.unit}s" in words_of(page)


@every_level
def test_bundle_and_export_hold_the_board(made: Made, task: Task, tmp_path: Path, store: Store) -> None:
    a, _ = made(task)
    text = write_bundle(store, tmp_path / "board.html").read_text(encoding="utf-8")
    assert f"{task.name} val: {task.title}, lab" in text
    assert ("95 % by person" in text) == (a.unit == "person")
    out = tmp_path / "board.csv"
    places = ["--data-set", "lab", "--store", str(store.path), "--to", str(out)]
    done = CliRunner().invoke(export, ["board", "--task", task.name, "--split", "val", *places])
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(out)) == 2


@every_level
def test_terminal_board_names_the_unit(made: Made, task: Task, store: Store) -> None:
    a, _ = made(task)
    done = CliRunner().invoke(cli, ["runs", "--task", task.name, "--store", str(store.path)])
    assert done.exit_code == 0, done.output
    assert f"95 % by {a.unit}" in done.output


@pytest.mark.parametrize("table", ["abaw8:table5", "abaw8:table6", "abaw8:table7", "abaw8:table8", "abaw8:table9"])
def test_papers_page_shows_the_tables_of_the_new_tasks(store: Store, table: str) -> None:
    page = open_page("papers", table=table)
    assert len(page.dataframe[0].value)
