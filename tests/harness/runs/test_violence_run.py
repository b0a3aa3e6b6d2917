"""A run whose task has a file a video: written, checked, packed, scored, sent and shown."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.cli.report import print_run
from harness.datasets.open import open_dataset
from harness.errors import SolutionError, SubmissionError
from harness.files.archives.fingerprint import fingerprint
from harness.files.archives.pack import pack
from harness.files.checking.submission import validate
from harness.files.score import score_file
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.records.run import RunRecord, official_files
from harness.records.scores import SCORES_FILE
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.rebuild import rebuild
from harness.store.store import Store
from harness.tasks import VD


class Alternating:
    """Every other frame is violent."""

    task = VD
    name = "vd/alternating"

    def describe(self):
        return {}

    def fit(self, data, *, seed):
        pass

    def predict(self, data, split):
        videos = {}
        for video in data.videos(split):
            decisions = np.arange(video.n_frames) % 2
            videos[video.name] = VideoPrediction(np.eye(2, dtype=np.float32)[decisions], decisions)
        return Predictions(VD, videos)

    def save(self, folder):
        pass


@pytest.fixture
def settings(tmp_path) -> Settings:
    out = tmp_path / "submissions"
    return Settings(out=out, store=out / "results.duckdb", cache=tmp_path / "cache", device="cpu")


@pytest.fixture
def run(settings, tiny_dvd_once):
    def call(split: str, root: Path = tiny_dvd_once, **options):
        entry = SolutionEntry(Alternating.name, VD, "", create=lambda given: Alternating())
        return run_solution(entry, open_dataset(root, VD), split, settings, **options)

    return call


def test_a_validation_run_has_a_file_a_video_and_a_score(run, settings):
    finished = run("val")
    data = open_dataset(Path(finished.record.data["root"]), VD)
    names = [video.name for video in data.videos("val")]
    assert finished.submission == finished.folder / "predictions"
    assert sorted(p.name for p in finished.submission.iterdir()) == [f"{name}.csv" for name in names]
    lines = (finished.submission / f"{names[0]}.csv").read_text().splitlines()
    assert lines[:3] == ["Frame_Number,Label", "1,0", "2,1"]
    assert len(lines) == data.videos("val")[0].n_frames + 1
    assert set(finished.record.files) == {*(f"predictions/{name}.csv" for name in names), SCORES_FILE}
    assert finished.record.data["frames_without_picture"] == 6  # as drawn
    stored = Store(settings.store).runs()
    assert stored.value.item() == finished.record.score()["value"]


def test_a_test_run_has_the_templates_rows_and_headers(run, tiny_dvd):
    template = sorted((tiny_dvd / "Expected_Output_Files").iterdir())[1]
    header, *rows = template.read_text().splitlines()
    template.write_text("\n".join(["Frame_Num,Label", *rows[::-1], ""]))
    finished = run("test", tiny_dvd)
    first, second = sorted(finished.submission.iterdir())
    assert second.name == template.name
    assert first.read_text().splitlines()[0] == header
    ours = second.read_text().splitlines()
    assert ours[0] == "Frame_Num,Label"
    assert [row.split(",")[0] for row in ours[1:]] == [row.split(",")[0] for row in rows[::-1]]
    assert all(int(row.split(",")[1]) == (int(row.split(",")[0]) - 1) % 2 for row in ours[1:])
    assert validate(finished.submission, task="VD", template=tiny_dvd / "Expected_Output_Files").valid


def test_file_with_other_header_than_template_is_invalid(run, tiny_dvd):
    finished = run("test", tiny_dvd)
    template = next((tiny_dvd / "Expected_Output_Files").iterdir())
    template.write_text(template.read_text().replace("Frame_Number,Label", "Frame_Num,Label"))
    errors = validate(finished.submission, task="VD", template=template.parent).errors
    assert [(e.code, Path(e.where).name, e.line) for e in errors] == [("header", f"predictions!{template.name}", 1)]


def test_file_with_every_second_frame_missing_is_doubted(run):
    finished = run("val")
    report = validate(finished.submission, task="VD")
    assert [(p.code, p.severity) for p in report.problems] == [("parity", "warning")]
    assert "frames with label 1 have even numbers: was every other frame left out?" in report.problems[0].message
    path = next(finished.submission.iterdir())
    path.write_text(path.read_text().replace("\n1,0\n", "\n1,1\n"))
    assert validate(finished.submission, task="VD").problems == []


def test_a_run_packs_into_a_flat_zip_that_is_valid(run, tiny_dvd_once, tmp_path):
    finished = run("test")
    packed = pack(official_files(finished.folder), tmp_path / "out.zip")
    with zipfile.ZipFile(packed.path) as archive:
        assert archive.namelist() == sorted(p.name for p in finished.submission.iterdir())
    assert validate(packed.path, task="VD", template=tiny_dvd_once / "Expected_Output_Files").valid
    assert fingerprint(packed.path).content == fingerprint(finished.submission).content
    for place in (packed.path, finished.submission):
        card, notes = score_file(place, VD, tiny_dvd_once / "held_out")
        assert 0.3 < card.headline.value < 0.7
        assert notes == []


def test_repeated_command_finds_its_run_changed_file_is_refused(run):
    first = run("val")
    assert run("val").reused
    path = next(first.submission.iterdir())
    path.write_text(path.read_text().replace(",0", ",1"))
    with pytest.raises(SolutionError, match=rf"{path.name}: this file is not what the run wrote; found a changed file"):
        run("val")
    with pytest.raises(SubmissionError, match="not what the run wrote"):
        official_files(first.folder)
    assert not run("val", fresh=True).reused


def test_the_store_is_rebuilt_from_its_folder(run, settings):
    finished = run("val")
    settings.store.unlink()
    assert rebuild(Store(settings.store), settings.out).recorded == 1
    assert Store(settings.store).runs().run_id.tolist() == [finished.record.run_id]


def test_it_is_shown_with_its_folder_and_the_words_of_its_task(run, capsys):
    finished = run("val")
    print_run(RunRecord.read(finished.folder), finished.folder)
    shown = capsys.readouterr().out
    assert "6 without a picture (predicted all the same)" in shown
    assert f"{finished.folder}/predictions/ (3 files)" in shown
    assert "crop" not in shown


def test_a_score_of_somebody_elses_folder_is_kept(run, tiny_dvd_once, tmp_path, abaw):
    sent = run("val").submission.rename(tmp_path / "sent")
    labels = tiny_dvd_once / "Validation" / "annotations"
    done = abaw("score", sent, "--labels", labels, "--record", "--name", "theirs", "--json")
    assert done.returncode == 0, done.stderr
    folder = Path(json.loads(done.stdout)["folder"])
    record = RunRecord.read(tmp_path / folder)
    assert (record.task, record.split, record.data["name"]) == ("VD", "val", "abaw-synth-dvd")
    assert {Path(name).parent.as_posix() for name in record.files} == {"predictions"}


def test_a_zip_that_was_sent_is_known_by_its_run(run, tmp_path, abaw, settings):
    finished = run("test")
    packed = pack(official_files(finished.folder), tmp_path / "out.zip")
    done = abaw("slots", "send", packed.path, "--task", "VD", "--json", "--out", settings.out)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run_id"] == finished.record.run_id
