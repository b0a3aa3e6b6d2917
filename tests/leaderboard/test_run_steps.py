"""Effect of each step on the Run page, in ``abaw show`` and in the export; on drawn data with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.board.tables.run import step_table
from harness.cli.main import cli
from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import Picture
from harness.datasets.open import open_dataset
from harness.importing.rescore import score_problems
from harness.metrics.steps import StepTrace
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.records.run import RunRecord
from harness.records.steps import STEPS_FILE
from harness.runs.finished import Finished
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import EXPR
from leaderboard.data.frames import thumbnails_of
from leaderboard.data.steps import examples
from leaderboard.screens import run_steps
from tests.support.answer_runs import Answers, run_answers
from tests.support.app_pages import open_page, words_of
from tests.support.scored_runs import record


class Stepping(Answers):
    """Knows the labels: the head errs in every 4th frame; smoothing and the filter mend some and break others."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        videos = {video.name: self._stepped(video) for video in data.videos(split)}
        return Predictions(self.task, videos, steps=("smoothing", "filter"))

    def _stepped(self, video: Video) -> VideoPrediction:
        frame = np.arange(video.n_frames)
        truth = frame % 8 if video.labels is None else np.maximum(video.labels, 0)
        head = np.where(frame % 4 == 0, (truth + 1) % 8, truth)
        smoothed = np.where(frame % 8 == 0, truth, np.where(frame % 10 == 5, (truth + 2) % 8, head))
        filtered = np.where(frame % 20 == 4, truth, np.where(frame % 20 == 7, (truth + 3) % 8, smoothed))
        decisions = np.stack([head, smoothed, filtered], axis=1).astype(np.uint8)
        probabilities = np.stack([np.full(len(frame), p) for p in (0.25, 0.5, 0.75)], axis=1).astype(np.float16)
        trace = StepTrace(decisions, probabilities, np.isin(frame % 20, (4, 7, 9)))
        scores = np.eye(8, dtype=np.float32)[filtered]
        return VideoPrediction(scores, filtered.astype(np.int64), None, trace)


@pytest.fixture
def stepped(store: Store, drawn_once: Path) -> Finished:
    settings = Settings(out=store.path.parent / "submissions", store=store.path, cache=store.path.parent / "cache")
    entry = SolutionEntry("expr/stepping", EXPR, "", lambda _: Stepping("stepping", EXPR, 4), "none", "none", "steps")
    return run_solution(entry, open_dataset(drawn_once, EXPR), "val", settings)


def labelled_frames(root: Path) -> np.ndarray:
    """Numbers, from 0, of all labelled frames of the validation videos."""
    videos = open_dataset(root, EXPR).videos("val")
    return np.concatenate([np.flatnonzero(video.labels >= 0) for video in videos])


def test_record_counts_what_was_built_in(stepped, drawn_once):
    frame = labelled_frames(drawn_once)
    wrong_head, mended, broken = frame % 4 == 0, frame % 8 == 0, frame % 10 == 5
    wrong = (wrong_head & ~mended) | broken
    by_filter, against = frame % 20 == 4, frame % 20 == 7
    smoothing, confidence = stepped.record.steps
    assert smoothing == {
        "step": "smoothing",
        "decisions": len(frame),
        "changed": int((mended | broken).sum()),
        "corrected": int(mended.sum()),
        "worsened": int(broken.sum()),
    }
    assert confidence["corrected"] == int((by_filter & wrong).sum()) > 0
    assert confidence["worsened"] == int((against & ~wrong).sum()) > 0
    assert confidence["overridden"] == int(np.isin(frame % 20, (4, 7, 9)).sum())
    assert confidence["overridden_right"] == int((by_filter | ((frame % 20 == 9) & ~wrong)).sum())


def test_page_shows_counts_and_frames_of_both_kinds(stepped):
    page = open_page("run", run=stepped.record.run_id)
    (table,) = (frame.value for frame in page.dataframe if "overridden" in frame.value.columns)
    confidence = stepped.record.steps[1]
    assert table["step"].tolist() == ["smoothing", "confidence filter"]
    assert table["corrected"].tolist()[1] == confidence["corrected"]
    assert table["net"].tolist()[1] == confidence["corrected"] - confidence["worsened"]
    assert table["overridden_wrong"].tolist()[1] == confidence["overridden"] - confidence["overridden_right"]
    text = words_of(page)
    assert f"Corrected: {confidence['corrected']:,} frames" in text
    assert f"Worsened: {confidence['worsened']:,} frames" in text
    captions = [element.value for element in page.text if element.value.count("\n") == 3]
    assert len(captions) == 16
    assert all("head " in caption and "0.50" in caption and "classifier " in caption for caption in captions)
    assert all(caption.endswith("0.75") for caption in captions)
    page.segmented_control(key="step").set_value("smoothing").run()
    captions = [element.value for element in page.text if element.value.count("\n") == 3]
    assert all("before " in caption and "0.25" in caption for caption in captions)


