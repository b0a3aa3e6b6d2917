"""EMI, AH and AHV on the Run page: labels, words and errors of videos, read from data in the organisers' layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from harness.board.run import video_rows
from harness.board.tables.run import video_table
from harness.datasets.open import open_dataset, open_split, video_test_rows
from harness.datasets.transcript_store import TranscriptStore
from harness.datasets.transcripts import Transcript, TranscriptLine
from harness.files.score import score_submission
from harness.metrics.by_video import measure_alone, values_alone, video_scores
from harness.metrics.compare import compare
from harness.metrics.metric import metric_for
from harness.records.origin import Origin
from harness.runs.external import record_scored
from harness.runs.finished import Finished
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import AH, AHV, EMI, Task
from leaderboard.data.files import check_official
from leaderboard.data.frames import read_decisions, read_split
from leaderboard.data.reach import labels_of
from leaderboard.data.timeline import Timeline, Track, answer_rows, spoken_lines, word_rows, word_stretches
from leaderboard.export.command import export
from tests.support.app_pages import open_page, words_of
from tests.support.levels import random_entry
from tests.support.speech_trees import HEADER, OTHER, TESTED, small_doubts, small_mimics, write_lines

Made = Callable[..., Finished]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("checked_charts")]
every_task = pytest.mark.parametrize("task", [EMI, AH, AHV], ids=lambda task: task.name)


@pytest.fixture
def made(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes a run on a small data set on disk, in the store of the page."""
    monkeypatch.setenv("ABAW_CACHE", str(tmp_path / "cache"))
    settings = Settings(out=tmp_path / "runs", store=store.path, cache=tmp_path / "cache")

    def make(task: Task, split: str = "val", key: int = 0) -> Finished:
        root = tmp_path / f"{task.name} data"
        if not root.exists():
            _ = small_mimics(root) if task is EMI else small_doubts(root, 8 if task is AH else 10)
        data = replace(open_dataset(root, task), name="lab")
        return run_solution(random_entry(task, key), data, split, settings)

    return make


def page_of(run: Finished, video: str) -> str:
    return words_of(open_page("run", run=run.record.run_id, video=video))


# --- the data set on disk ---


@every_task
@pytest.mark.parametrize("split", ["val", "test"])
def test_split_of_a_run_is_read_from_its_layout(made: Made, task: Task, split: str) -> None:
    run = made(task, split)
    found = read_split(run.record, Path(run.record.data["root"]))
    assert set(found.videos) == set(read_decisions(run.record, run.folder))
    assert found.same is (True if split == "val" else None)
    assert all(len(video.images) for video in found.videos.values())


@every_task
def test_split_equals_that_of_the_whole_data_set(made: Made, task: Task) -> None:
    root = Path(made(task).record.data["root"])
    whole = open_dataset(root, task)
    for split in ("train", "val", "test"):
        own = open_split(root, task, split)
        assert [v.name for v in own] == [v.name for v in whole.videos(split)]
        for one, other in zip(own, whole.videos(split), strict=True):
            assert (one.n_rows, one.person, one.transcript) == (other.n_rows, other.person, other.transcript)
            np.testing.assert_array_equal(one.labels, other.labels)  # type: ignore[arg-type]
    rows = video_test_rows(root, task)
    assert rows is not None
    assert whole.template is not None
    assert rows.fingerprint() == whole.template.fingerprint()


def test_other_splits_stay_closed(tmp_path: Path) -> None:
    tree = small_mimics(tmp_path / "emi")
    (tree.root / "train_split.csv").write_text("no labels\n")
    assert [video.name for video in open_split(tree.root, EMI, "val")] == ["00001"]
    doubts = small_doubts(tmp_path / "ah")
    (doubts.home / "default-split" / "train.txt").write_text("no list\n")
    assert [video.name for video in open_split(doubts.root, AH, "val")] == [OTHER]


@every_task
def test_test_file_is_held_against_the_rows_of_its_data(made: Made, task: Task) -> None:
    run = made(task, "test")
    report, held_against = check_official(run.record, run.folder)
    assert report.valid
    assert held_against.startswith(str(run.record.data["root"]))
    path = run.submission
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    assert not check_official(run.record, run.folder)[0].valid


def test_file_of_others_code_is_shown_on_its_labels(store: Store, tmp_path: Path) -> None:
    labels = write_lines(tmp_path / "held" / "mine.csv", [HEADER, "12660,0.5,0,0,0,0,0.5", "12661,1,0,0,0,0,0"])
    file = write_lines(tmp_path / "sent.csv", [HEADER, "12660,0.25,0,0,0,0,0.5", "12661,1,0,0,0,0,0.3"])
    settings = Settings(out=tmp_path / "runs", store=store.path, cache=tmp_path / "cache")
    run = record_scored(score_submission(file, labels), file, labels, settings, name="ours")
    assert labels_of(run.record, run.folder) == labels
    assert "Mean absolute error of this video: 0.042." in page_of(run, "12660")
    Origin.now(Path("their.zip")).write(run.folder)
    assert labels_of(run.record, run.folder) is None
    assert "can't be read" not in page_of(run, "12660")


