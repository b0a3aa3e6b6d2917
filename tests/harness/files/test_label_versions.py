"""Two versions of the labels under one name: what may be ranked, averaged, blended and compared, and what may not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from harness.board.rankings import Ranking, beside_published, rankings, same_labels
from harness.board.seeds import summarise
from harness.cli.main import cli
from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError
from harness.files.score import score_submission
from harness.records.run import IMAGES, LEARNED_FROM
from harness.runs.blend import blend_parts, with_test_runs
from harness.runs.external import record_scored
from harness.settings import Settings
from harness.store.store import Store, TableRows
from harness.tasks import AU, EXPR, TASKS, VA, Task
from tests.support.data_trees import Tree
from tests.support.label_versions import CASES, Versions, write_versions
from tests.support.records import make_record


@pytest.fixture(params=list(CASES))
def versions(request, tmp_path) -> Versions:
    return CASES[request.param](tmp_path)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "submissions" / "results.duckdb")


def abaw(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], env={"COLUMNS": "120"})
    if done.exception:
        raise done.exception
    return done.stdout


# --- terminal


def test_terminal_two_versions_have_a_table_each(versions, store):
    old, new = (versions.record(store.path, version) for version in ("old", "new"))
    _, *tables = abaw("runs").split("EXPR val: expression recognition, example, labels ")
    assert len(tables) == 2
    for run in (old, new):
        (own,) = (part for part in tables if part.startswith(run.data["fingerprint"][:8]))
        assert [line.split()[:2] for line in own.splitlines() if "  our-cnn " in line] == [["1", "our-cnn"]]
        assert f"{run.score()['value']:.3f}" in own
        assert "(2 videos, " in own
        assert "Scores on different labels can't be compared: left out are 1 run on labels" in own
    assert versions.difference in tables[0]


def test_terminal_one_version_has_one_table(versions, store):
    for name in ("a", "b"):
        versions.record(store.path, "old", name)
    text = abaw("runs")
    assert text.count("EXPR val: expression recognition, example") == 1
    assert "left out" not in text


def test_compare_different_labels_is_refused(versions, store):
    old, new = (versions.record(store.path, version) for version in ("old", "new"))
    with pytest.raises(DataError, match="can't be compared"):
        abaw("compare", old.run_id, new.run_id)


def test_terminal_same_labels_elsewhere_are_named(tmp_path, store):
    versions = write_versions(tmp_path)
    versions.record(store.path, "old")
    moved = Path(shutil.copytree(tmp_path / "root_old", tmp_path / "moved"))
    (moved / "DATASET.toml").write_text('name = "moved"\n')
    labels = moved / versions.labels["old"].relative_to(tmp_path / "root_old")
    replace(versions, labels={"old": labels}).record(store.path, "old", "another")
    text = abaw("runs")
    assert "1 run on the same labels" in text
    assert text.count("EXPR val: ") == 2


# --- what a ranking is


def runs_on(*rows: tuple[str, int, int, float | None], counts: Sequence[int | None] = ()) -> TableRows:
    """Runs given by fingerprint, videos, version of the metric and score, the newest first.

    Args:
        counts: labelled frames of each.
    """
    board = {"task": "EXPR", "split": "val", "data_name": "x", "frames": 10}
    columns = ("data_fingerprint", "videos", "metric_version", "value")
    return [
        dict(zip(columns, row, strict=True))
        | board
        | {"run_id": f"run-{k}", "created": datetime(2026, 11, 22, tzinfo=UTC) - timedelta(k), "labelled_frames": count}
        for k, (row, count) in enumerate(zip(rows, counts or [9] * len(rows), strict=True))
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("a" * 64, 2, 1, 0.5), ("a" * 64, 2, 1, 0.4)], {"aaaaaaaa": ("run-0", "run-1")}),
        ([("a" * 64, 2, 1, 0.5), ("b" * 64, 2, 1, 0.4)], {"aaaaaaaa": ("run-0",), "bbbbbbbb": ("run-1",)}),
        (
            [("a" * 64, 2, 2, 0.5), ("a" * 64, 2, 1, 0.4)],
            {"aaaaaaaa-metric2": ("run-0",), "aaaaaaaa-metric1": ("run-1",)},
        ),
        ([("a" * 64, 2, 1, 0.5), ("b" * 64, 2, 1, None)], {"aaaaaaaa": ("run-0",)}),
        ([("a" * 64, 2, 1, None)], {}),
    ],
    ids=["same labels", "other labels", "other metric", "no score", "no score at all"],
)
def test_rankings_are_runs_on_the_same_labels(rows, expected):
    found = rankings(runs_on(*rows), "EXPR", "val", "x")
    assert {ranking.labels: ranking.run_ids for ranking in found} == expected


@pytest.mark.parametrize(
    ("counts", "together"),
    [((9, 9), True), ((9, 8), False), ((9, None), True), ((None, None), True)],
    ids=str,
)
def test_rankings_another_count_tells_other_labels(counts, together):
    runs = runs_on(("a" * 64, 2, 1, 0.5), ("a" * 64, 2, 1, 0.4), counts=counts)
    assert (len(rankings(runs, "EXPR", "val", "x")) == 1) == together
    assert same_labels(runs, "run-0") == [True, together]


def test_rankings_unknown_labels_are_shared_with_none():
    found = rankings(runs_on(("", 2, 1, 0.5), ("", 2, 1, 0.4)), "EXPR", "val", "x")
    assert [len(ranking.run_ids) for ranking in found] == [1, 1]
    assert len({ranking.labels for ranking in found}) == 2


def test_rankings_a_hostile_fingerprint_gets_a_plain_name():
    (found,) = rankings(runs_on(("[a](javascript:x)", 2, 1, 0.5)), "EXPR", "val", "x")
    assert found.labels.isalnum()


@pytest.mark.parametrize(
    ("versions", "joined"),
    [
        ([("a", 70)], 0), ([("a", 70), ("b", 70)], None), ([("a", 68), ("b", 70)], 1),
        ([("a", 70), ("b", 70), ("c", 68)], None), ([], None),
    ],
)  # fmt: skip
def test_published_results_join_what_may_be_official(versions, joined):
    found = [Ranking(name, name, videos, 9, 9, 1, (name,)) for name, videos in versions]
    assert beside_published(found) == (None if joined is None else found[joined])


# --- one identity for the same labels


def write_labels(root: Path, task: Task) -> Path:
    """Labels of videos whose names sort in another order than their files do."""
    names, tree = ("a", "a-b", "a_left", "B"), Tree(root)
    if task.name == "VD":
        folder = root / "Validation" / "annotations"
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.csv").write_text("Frame_Number,Label\n1,0\n3,1\n")
        return folder
    row = {"EXPR": "3", "VA": "0.25,-1", "AU": ",".join("01" * 6)}[task.name]
    paths = [tree.labels("val", name, [row, row, row], task=task) for name in names]
    tree.crops("a", [1])
    return paths[0].parent


# tasks with a label file per video; those with one table are in test_score_tasks.py
BY_VIDEO = [task for task in TASKS.values() if task.annotation_folders]


@pytest.mark.parametrize("task", BY_VIDEO, ids=lambda task: task.name)
def test_scored_file_has_the_identity_of_a_run(task, tmp_path):
    labels, header = write_labels(tmp_path / "data", task), task.submission_header
    answer = {"EXPR": "3", "VA": "0.5,0.5", "AU": ",".join("01" * 6), "VD": "1"}[task.name]
    path = tmp_path / "predictions"
    if task.name == "VD":
        path.mkdir()
        for name in ("a", "a-b", "a_left", "B"):
            (path / f"{name}.csv").write_text(f"Frame_Number,Label\n1,{answer}\n2,{answer}\n3,{answer}\n")
    else:
        rows = [f"{name}/{k:05d}.jpg,{answer}" for name in ("a", "a-b", "a_left", "B") for k in (1, 2, 3)]
        path.write_text("\n".join([header, *rows, ""]))
    settings = Settings(out=tmp_path / "out", store=tmp_path / "results.duckdb")
    run = record_scored(score_submission(path, labels, task=task.name), path, labels, settings, name="a file").record
    data = open_dataset(tmp_path / "data", task)
    assert run.split == "val"
    assert run.data["fingerprint"] == data.fingerprint("val")
    assert run.data["name"] == data.name


def test_scored_file_of_an_older_metric_is_scored_again(tmp_path, store):
    versions = write_versions(tmp_path)
    first = versions.record(store.path, "old")
    folder = next(store.path.parent.rglob(first.run_id))
    replace(first, scores=[{**row, "version": 0} for row in first.scores]).write(folder)
    assert versions.record(store.path, "old").score()["version"] == first.score()["version"]


# --- seeds, blends, twins


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"fingerprint": "e" * 64}}, {"data": {LEARNED_FROM: "e" * 64}}, {"data": {IMAGES: "e" * 64}},
        {"provenance": {"weights": "random"}}, {"provenance": {"source": "e" * 64}},
    ],
    ids=str,
)  # fmt: skip
def test_setup_differs_with_whatever_decides_the_result(changes):
    whole = make_record(
        data={"name": "x", "fingerprint": "f" * 64, LEARNED_FROM: "f" * 64, IMAGES: "f" * 64},
        provenance={"weights": "pretrained", "source": "f" * 64},
    )
    other = replace(whole, seed=1, **{key: {**getattr(whole, key), **own} for key, own in changes.items()})
    assert replace(whole, seed=1).setup == whole.setup != other.setup


def test_mean_over_seeds_on_different_labels_is_refused():
    runs = [make_record(str(digit), data={**make_record().data, "fingerprint": digit * 64}) for digit in "ef"]
    with pytest.raises(DataError, match="runs on different labels have no mean; found labels eeeeeeee, ffffffff"):
        summarise(runs)


def test_setup_of_an_earlier_record_stays():
    assert make_record().setup.startswith("862a37ddeb63")


def test_blend_parts_on_different_labels_are_refused(tmp_path):
    for name, digit in (("a", "f"), ("b", "e")):
        make_record(name, data={**make_record().data, "fingerprint": digit * 64}).write(tmp_path / name)
    blend_parts([tmp_path / "a", tmp_path / "a"], EXPR)
    with pytest.raises(SolutionError, match=r"b can't be blended with a: .*found labels eeeeeeee, expected labels ff"):
        blend_parts([tmp_path / "a", tmp_path / "b"], EXPR)


@pytest.mark.parametrize(
    ("learned", "expected"),
    [({"old": "e", "new": "f"}, "new"), ({"new": "e", "old": "f"}, "old"), ({"old": "", "new": ""}, "new")],
    ids=["the newest", "the one that learned the same", "nobody knows"],
)
def test_blend_twin_on_test_learned_from_the_same_labels(learned, expected, tmp_path):
    own = make_record("val", data={**make_record().data, LEARNED_FROM: "f" * 64})
    own.write(tmp_path / "val")
    for name, digit in learned.items():
        data = {**own.data, LEARNED_FROM: digit * 64} if digit else make_record().data
        created = f"2026-0{2 if name == 'old' else 3}-01T00:00:00+00:00"
        make_record(name, split="test", data=data, created=created).write(tmp_path / name)
    (part,) = with_test_runs(blend_parts([tmp_path / "val"], EXPR), [tmp_path / name for name in sorted(learned)])
    assert part.folders["test"].name == expected


def test_labels_of_another_version_are_refused_by_name(tmp_path):
    versions = write_versions(tmp_path)
    for root in (tmp_path / "root_old", tmp_path / "root_new"):
        Tree(root).crops("vx", [1])
    old, new = (open_dataset(tmp_path / f"root_{name}", EXPR) for name in ("old", "new"))
    old.require_labels("val", old.fingerprint("val"), "run-a")
    with pytest.raises(DataError, match="run-a was scored on other labels than those of example val"):
        new.require_labels("val", old.fingerprint("val"), "run-a")
    assert versions.labels.keys() == {"old", "new"}


# --- stores of earlier versions


def as_version_4(path: Path) -> None:
    """Take away what migration 5 adds."""
    with duckdb.connect(str(path)) as db:
        db.execute("ALTER TABLE runs DROP COLUMN labelled_frames")
        db.execute("DELETE FROM schema_version WHERE version > 4")


def test_store_of_version_4_learns_how_many_labels(tmp_path, store):
    versions = write_versions(tmp_path)
    for version in ("old", "new"):
        versions.record(store.path, version)
    as_version_4(store.path)
    before = rankings(store.run_rows(), "EXPR", "val", "example")
    assert [ranking.size for ranking in before] == ["2 videos, 80 frames"] * 2
    store.record([])
    after = rankings(store.run_rows(), "EXPR", "val", "example")
    assert {ranking.size for ranking in after} == {"2 videos, 80 labelled frames", "2 videos, 79 labelled frames"}
    assert (store.path.parent / "results.duckdb.schema-4.copy-1").exists()


@pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)
@pytest.mark.parametrize("statistics", [{}, {"v": [1.0]}, {"v": [1.0, 2.0], "w": [1.0]}], ids=str)
def test_store_statistics_that_tell_no_labels_give_none(task, statistics, tmp_path):
    store = Store(tmp_path / "results.duckdb")
    store.record([(make_record(task=task.name, statistics={"headline": statistics}), tmp_path)])
    assert store.runs()["labelled_frames"].isna().all()
