"""EMI, AH and AHV from a solution's answer to the board: official files, scores, and intervals by person."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import pearsonr
from sklearn.metrics import average_precision_score, f1_score

from harness.board.board import load_board
from harness.board.differences import score_rows
from harness.board.entries import View, frame_of
from harness.board.run import target_rows, video_rows
from harness.board.seeds import summarise
from harness.board.tables.run import run_tables
from harness.cli.main import cli
from harness.datasets.dataset import Dataset
from harness.errors import DataError, SolutionError
from harness.files.checking.submission import validate
from harness.files.persons import person_of_name
from harness.importing.take import take
from harness.metrics.compare import compare
from harness.metrics.folds import assign_folds
from harness.metrics.interval import bootstrap_weights, percentile_interval
from harness.plugins.contract import broken_promises
from harness.plugins.interface import Predictions, VideoPrediction
from harness.records.run import CONSTANT, HEADLINE, RUN_FILE
from harness.runs.crossval import cross_validate
from harness.runs.finished import Finished
from harness.runs.official import NO_PROBABILITIES
from harness.runs.runner import run_solution
from harness.store.rebuild import rebuild
from harness.store.store import Store, stored_record
from harness.tasks import AH, AHV, EMI, Task
from tests.support.levels import levels_data, random_entry, settings_in

every_level = pytest.mark.parametrize("task", [EMI, AH, AHV], ids=lambda task: task.name)
REPLICATES = 40  # of which scikit-learn counts each anew


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Finished]:
    def call(
        task: Task, split: str = "val", key: int = 0, *, probabilities: bool = True, **options: object
    ) -> Finished:
        data = levels_data(task, tmp_path / "data")
        entry = random_entry(task, key, probabilities=probabilities)
        return run_solution(entry, data, split, settings_in(tmp_path), **options)  # type: ignore[arg-type]

    return call


def rows_of_file(path: Path, task: Task) -> dict[str, np.ndarray]:
    """Values of each video as its lines have them: read without any code of ours."""
    found: dict[str, list[list[float]]] = {}
    for line in path.read_text().splitlines()[1 if task is EMI else 0 :]:
        head, *values = line.rsplit(",", {"EMI": 6, "AH": 1, "AHV": 3}[task.name])
        found.setdefault(head.rpartition("/frame-")[0] if task is AH else head, []).append([*map(float, values)])
    return {name: np.array(values) for name, values in found.items()}


def labels_of(data: Dataset) -> dict[str, np.ndarray]:
    return {video.name: np.asarray(video.labels) for video in data.videos("val")}


def scored_by_oracle(task: Task, truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> float:
    """The official score of rows that count so often, by SciPy and scikit-learn."""
    if task is EMI:
        rows = np.repeat(np.arange(len(truth)), weights.astype(int))
        return float(np.mean([pearsonr(truth[rows, k], answer[rows, k]).statistic for k in range(6)]))
    average = "weighted" if task is AH else "macro"
    return float(f1_score(truth, answer[:, -1].astype(int), average=average, sample_weight=weights))


@every_level
def test_run_of_each_level_writes_a_valid_file_of_all_rows(run, tmp_path, task):
    finished = run(task)
    data = levels_data(task, tmp_path / "data")
    report = validate(finished.submission)
    assert report.valid
    assert report.format == {"EMI": "EMI", "AH": "AH-frames", "AHV": "AH-trials"}[task.name]
    assert report.rows == sum(video.n_rows for video in data.videos("val"))
    assert list(rows_of_file(finished.submission, task)) == [video.name for video in data.videos("val")]


def test_run_of_frames_names_them_from_zero(run):
    lines = run(AH).submission.read_text().splitlines()
    name = lines[0].rpartition("/")[0]
    own = [line.rpartition(",")[0] for line in lines if line.startswith(f"{name}/")]
    assert own == [f"{name}/frame-{k}.jpg" for k in range(len(own))]


@every_level
def test_record_score_equals_the_oracle_on_the_file(run, tmp_path, task):
    finished = run(task)
    truth, answer = labels_of(levels_data(task, tmp_path / "data")), rows_of_file(finished.submission, task)
    both = [np.concatenate([rows[name] for name in truth]) for rows in (truth, answer)]
    expected = scored_by_oracle(task, *both, np.ones(len(both[0])))
    # a file holds six decimals of EMI's values
    assert finished.record.score()["value"] == pytest.approx(expected, abs=1e-5 if task is EMI else 1e-12)
    assert finished.record.score()["metric"] == task.metric


def test_videos_with_probabilities_have_average_precision(run, tmp_path):
    finished = run(AHV)
    truth, answer = labels_of(levels_data(AHV, tmp_path / "data")), rows_of_file(finished.submission, AHV)
    expected = average_precision_score([truth[name][0] for name in truth], [answer[name][0, 1] for name in truth])
    row = finished.record.score(metric="average_precision")
    assert row["value"] == pytest.approx(expected, abs=1e-12)
    assert row["low"] < row["value"] < row["high"]


def test_videos_without_probabilities_have_labels_and_a_note(run):
    finished = run(AHV, probabilities=False)
    assert validate(finished.submission).format == "AH-labels"
    assert finished.record.score(metric="average_precision") is None
    assert NO_PROBABILITIES in finished.record.notes
    assert NO_PROBABILITIES not in run(AHV).record.notes


@pytest.mark.parametrize("task", [AH, AHV], ids=lambda task: task.name)
def test_each_constant_stands_beside_the_score(run, tmp_path, task):
    record = run(task).record
    truth = np.concatenate([*labels_of(levels_data(task, tmp_path / "data")).values()])
    average = "weighted" if task is AH else "macro"
    expected = {
        name: f1_score(truth, np.full(len(truth), k), average=average, zero_division=0)
        for k, name in enumerate(("absent", "present"))
    }
    rows = {row["target"]: row["value"] for row in record.scores if row["estimate"] == CONSTANT}
    assert rows == pytest.approx({**expected, "all": max(expected.values())}, abs=1e-12)
    others = {row["metric"] for row in record.scores if row["estimate"] == HEADLINE and row["target"] == "all"}
    assert {"macro_f1", "weighted_f1", "accuracy"} <= others
    positive = record.score(metric="f1", target="present")
    assert positive is not None


@pytest.mark.parametrize("task", [AH, AHV], ids=lambda task: task.name)
def test_intervals_draw_all_videos_of_a_person_at_once(run, tmp_path, task):
    finished = run(task)
    truth, answer = labels_of(levels_data(task, tmp_path / "data")), rows_of_file(finished.submission, task)
    persons = sorted({name.split("/")[0] for name in truth})
    assert finished.record.groups == {name: name.split("/")[0] for name in truth}
    assert finished.record.data["persons"] == len(persons) == 7
    both = [np.concatenate([rows[name] for name in sorted(truth)]) for rows in (truth, answer)]
    of_row = np.concatenate([[persons.index(name.split("/")[0])] * len(truth[name]) for name in sorted(truth)])
    draws = Store(settings_in(tmp_path).store).replicates([finished.record.run_id])[finished.record.run_id]
    weights = bootstrap_weights(len(persons))
    expected = [scored_by_oracle(task, *both, weights[k][of_row]) for k in range(REPLICATES)]
    assert draws[:REPLICATES] == pytest.approx(expected, abs=1e-6)  # kept as float32
    head = finished.record.score()
    assert (head["low"], head["high"]) == pytest.approx(percentile_interval(draws.astype(float)), abs=1e-6)


def test_intervals_of_intensities_draw_videos(run, tmp_path):
    finished = run(EMI)
    truth, answer = labels_of(levels_data(EMI, tmp_path / "data")), rows_of_file(finished.submission, EMI)
    both = [np.concatenate([rows[name] for name in sorted(truth)]) for rows in (truth, answer)]
    draws = Store(settings_in(tmp_path).store).replicates([finished.record.run_id])[finished.record.run_id]
    weights = bootstrap_weights(len(truth))
    expected = [scored_by_oracle(EMI, *both, weights[k]) for k in range(REPLICATES)]
    assert draws[:REPLICATES] == pytest.approx(expected, abs=1e-5)
    assert finished.record.groups == {}
    assert "groups" not in json.loads((finished.folder / RUN_FILE).read_text())


@every_level
def test_board_and_comparison_have_the_interval_of_the_record(run, tmp_path, task):
    first, second, other_seed = run(task), run(task, key=1), run(task, seed=1)
    store = Store(settings_in(tmp_path).store)
    board = load_board(store, View(task, "val", first.record.data["name"]), each_seed=True)
    assert len(board.entries) == 3
    by_run = frame_of(board.entries).set_index("run_id")
    for finished in (first, second, other_seed):
        head, entry = finished.record.score(), by_run.loc[finished.record.run_id]
        assert (entry["score"], entry["low"], entry["high"]) == (head["value"], head["low"], head["high"])
        assert len(entry["classes"]) == task.n_outputs
        kept = stored_record(store, finished.record.run_id)[0]
        assert (kept.groups, kept.unit) == (finished.record.groups, finished.record.unit)
    best, below = (by_run.iloc[k] for k in (0, 1))
    pair = [next(f.record for f in (first, second, other_seed) if f.record.run_id == e.name) for e in (best, below)]
    found = compare(*(record.scored() for record in pair))
    assert found.p_value == pytest.approx(below["p_value"], abs=2e-3)
    assert (found.unit, found.n_units) == (("video", 35) if task is EMI else ("person", 7))
    assert len(score_rows(found)) == len(found.differences)
    mean = frame_of(load_board(store, View(task, "val", first.record.data["name"])).entries).set_index("run_id")
    summary = summarise([first.record, other_seed.record])
    entry = mean.loc[first.record.run_id]
    assert (entry["low"], entry["high"]) == pytest.approx((summary.low, summary.high), abs=1e-6)
    assert summary.unit == found.unit


@every_level
def test_reindex_and_import_give_the_same_rows(run, tmp_path, task):
    finished = run(task)
    store = Store(settings_in(tmp_path).store)
    before, draws = store.runs(), store.replicates([finished.record.run_id])
    store.path.unlink()
    assert rebuild(store, settings_in(tmp_path).out).recorded == 1
    assert store.runs().equals(before)
    assert (store.replicates([finished.record.run_id])[finished.record.run_id] == draws[finished.record.run_id]).all()
    assert before["persons"].isna().all() == (task is EMI)
    (outcome,) = take([settings_in(tmp_path).out], tmp_path / "elsewhere")
    assert (outcome.state, outcome.problems) == ("new", ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: {"groups": dict.fromkeys(r.groups, "one")}, "scores that its statistics do not give"),
        (lambda r: {"groups": {**r.groups, "nobody.mp4": "x"}}, "persons of videos that it does not score"),
        (lambda r: {"data": {**r.data, "persons": 3}}, "another number of persons"),
        (lambda r: {"groups": dict.fromkeys(r.groups, 7)}, "found `int` at $.groups"),
        (lambda r: {"groups": ["a"]}, "found `array` at $.groups"),
    ],
)
def test_import_refuses_persons_that_do_not_fit(run, tmp_path, change, words):
    finished = run(AH)
    copy = Path(shutil.copytree(finished.folder, tmp_path / "copy" / "AH" / finished.record.run_id))
    replace(finished.record, **change(finished.record)).write(copy)
    (outcome,) = take([tmp_path / "copy"], tmp_path / "elsewhere")
    assert outcome.state == "refused"
    assert any(words in problem for problem in outcome.problems), outcome.problems


def test_record_without_groups_keeps_its_intervals(run, tmp_path):
    """A run of data without persons draws each video, as every earlier version did."""
    finished = run(AH)
    old = replace(finished.record, groups={})
    assert (old.unit, old.scored().groups) == ("video", {})
    by_video = compare(old.scored(), old.scored())
    assert (by_video.unit, by_video.n_units) == ("video", 28)


def test_runs_that_name_other_persons_are_not_compared(run):
    record = run(AH).record
    swapped = dict(zip(record.groups, [*list(record.groups.values())[1:], "x"], strict=True))
    with pytest.raises(DataError, match="they name other persons in the same videos"):
        compare(record.scored(), replace(record, groups=swapped).scored())


@every_level
def test_test_file_follows_the_template_or_the_videos(run, tmp_path, task):
    finished = run(task, "test")
    data = levels_data(task, tmp_path / "data")
    lines = finished.submission.read_text().splitlines()
    if task is AH:
        assert [line.rpartition(",")[0] for line in lines] == data.template.names()
        assert validate(finished.submission, template=Path(data.template.where)).valid
    else:
        names = [line.split(",")[0] for line in lines[1 if task is EMI else 0 :]]
        assert names == [video.name for video in data.videos("test")]
    assert finished.record.scores == []


@every_level
def test_commands_show_score_constants_and_units(run, tmp_path, task):
    first, second = run(task), run(task, key=1)
    places = ["--out", str(settings_in(tmp_path).out)]
    shown = CliRunner().invoke(cli, ["show", first.record.run_id, *places])
    assert shown.exit_code == 0, shown.output
    unit = "video" if task is EMI else "person"
    assert f"95 % by {unit}" in " ".join(shown.output.split())
    assert ("always absent" in shown.output) == (task is not EMI)
    pair = [first.record.run_id, second.record.run_id]
    compared = CliRunner().invoke(cli, ["compare", *pair, *places])
    assert compared.exit_code == 0, compared.output
    assert f"paired over {unit}s" in compared.output
    plain = json.loads(CliRunner().invoke(cli, ["compare", *pair, *places, "--json"]).output)
    assert (plain["unit"], plain["units"]) == (unit, 35 if task is EMI else 7)


@every_level
def test_tables_of_a_run_have_each_target_and_video(run, task):
    record = run(task).record
    rows = target_rows(record)
    assert rows["target"].tolist() == list(task.targets)
    assert rows["value"].notna().all()
    assert len(video_rows(record)) == len(record.statistics[HEADLINE])
    tables = run_tables(record)
    assert tables["classes"].columns[1].title == ("Pearson" if task is EMI else "F1")
    assert f"95 % by {record.unit}" in [column.title for column in tables["classes"].columns]


def test_videos_alone_can_reach_all_of_weighted_f1(run):
    rows = video_rows(run(AH).record)
    assert (rows["possible"] == 1).all()


@every_level
def test_contract_holds_at_each_level(tmp_path, task):
    data = levels_data(task, tmp_path / "data")
    (tmp_path / "model").mkdir()
    promises = broken_promises(random_entry(task), data, settings_in(tmp_path), tmp_path / "model")
    assert promises == ["predict() before fit() must raise SolutionError"]


@pytest.mark.parametrize(
    ("task", "values", "words"),
    [
        (EMI, np.array([[0.1, 0.2, 0.3, 0.4, 0.5, -0.1]]), r"decisions outside \[0, 1\]"),
        (EMI, np.full((4, 6), 0.5), r"scores must be float32 \(1, 6\)"),
        (AHV, np.array([2]), r"decisions outside \[0, 1\]"),
        (AHV, np.array([0, 1]), r"scores must be float32 \(1, 2\)"),
    ],
)
def test_answers_of_another_range_or_length_are_refused(task, values, words):
    scores = np.full((len(values), task.n_outputs), 0.5, np.float32)
    answer = Predictions(task, {"v": VideoPrediction(scores, values)})
    with pytest.raises(SolutionError, match=words):
        answer.check({"v": 1})


@pytest.mark.parametrize("task", [AH, AHV], ids=lambda task: task.name)
def test_folds_keep_videos_of_a_person_together(tmp_path, task):
    data = levels_data(task, tmp_path / "data")
    found = cross_validate(random_entry(task), data, settings_in(tmp_path), folds=3)
    folds: dict[str, set[int]] = {}
    for name, fold in found.fold.items():
        folds.setdefault(name.split("/")[0], set()).add(fold)
    assert all(len(own) == 1 for own in folds.values())
    assert {fold for own in folds.values() for fold in own} == {0, 1, 2}
    assert found.card.units.number == len(folds) == 15


def test_folds_of_intensities_deal_videos(tmp_path):
    data = levels_data(EMI, tmp_path / "data")
    found = cross_validate(random_entry(EMI), data, settings_in(tmp_path), folds=5)
    assert np.bincount(list(found.fold.values())).tolist() == [15] * 5


def test_fold_sizes_count_rows_of_groups():
    fold = assign_folds(["p", "p", "q", "r"], [1, 1, 1, 1], 2)
    assert fold[0] == fold[1] != fold[2] == fold[3]


def test_fingerprint_of_the_labels_tells_persons_apart(tmp_path):
    data = levels_data(AH, tmp_path / "data")
    nameless = replace(data, splits={"val": tuple(replace(v, person="") for v in data.videos("val"))})
    assert nameless.fingerprint("val") != data.fingerprint("val")


def test_fingerprint_of_intensities_does_not_count_images(tmp_path):
    data = levels_data(EMI, tmp_path / "data")
    cut = replace(data, splits={"val": tuple(replace(v, n_frames=v.n_frames + 1) for v in data.videos("val"))})
    assert cut.fingerprint("val") == data.fingerprint("val")


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("82711/Visite 1/82711 x.mp4", "82711"),
        ("Videos/82711/Visite_1/a.mp4", "82711"),
        ("a.mp4", ""),
        ("Videos/a.mp4", ""),
    ],
)
def test_person_is_the_first_folder_of_a_name(name, person):
    assert person_of_name(name) == person
