"""Names of videos, runs and files: none that comes from a file leads out of the folder that it belongs to."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets.dataset import Dataset, Video
from harness.datasets.dvd import open_dvd
from harness.errors import DataError, SubmissionError, UsageError
from harness.files.formats import FORMATS
from harness.files.labels.by_frame import read_frame_labels
from harness.files.labels.text import read_labels
from harness.files.template import read_template
from harness.files.video_templates import read_video_templates
from harness.plugins import registry
from harness.plugins.interface import SolutionEntry, SolutionList
from harness.records.run import RunRecord, official_files, recorded_file, submission_of
from harness.runs.finished import slug
from harness.system.names import LONGEST, inside, require_name, unusable
from harness.system.provenance import sha256_of
from harness.tasks import EXPR
from tests.support.records import make_record

PLAIN = ["1-30-1280x720", "video2_left", "a b", "vidéo", "录像 1", "82683/Visite_1/q1.mp4", "x" * LONGEST]
BAD = ["", "..", ".", "../a", "a/..", "a/../b", "/a", "a//b", "a/", "C:a", "C:\\a", "a\\b", ".a", "a/.b", " a", "a ",
       "a\n", "a\tb", "\x1b[31m", "a\u202eb", "a\0b", "x" * (LONGEST + 1), "\udc80"]  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_names_that_people_give_are_usable(name, tmp_path):
    assert unusable(name) == ""
    assert inside(tmp_path, name, ".json") == tmp_path / f"{name}.json"


@pytest.mark.parametrize("name", BAD)
def test_name_that_leads_elsewhere_is_refused_and_shown(name, tmp_path):
    assert unusable(name)
    with pytest.raises(DataError, match="this can't be the name of a file") as caught:
        inside(tmp_path, name, ".json")
    assert str(caught.value).isprintable()


@given(
    st.lists(st.sampled_from(["a", "b.c", "..", ".", "", "~", "C:", "\\", " ", "é", "\n"]), max_size=6).map("/".join)
)
def test_usable_name_stays_below_its_folder_on_any_system(name):
    if not unusable(name):
        for ending in ("", ".json", ".embeddings.npy"):
            path = Path("/top/folder") / f"{name}{ending}"
            assert Path(os.path.normpath(path)).is_relative_to("/top/folder")
            assert os.path.normpath(path) == str(path)
        assert "\\" not in name
        assert ":" not in name[:2]


def test_an_error_names_what_bears_the_name_and_what_to_do():
    with pytest.raises(UsageError) as caught:
        require_name("../x", "blend", kind=UsageError, do="Give another --name")
    assert str(caught.value) == (
        "this can't be the name of a blend: a path that leads out of its folder; found '../x', expected a plain name. "
        "Give another --name."
    )


# Where names are read


@pytest.mark.parametrize("name", [".a", "a\n", "a ", "C:a"])
def test_label_file_with_such_a_name_is_refused(tmp_path, name):
    path = tmp_path / f"{name}.txt"
    path.write_text(f"{EXPR.header}\n1\n")
    with pytest.raises(DataError, match=r"can't be the name of a video(.|\n)*Rename this label file"):
        read_labels(path, EXPR)
    table = tmp_path / f"{name}.csv"
    table.write_text("Frame_Number,Label\n1,0\n")
    with pytest.raises(DataError, match="can't be the name of a video"):
        read_frame_labels(table)


@pytest.mark.parametrize("name", ["../a", "/a", "..", "_left", "a\\b"])
def test_data_set_with_such_a_video_is_refused(name):
    with pytest.raises(DataError, match=r"^d: this can't be the name of a video"):
        Dataset("d", Path("d"), EXPR, {"test": [Video("fine", 3), Video(name, 3)]})


@pytest.mark.parametrize("name", ["../a", "/home/a", "..", "a\\b", "x" * 300])
def test_template_with_such_a_video_is_refused_for_every_format(tmp_path, name):
    rows = {
        "EXPR": f"{name}/00001.jpg,0",
        "VA": f"{name}/00001.jpg,0,0",
        "AH-frames": f"{name}/q.mp4/frame-0.jpg,0",
    }
    for kind, row in rows.items():
        path = tmp_path / f"{kind}.txt"
        path.write_text("\n".join([*([FORMATS[kind].header] if FORMATS[kind].header else []), row, ""]))
        with pytest.raises(SubmissionError):
            read_template(path, FORMATS[kind])


@pytest.mark.parametrize("member", ["../a.csv", "/a.csv", "...csv", ".a.csv"])
def test_violence_templates_with_such_a_name_are_refused(tmp_path, tiny_dvd_once, member):
    path = tmp_path / "expected.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "Frame_Number,Label\n1,\n")
    with pytest.raises(SubmissionError):
        read_video_templates(path, FORMATS["VD"])
    with pytest.raises(SubmissionError):
        open_dvd(tiny_dvd_once, template=path)


def test_solution_of_a_package_with_such_a_name_is_left_out(monkeypatch, caplog):
    entries = [SolutionEntry(name, EXPR, "", lambda settings: None) for name in ("../x", "expr/\x1b[2J", "expr/fine")]
    monkeypatch.setattr(registry, "providers", lambda: (SolutionList(entries),))
    registry.solution_entries.cache_clear()
    try:
        assert [*registry.solution_entries()] == ["expr/fine"]
    finally:
        monkeypatch.undo()
        registry.solution_entries.cache_clear()
    assert len(caplog.records) == 2
    assert all(record.getMessage().isprintable() for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("expr/a b", "a-b"),
        ("expr/..", "run"),
        ("expr/.x", "x"),
        ("x" * 300, "x" * 100),
        ("日本", "run"),
        ("a.b-", "a.b"),
    ],
)
def test_a_runs_id_never_hides_its_folder(name, expected):
    assert slug(name) == expected


# What records name


@pytest.fixture
def lured(tmp_path) -> tuple[Path, RunRecord]:
    """A run's folder whose record names a file outside, which is what the record says."""
    (tmp_path / "private.txt").write_text("secret\n")
    digest = sha256_of(tmp_path / "private.txt")
    folder = tmp_path / "run"
    record = replace(make_record("run"), files={"../private.txt": digest, str(tmp_path / "private.txt"): digest})
    folder.mkdir()
    record.write(folder)
    return folder, record


