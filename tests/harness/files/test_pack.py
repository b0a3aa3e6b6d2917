"""Packing: the same files give the same zip, byte for byte; nothing is replaced or left out without a word."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import DataError, StorageError, SubmissionError, UnknownNameError, UsageError
from harness.files.archives.pack import pack
from harness.files.archives.read import read_members
from harness.records.run import official_files
from tests.support.commands import invoke

ROWS = b"image_location,Neutral\na/00001.jpg,0\n" * 500


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Three files, none in alphabetical order."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("0008.csv", "0001.csv", "ü.csv"):
        (folder / name).write_bytes(name.encode() + ROWS)
    return [folder / name for name in ("0008.csv", "0001.csv", "ü.csv")]


@pytest.fixture
def run(tmp_path, run_record) -> Path:
    """A run folder with an official file and scores."""
    folder = tmp_path / "submissions/EXPR/run-1"
    folder.mkdir(parents=True)
    (folder / "predictions.txt").write_bytes(ROWS)
    (folder / "scores.npz").write_bytes(b"scores")
    run_record("run-1", files={"predictions.txt": sha(ROWS), "scores.npz": sha(b"scores")}).write(folder)
    return folder


def abaw(*arguments: object) -> dict[str, object]:
    """The command's JSON, or the error that it raised."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_equal_files_give_equal_bytes_at_any_time_and_place(files, tmp_path):
    first = pack(files, tmp_path / "first.zip")
    for path in files:
        os.utime(path, (0, 0))
        path.chmod(0o600)
    (tmp_path / "copy").mkdir()
    copies = [tmp_path / "copy" / path.name for path in reversed(files)]
    for path, copy in zip(reversed(files), copies, strict=True):
        copy.write_bytes(path.read_bytes())
    second = pack(copies, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    assert first.sha256 == second.sha256 == sha((tmp_path / "first.zip").read_bytes())


def test_the_archive_itself_is_pinned(tmp_path):
    """If this fails, archives differ from those that earlier versions made: mind the reason before changing it."""
    (tmp_path / "a.txt").write_bytes(b"a\n")
    pack([tmp_path / "a.txt"], tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes().hex() == (
        "504b03041400000008000000210007a1eadd040000000200000005000000612e7478744be40200"
        "504b01021403140000000800000021 0007a1eadd0400000002000000050000000000000000000000a48100000000612e747874"
        "504b050600000000010001003300000027000000 0000"
    ).replace(" ", "")


def test_members_are_sorted_dated_alike_and_readable_for_all(files, tmp_path):
    packed = pack(files, tmp_path / "out.zip")
    with zipfile.ZipFile(packed.path) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert [info.filename for info in infos] == ["0001.csv", "0008.csv", "ü.csv"]
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {stat.S_IMODE(info.external_attr >> 16) for info in infos} == {0o644}


def test_what_was_packed_is_told_member_by_member(files, tmp_path):
    packed = pack(files, tmp_path / "out.zip")
    assert packed.bytes == (tmp_path / "out.zip").stat().st_size
    assert [(m.name, m.sha256, m.bytes) for m in packed.members] == [
        (path.name, sha(path.read_bytes()), path.stat().st_size) for path in sorted(files)
    ]
    assert [member.data for member in read_members(packed.path)] == [path.read_bytes() for path in sorted(files)]


def test_everything_may_go_into_a_folder(files, tmp_path):
    packed = pack(files, tmp_path / "out.zip", folder="team_7/VD")
    assert [m.name for m in packed.members] == ["team_7/VD/0001.csv", "team_7/VD/0008.csv", "team_7/VD/ü.csv"]


def test_folder_files_keep_their_places_without_litter(files, tmp_path):
    (files[0].parent / "sub").mkdir()
    (files[0].parent / "sub/x.csv").write_bytes(b"x")
    (files[0].parent / ".DS_Store").write_bytes(b"x")
    packed = pack([files[0].parent], tmp_path / "out.zip")
    assert [m.name for m in packed.members] == ["0001.csv", "0008.csv", "sub/x.csv", "ü.csv"]
    assert ".DS_Store" in packed.warnings[0]


@pytest.mark.parametrize("folder", ["..", "/abs", "a\\b", "a//b", "C:"])
def test_a_folder_that_no_archive_may_have_is_refused(files, tmp_path, folder):
    with pytest.raises(SubmissionError, match="members that can't be accepted"):
        pack(files, tmp_path / "out.zip", folder=folder)
    assert not (tmp_path / "out.zip").exists()


def test_two_files_of_one_name_are_refused(files, tmp_path):
    (tmp_path / "0008.CSV").write_bytes(b"x")
    for other in (tmp_path / "0008.CSV", files[0]):
        with pytest.raises(SubmissionError, match=r"only in case|there twice"):
            pack([*files, other], tmp_path / "out.zip")


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(SubmissionError, match=r"absent\.txt: can't read the file"):
        pack([tmp_path / "absent.txt"], tmp_path / "out.zip")


def test_packing_again_changes_nothing(files, tmp_path):
    first = pack(files, tmp_path / "out.zip")
    before = (tmp_path / "out.zip").stat()
    second = pack(files, tmp_path / "out.zip")
    assert (first.unchanged, second.unchanged) == (False, True)
    assert (tmp_path / "out.zip").stat().st_mtime_ns == before.st_mtime_ns


def test_another_archive_is_replaced_only_by_force(files, tmp_path):
    pack(files[:1], tmp_path / "out.zip")
    before = (tmp_path / "out.zip").read_bytes()
    with pytest.raises(StorageError, match=r"something else is there already\. Give --force"):
        pack(files, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == before
    assert not pack(files, tmp_path / "out.zip", force=True).unchanged
    assert len(read_members(tmp_path / "out.zip").names) == 3


def test_a_folder_is_never_replaced(files, tmp_path):
    (tmp_path / "out.zip").mkdir()
    with pytest.raises(StorageError, match="something else is there already"):
        pack(files, tmp_path / "out.zip", force=True)


def test_an_archive_may_not_lie_in_what_it_is_made_of(files):
    with pytest.raises(StorageError, match="in the folder that it is made of"):
        pack([files[0].parent], files[0].parent / "out.zip")


def test_of_a_run_what_the_organisers_want_is_packed(run):
    assert official_files(run) == [run / "predictions.txt"]


def test_a_file_that_is_not_what_the_run_wrote_is_not_packed(run):
    (run / "predictions.txt").write_bytes(ROWS + b"\n")
    with pytest.raises(SubmissionError, match="not what the run wrote; found a changed file"):
        official_files(run)
    (run / "predictions.txt").unlink()
    with pytest.raises(SubmissionError, match="not what the run wrote; found nothing"):
        official_files(run)


def test_a_run_without_official_files_is_said(run, run_record):
    run_record("run-1", files={"scores.npz": sha(b"scores")}).write(run)
    with pytest.raises(SubmissionError, match="no official file"):
        official_files(run)


def test_a_folder_that_is_no_run_is_said(tmp_path):
    with pytest.raises(DataError, match="not a readable run record"):
        official_files(tmp_path)


@pytest.mark.parametrize("what", ["run-1", "submissions/EXPR/run-1"])
def test_the_command_finds_a_run_by_its_id_and_by_its_folder(run, tmp_path, what):
    packed = abaw("pack", what)
    assert Path(packed["path"]).resolve() == tmp_path / "submissions/EXPR/run-1.zip"
    assert [m["name"] for m in packed["members"]] == ["predictions.txt"]
    assert abaw("pack", what)["unchanged"]


def test_the_command_packs_the_run_in_the_folder_it_stands_in(run, monkeypatch):
    monkeypatch.chdir(run)
    assert abaw("pack", ".")["path"] == str(run.with_name("run-1.zip"))


def test_the_command_packs_files_side_by_side(files, tmp_path):
    packed = abaw("pack", *files, "--to", tmp_path / "out.zip", "--folder", "VD")
    assert [m["name"] for m in packed["members"]] == ["VD/0001.csv", "VD/0008.csv", "VD/ü.csv"]
    assert abaw("pack", files[0])["path"] == str(files[0].with_suffix(".zip"))
    with pytest.raises(UsageError, match="Name the zip: --to FILE"):
        abaw("pack", *files)


def test_the_command_prints_every_hash(files, tmp_path):
    result = CliRunner().invoke(cli, ["pack", *map(str, files), "--to", str(tmp_path / "out.zip")])
    assert sha((tmp_path / "out.zip").read_bytes()) in result.stdout
    assert all(sha(path.read_bytes()) in result.stdout for path in files)


def test_a_run_nobody_knows_gets_a_guess(run):
    with pytest.raises(UnknownNameError, match="Did you mean run-1"):
        abaw("pack", "run-2")