def test_labels_with_gaps_stay_at_their_frames(store: Store, tmp_path: Path) -> None:
    rows = [f"{TESTED}/frame-{k}.jpg,1" for k in (0, 1, 4)]
    labels, file = write_lines(tmp_path / "held" / "mine.txt", rows), write_lines(tmp_path / "sent.txt", rows)
    settings = Settings(out=tmp_path / "runs", store=store.path, cache=tmp_path / "cache")
    run = record_scored(score_submission(file, labels, task="AH"), file, labels, settings, name="ours")
    split = read_split(run.record, labels.parent, None, labels)
    assert split.videos[TESTED].labels.tolist() == [1, 1, -1, -1, 1]


def test_video_without_labels_stays_empty_between_others(run_record, tmp_path: Path) -> None:
    frames = {"one": {0: 1, 2: 0}, "bare": {}, "two": {1: 1}}
    entries = {
        f"{name}.mp4": {
            "frame_annotation": [(f"{name}.mp4/frame-{k}.jpg", value) for k, value in labels.items()],
            "global_ah": 1,
        }
        for name, labels in frames.items()
    }
    file = tmp_path / "held" / "annotation.yml"
    file.parent.mkdir()
    file.write_text(yaml.dump(entries, sort_keys=False))
    split = read_split(run_record("x", task="AH", split="test"), file.parent, None, file)
    assert [video.labels.tolist() for video in split.videos.values()] == [[1, -1, 0], [], [-1, 1]]


# --- pages ---


def test_emi_page_shows_values_errors_and_words(made: Made) -> None:
    run = made(EMI)
    root = Path(run.record.data["root"])
    data = open_dataset(root, EMI)
    store = TranscriptStore(root.parent / "cache", replace(data, name="lab"))
    store.keep(data.videos("val")[0], Transcript("what they say", (), "moonshine 1"))
    shown = page_of(run, "00001")
    assert "can't be read" not in shown
    labels = data.videos("val")[0].labels[0]
    values = read_decisions(run.record, run.folder)["00001"][0]
    assert f"Mean absolute error of this video: {np.abs(labels - values).mean():.3f}." in shown
    assert "Words, from moonshine 1:\nwhat they say" in shown


def test_ah_page_has_the_lines_of_the_transcript(made: Made) -> None:
    run = made(AH)
    page = open_page("run", run=run.record.run_id, video=OTHER)
    assert "can't be read" not in words_of(page)
    lines = next(element.value for element in page.dataframe if "text" in element.value)
    labels = open_dataset(Path(run.record.data["root"]), AH).videos("val")[0].labels
    assert lines["text"].tolist() == ["Yes, and no."]
    assert lines["frames"].tolist() == ["1 to 5"]
    assert lines["labelled"].tolist() == pytest.approx([float(np.mean(labels))])
    labels_of_metrics = [metric.label for metric in page.metric]
    assert {"weighted F1, val", "Beside it: macro-F1", "Beside it: F1 present"} <= set(labels_of_metrics)


def test_ahv_page_has_label_and_decision_of_each_video(made: Made) -> None:
    run = made(AHV)
    name = f"Videos/{OTHER}"
    page = open_page("run", run=run.record.run_id, video=name)
    table = next(element.value for element in page.dataframe if "decision" in element.value)
    decided = int(read_decisions(run.record, run.folder)[name][0])
    assert table["label"].tolist() == ["present"]
    assert table["decision"].tolist() == [AHV.targets[decided]]
    assert table["right"].tolist() == [decided == 1]


@every_task
def test_compare_page_opens_a_video(made: Made, task: Task) -> None:
    a, b = made(task), made(task, key=1)
    video = next(iter(a.record.statistics["headline"]))
    shown = words_of(open_page("compare", a=a.record.run_id, b=b.record.run_id, video=video))
    assert "can't be read" not in shown


def test_names_with_slashes_and_spaces_reach_the_export(made: Made, tmp_path: Path, store: Store) -> None:
    run = made(AH, "val")
    assert list(read_decisions(run.record, run.folder)) == [OTHER]
    assert " " in OTHER
    assert "/" in OTHER
    out = tmp_path / "videos.csv"
    options = ["run", run.record.run_id, "--table", "videos", "--store", str(store.path), "--to", str(out)]
    done = CliRunner().invoke(export, options)
    assert done.exit_code == 0, done.output
    assert pd.read_csv(out)["video"].tolist() == [OTHER]


# --- a video by itself ---


