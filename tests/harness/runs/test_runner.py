"""The runner with a solution of a third party: one folder a run, whole or not at all, found again by what made it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.errors import DataError, SolutionError, StoreBusyError, UsageError
from harness.plugins.interface import SolutionEntry
from harness.records.failure import Failure, failure_files
from harness.records.scores import SCORES_FILE
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from harness.tasks import EXPR
from tests.support.constant import Constant


@pytest.fixture
def settings(tmp_path) -> Settings:
    out = tmp_path / "submissions"
    return Settings(out=out, store=out / "results.duckdb", cache=tmp_path / "cache")


@pytest.fixture
def run(settings, tree):
    """Runs a constant on a small data set, one video of which has an awkward name."""
    tree.labels("train", "a", [0, 1, 2])
    tree.labels("val", "file", [4, 4, -1, 3])
    tree.labels("val", "c_left", [4, 0])
    for video in ("a", "file", "c_left"):
        tree.crops(video, [1, 2])
    tree.template({"t": 3, "s_right": 2})

    def call(answer: int = 4, split: str = "val", device: str = "cpu", weights: str = "pretrained", **options):
        entry = SolutionEntry(Constant.name, EXPR, "", create=lambda given: Constant(given, answer))
        data = open_affwild2(tree.root, EXPR)
        return run_solution(entry, data, split, replace(settings, device=device, weights=weights), **options)

    return call


def test_images_of_every_second_frame_are_noted_in_the_run(run, tree):
    for name in ("x", "y"):
        tree.labels("train", name, [0] * 40)
        tree.crops(name, range(1, 41, 2))
    assert any("only every second frame has a crop" in note for note in run().record.notes)


def test_a_run_is_files_a_record_and_a_row_in_the_store(run, settings):
    finished = run()
    assert finished.submission.read_text().splitlines()[1:3] == ["c_left/00001.jpg,4", "c_left/00002.jpg,4"]
    with np.load(finished.folder / SCORES_FILE) as scores:
        assert {name: values.shape for name, values in scores.items()} == {"c_left": (2, 8), "file": (4, 8)}
    assert Constant.load(finished.folder / "model").answer == 4
    stored = Store(settings.store).runs()
    assert stored.run_id.tolist() == [finished.record.run_id]
    assert stored.value.item() == finished.record.score()["value"] == pytest.approx(0.75 / 8)
    assert stored.constant.item() == pytest.approx(stored.value.item())


def test_the_same_command_finds_its_run_and_fresh_makes_it_anew(run):
    first, second, third = run(), run(), run(fresh=True)
    assert (first.reused, second.reused, third.reused) == (False, True, False)
    assert first.folder == second.folder == third.folder


def test_a_seed_an_option_or_the_split_makes_another_run(run):
    assert len({run().folder, run(seed=1).folder, run(answer=3).folder, run(split="test").folder}) == 4


def test_random_weights_make_another_run_which_says_so(run):
    pretrained, untrained = run(), run(weights="random")
    assert pretrained.folder != untrained.folder
    assert not any("random" in note for note in pretrained.record.notes)
    assert "the score says nothing of the solution" in untrained.record.notes[-1]


def test_auto_is_the_run_of_the_device_that_it_stands_for(run):
    assert run(device="cpu").folder == run(device="auto").folder


def test_failed_run_leaves_a_note_and_success_removes_it(run, settings):
    with pytest.raises(SolutionError) as error:
        run(answer=99)
    with pytest.raises(SolutionError):
        run(answer=99)
    (note,) = failure_files(settings.out)
    assert Failure.read(note).reason == str(error.value)
    (failed,) = Store(settings.store).failures()
    assert (failed["name"], failed["kind"], failed["file"]) == (Constant.name, "SolutionError", str(note.resolve()))
    assert Store(settings.store).runs().empty
    run()
    assert failure_files(settings.out) == []
    assert not Store(settings.store).failures()


def test_library_error_is_noted_and_interrupt_is_not(run, settings, monkeypatch):
    def broken(error):
        def fit(self, data, *, seed):
            raise error

        return fit

    monkeypatch.setattr(Constant, "fit", broken(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run()
    assert failure_files(settings.out) == []
    monkeypatch.setattr(Constant, "fit", broken(RuntimeError("CUDA out of memory")))
    with pytest.raises(RuntimeError):
        run()
    assert [(row["kind"], row["reason"]) for row in Store(settings.store).failures()] == [
        ("RuntimeError", "CUDA out of memory")
    ]


def test_a_failure_is_told_even_where_its_note_cannot_be_written(run, settings):
    settings.out.mkdir()
    (settings.out / "EXPR").write_text("a file where a folder belongs")
    with pytest.raises(SolutionError, match="decisions outside"):
        run(answer=99)


def test_a_device_that_is_not_there_is_found_before_any_work(run, settings):
    with pytest.raises(UsageError, match="device 'gpu' can't be used"):
        run(device="gpu")
    assert not settings.out.exists()


def test_a_test_run_follows_the_template_and_has_no_score(run):
    finished = run(split="test")
    assert [line.split("/")[0] for line in finished.submission.read_text().splitlines()[1:]] == ["t"] * 3 + [
        "s_right"
    ] * 2
    assert finished.record.scores == []


def test_decisions_outside_classes_are_refused_without_traces(run, settings):
    with pytest.raises(SolutionError, match=r"video c_left: decisions outside \[0, 7\]"):
        run(answer=8)
    assert nothing_but_the_note(settings)


def test_a_solution_that_fails_to_save_leaves_nothing(run, settings, monkeypatch):
    def full(self, folder):
        (folder / "answer.txt").write_text("half")
        raise SolutionError("no")

    monkeypatch.setattr(Constant, "save", full)
    with pytest.raises(SolutionError):
        run()
    assert nothing_but_the_note(settings)


def nothing_but_the_note(settings) -> bool:
    (task,) = (path for path in settings.out.iterdir() if path.is_dir())
    return [path.name for path in task.iterdir()] == ["failed"] and len(failure_files(settings.out)) == 1


def test_a_record_that_cannot_be_read_says_what_to_do(run):
    path = run().folder / "run.json"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match=r"run\.json: not a readable run record.*--fresh"):
        run()
    assert not run(fresh=True).reused
    assert json.loads(path.read_text())["status"] == "complete"


def test_a_store_that_is_busy_loses_no_run(run, settings, monkeypatch):
    run(seed=1)
    monkeypatch.setattr("harness.store.store.connect", _busy)
    with pytest.raises(StoreBusyError):
        run(seed=0)
    monkeypatch.undo()
    assert len(Store(settings.store).runs()) == 1
    assert run(seed=0).reused
    assert len(Store(settings.store).runs()) == 2


def _busy(*_, **__):
    raise StoreBusyError("held")


def test_what_an_earlier_kill_left_is_swept(run, settings):
    left = settings.out / "EXPR" / f"{PARTIAL}constant-val-1234"
    (left / "model").mkdir(parents=True)
    os.utime(left, (time.time() - 90_000,) * 2)
    run()
    assert not left.exists()


def test_the_store_is_a_file_that_duckdb_alone_can_read(run, settings):
    run()
    with duckdb.connect(str(settings.store), read_only=True) as db:
        assert db.execute("SELECT count(*) FROM video_statistics").fetchone() == (2,)


def test_a_solution_of_one_file_counts_with_its_source(run, monkeypatch, tmp_path):
    (tmp_path / "lone_solution.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Constant, "__module__", "lone_solution")
    before = run().record.run_id
    (tmp_path / "lone_solution.py").write_text("A = 2\n")
    from harness.system.provenance import source_digest

    source_digest.cache_clear()
    assert run().record.run_id != before


def test_folder_names_hold_no_surprises(run):
    assert run().folder.name.startswith("constant-val-s0-")
    assert {p.name for p in Path(run().folder).iterdir()} == {
        "predictions.txt", "scores.npz", "run.json", "statistics.json", "model",
    }  # fmt: skip