def test_file_of_a_record_outside_its_folder_is_never_opened(lured):
    folder, record = lured
    assert submission_of(record.files, folder) == folder
    for name in record.files:
        with pytest.raises(DataError, match="the record names a file that no run has"):
            recorded_file(folder, name)
    with pytest.raises(DataError, match="the record names a file that no run has"):
        official_files(folder)


# Commands


def test_template_of_a_submission_replaces_no_file_elsewhere(abaw, drawn_once, tmp_path):
    own = tmp_path / "mine" / "x"
    own.parent.mkdir()
    for ending in (".json", ".embeddings.npy"):
        own.with_name(f"x{ending}").write_text("my own")
    rows = next((drawn_once / "test_set_examples").glob("*Expr*")).read_text().splitlines()
    for name in (str(own), f"../../../../mine/{own.name}"):
        template = tmp_path / "CVPR_6th_ABAW_Expr_test_set_example.txt"
        template.write_text("\n".join([rows[0], f"{name}/00001.jpg,0", ""]))
        for command in (("submit", "expr/tiny-mlp-smooth"), ("slots", "send", template, "--task", "EXPR")):
            data = ("--data", drawn_once) if command[0] == "submit" else ()
            done = abaw(*command, *data, "--template", template)
            assert done.returncode == 1, done.stderr
            assert "Traceback" not in done.stderr
            assert "not a row of a template" in done.stderr + done.stdout
    assert sorted(path.name for path in own.parent.iterdir()) == ["x.embeddings.npy", "x.json"]
    assert {path.read_text() for path in own.parent.iterdir()} == {"my own"}


@pytest.mark.parametrize("run_id", ["../private", "/etc", "..", "a/../../b"])
def test_run_id_of_a_command_is_looked_up_and_no_path(abaw, tmp_path, run_id):
    outside = tmp_path / "private"
    outside.mkdir()
    make_record("private").write(outside)
    (tmp_path / "submissions" / "EXPR").mkdir(parents=True)
    for command in (("show",), ("sweep",), ("blend", "other", "--task", "EXPR")):
        done = abaw(command[0], run_id, *command[1:])
        assert done.returncode == 2, done.stderr
        assert "unknown run" in done.stderr


def test_encoder_and_blend_with_such_a_name_are_refused(abaw, drawn_once):
    for encoder in ("precomputed:../../x", "precomputed:/x", "timm:../x", "frames:../x", "../x"):
        done = abaw("extract", encoder, "--data", drawn_once)
        assert done.returncode in (1, 2), done.stderr
        assert "Traceback" not in done.stderr
    assert list(Path().rglob("x*")) == []