def test_video_of_values_has_its_mean_absolute_error() -> None:
    rng = np.random.default_rng(0)
    labels, values = rng.integers(0, 5, (9, 6)) / 4, rng.random((9, 6))
    metric = metric_for(EMI)
    table = metric.by_video(labels, values, np.ones(9, np.int64))
    own = video_scores(metric, table)
    expected = np.abs(labels - values).mean(1)
    np.testing.assert_allclose(own.error, expected, atol=1e-12)
    assert np.isnan(own.score).all()
    assert own.worst_first([*map(str, range(9))]) == np.argsort(-expected).tolist()
    assert measure_alone(metric) == "mean_absolute_error"
    np.testing.assert_allclose(values_alone(metric, table), expected, atol=1e-12)


def test_table_of_videos_names_each_value(made: Made) -> None:
    run = made(EMI)
    table = video_table(run.record)
    titles = [column.title for column in table.columns]
    assert titles[:4] == ["Video", "Mean absolute error", "Pulls", "Admiration, labelled"]
    assert "Pearson's correlation is undefined for a single video" in table.notes[0]
    row = video_rows(run.record).iloc[0]
    values = read_decisions(run.record, run.folder)[row["video"]][0]
    assert [row[f"value:{name}"] for name in EMI.targets] == pytest.approx(values.tolist(), abs=1e-6)
    assert len(titles) == 3 + 2 * len(HEADER.split(",")[1:])


def test_movers_of_two_runs_have_the_error_of_each(made: Made) -> None:
    a, b = made(EMI), made(EMI, key=1)
    (mover,) = compare(a.record.scored(), b.record.scored()).movers
    for run, value in ((a, mover.a), (b, mover.b)):
        assert value == pytest.approx(video_rows(run.record)["error"].iloc[0], abs=1e-12)


# --- words in time ---

LINES = (
    TranscriptLine(" Yes.", 0.0, 0.5),
    TranscriptLine(" And no.", 0.5, None),
    TranscriptLine(" Well.", 1.0, 9.0),
    TranscriptLine(" Late.", 50.0, 51.0),
    TranscriptLine(" Somewhen.", None, None),
)


def test_lines_are_located_by_their_times() -> None:
    lines = spoken_lines(Transcript("", LINES), 24.0, 48)
    assert [(line.text, line.first, line.last) for line in lines] == [
        ("Yes.", 1, 12),
        ("And no.", 13, 24),
        ("Well.", 25, 48),
        ("Late.", None, None),
        ("Somewhen.", None, None),
    ]
    assert all(line.first is None for line in spoken_lines(Transcript("", LINES), None, 48))


def test_lines_have_shares_of_labels_decisions_and_scores() -> None:
    labels = np.array([0] * 6 + [1] * 6 + [1] * 12 + [-1] * 24)
    decisions, positive = np.array([1] * 12 + [0] * 36), np.linspace(0, 1, 48)
    scores = np.stack([1 - positive, positive], 1)
    lines = spoken_lines(Transcript("", LINES), 24.0, 48)
    timeline = Timeline(AH, "v", 48, labels, None, (Track("run", scores, decisions),), lines)
    rows = word_rows(timeline, 1, 48)
    assert rows["labelled"].tolist()[:2] == [0.5, 1.0]
    assert np.isnan(rows["labelled"].iloc[2])  # no label counts there
    assert rows["decided:run"].tolist()[:3] == [1.0, 0.0, 0.0]
    assert rows["score:run"].iloc[0] == pytest.approx(positive[:12].mean())
    assert word_rows(timeline, 14, 20)["text"].tolist() == ["And no.", "Late.", "Somewhen."]
    shown = word_stretches(timeline, 10, 20)
    assert list(zip(shown["text"], shown["first"], shown["last"], strict=True)) == [
        ("Yes.", 10, 12),
        ("And no.", 13, 20),
    ]


def test_answers_of_one_row_stand_beside_the_labels() -> None:
    labels, values = np.array([[0.5, 0, 0, 0, 0, 0.5]]), np.array([[0.25, 0.25, 0, 0, 0, 1.0]])
    rows = answer_rows(Timeline(EMI, "v", 1, labels, None, (Track("run", None, values),)))
    assert rows["error:run"].tolist() == [0.25, 0.25, 0, 0, 0, 0.5]
    timeline = Timeline(AHV, "v", 1, np.array([1]), None, (Track("run", np.array([[0.7, 0.3]]), np.array([0])),))
    rows = answer_rows(timeline)
    assert rows["labelled"].tolist() == ["", "labelled"]
    assert rows["decided:run"].tolist() == ["decided", ""]
    assert rows["score:run"].tolist() == [0.7, 0.3]


def test_transcript_text_is_one_line_without_marks(tmp_path: Path) -> None:
    (line,) = spoken_lines(Transcript("", (TranscriptLine("a\n\x1b[31mb", 0.0, 1.0),)), 24.0, 24)
    assert "\n" not in line.text
    assert "\x1b" not in line.text