def test_captions_name_frames_that_the_step_changed(stepped, drawn_once):
    page = open_page("run", run=stepped.record.run_id)
    labels = {video.name: video.labels for video in open_dataset(drawn_once, EXPR).videos("val")}
    captions = [element.value.split("\n") for element in page.text if element.value.count("\n") == 3]
    for place, label, head, classifier in captions[:8]:
        video, _, frame = place.rpartition(", ")
        truth = EXPR.targets[labels[video][int(frame) - 1]]
        assert label == f"label {truth}"
        assert classifier == f"classifier {truth} 0.75"
        assert truth not in head
    for _, label, _, classifier in captions[8:]:
        assert label.removeprefix("label ") not in classifier


def test_images_are_decoded_once_per_step(stepped, monkeypatch):
    decoded = []

    def counting(video: Video, frames: list[int]) -> list[Picture]:
        decoded.append(video.name)
        return thumbnails_of(video, frames)

    monkeypatch.setattr(run_steps, "thumbnails_of", counting)
    page = open_page("run", run=stepped.record.run_id)
    first, n_decoded = words_of(page), len(decoded)
    assert n_decoded
    assert words_of(page.run()) == first
    assert len(decoded) == n_decoded
    page.segmented_control(key="step").set_value("smoothing").run()
    assert len(decoded) > n_decoded


def test_show_and_export_print_the_counts(stepped):
    arguments = ["--out", str(stepped.folder.parents[1]), "--store", str(stepped.folder.parents[2] / "results.duckdb")]
    shown = CliRunner().invoke(cli, ["show", stepped.record.run_id, *arguments], catch_exceptions=False).stdout
    assert "confidence filter" in shown
    assert "Worsened" in shown
    command = ["export", "run", stepped.record.run_id, "--table", "steps", "--format", "csv", *arguments]
    rows = CliRunner().invoke(cli, command, catch_exceptions=False).stdout.splitlines()
    assert rows[0].startswith("step,decisions,changed,corrected,worsened,net,overridden")
    row = stepped.record.steps[0]
    assert rows[1].startswith(f"smoothing,{row['decisions']},{row['changed']},{row['corrected']},{row['worsened']}")


def test_run_of_an_earlier_version_says_so(store, run_record, tmp_path):
    run = run_record()
    record(store, run)
    assert "an earlier version made this run" in words_of(open_page("run", run=run.run_id))
    arguments = ["show", run.run_id, "--out", str(tmp_path), "--store", str(store.path)]
    shown = CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout
    assert "an earlier version made this run" in " ".join(shown.split())


def test_solution_that_reports_no_steps_has_none(store, drawn_once):
    run = run_answers(drawn_once, EXPR, "val", store.path)
    assert run.record.steps is None
    assert STEPS_FILE not in run.record.files
    assert "is not recorded" in words_of(open_page("run", run=run.record.run_id))


def test_steps_file_that_is_gone_is_said(stepped):
    (stepped.folder / STEPS_FILE).unlink()
    assert "the run's steps are not there" in words_of(open_page("run", run=stepped.record.run_id))


def test_counts_that_do_not_fit_together_are_refused(stepped):
    assert list(score_problems(stepped.record)) == []
    content = stepped.record.plain()
    for change in ({"changed": 10**9}, {"corrected": 10**6}, {"overridden_right": 10**6}):
        steps = [content["steps"][0], {**content["steps"][1], **change}]
        broken = RunRecord.of({**content, "steps": steps}, stepped.record.statistics)
        assert any("counts of step 'filter'" in text for text in score_problems(broken))


def test_run_with_steps_can_be_imported(stepped, tmp_path):
    arguments = ["import", str(stepped.folder), "--out", str(tmp_path / "o"), "--store", str(tmp_path / "o.duckdb")]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (copy,) = (tmp_path / "o").glob(f"*/*/{STEPS_FILE}")
    assert copy.read_bytes() == (stepped.folder / STEPS_FILE).read_bytes()


def test_examples_come_from_several_videos_and_stretches():
    rows = np.zeros((30, 2), np.uint8)
    rows[3:9, 1] = rows[20:22, 1] = 4
    probabilities = np.zeros((30, 2), np.float16)
    probabilities[5, 1], probabilities[21, 1] = 0.9, 0.6
    trace, labels = StepTrace(rows, probabilities), np.full(30, 4)
    everything = np.arange(1, 31)
    found = examples(
        EXPR,
        {"a": trace, "b": trace},
        {"a": labels, "b": labels},
        0,
        corrected=True,
        most=3,
        frames_of=lambda video: everything if video == "a" else everything[:10],
    )
    assert [(example.video, example.frame) for example in found] == [("a", 6), ("b", 6), ("a", 22)]
    assert found[0].label == found[0].after[0] == 4


def test_part_of_overrides_without_their_number_is_shown(run_record):
    """As a record may hold it that was written by hand."""
    row = {"step": "filter", "decisions": 9, "changed": 1, "overridden_right": 0}
    table = step_table(run_record(steps=[row]))
    assert [column.key for column in table.columns] == ["step", "decisions", "changed", "overridden_right"]
