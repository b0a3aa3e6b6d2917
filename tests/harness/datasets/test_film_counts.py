"""Lengths of video files: what decoding gives is what every command sees, whatever header and packets say."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.datasets.checking.dvd import check_dvd
from harness.datasets.dvd import open_dvd
from harness.datasets.images.sources import UnreadablePictures
from harness.datasets.video_files import capture
from harness.datasets.video_files import counts as film_counts
from harness.datasets.video_files.capture import open_capture
from harness.datasets.video_files.counts import count_film, count_films, learn_count, lost_frames, wrong_header
from harness.datasets.video_files.images import film_pictures, open_film
from harness.datasets.video_files.mp4 import read_mp4
from harness.datasets.video_files.times import frame_times
from harness.errors import MissingDependencyError
from harness.plugins import registry
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.system.images import opencv
from harness.tasks import VD
from tests.support.avi_files import write_avi
from tests.support.edit_lists import with_edits
from tests.support.numbered_films import cut_short, number_in, write_film
from tests.support.places import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "harness" / "golden" / "films"
ALL = list(range(50))
FILMS = {  # frames that come out, by header, packets
    "b_frames.mp4": (ALL, 50, 50),
    "cut.mp4": (ALL[16:], 40, 40),
    "edit_list.mp4": (ALL[:15] + ALL[23:], 50, 51),
    "empty_chunks.avi": (ALL, 74, 50),
    "fragmented.mp4": (ALL, 10, 50),
    "late_sound.mp4": (ALL, 50, 50),
    "long_sound.mkv": (ALL, 77, 50),
    "odd_size.mp4": (ALL, 50, 50),
    "one_frame.mp4": ([0], 1, 1),
    "rotated.mp4": (ALL, 50, 50),
    "stream.ts": (ALL, 50, 50),
    "variable_rate.mp4": (ALL, 50, 50),
}
CAUSES = {
    "cut.mp4": "an edit list hides frames, as in a film that was cut without re-encoding",
    "edit_list.mp4": "an edit list hides frames",
    "empty_chunks.avi": "its audio lasts longer than its frames, some frames are shown for longer",
    "fragmented.mp4": "it is fragmented, and its header lists the first fragment alone",
    "long_sound.mkv": "its audio lasts longer than its frames",
}
LENGTHS = {Path(name).stem: len(numbers) for name, (numbers, *_) in FILMS.items()}


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch):
    """Nothing is remembered from other tests but what lies on disk."""
    monkeypatch.setattr(film_counts, "_READINGS", replace(film_counts._READINGS, memory={}))


@pytest.fixture
def decodings(monkeypatch) -> list[Path]:
    """The files that are decoded to be counted, as they are."""
    decoded, counted = [], film_counts._counted
    monkeypatch.setattr(
        film_counts, "_counted", lambda path, threads: (decoded.append(path), counted(path, threads))[1]
    )
    return decoded


@pytest.fixture
def root(tmp_path) -> Path:
    """The twelve as test videos without a template, and two annotated ones to train on."""
    root = tmp_path / "films"
    shutil.copytree(GOLDEN, root / "Test" / "videos", ignore=shutil.ignore_patterns("*.md"))
    for split, video in (("Training", "0001"), ("Validation", "0002")):
        for folder in ("videos", "annotations"):
            (root / split / folder).mkdir(parents=True)
        shutil.copy(GOLDEN / "b_frames.mp4", root / split / "videos" / f"{video}.mp4")
        rows = ["Frame_Number,Label", *(f"{k},{k % 2}" for k in range(1, 51)), ""]
        (root / split / "annotations" / f"{video}.csv").write_text("\n".join(rows))
    return root


@pytest.fixture
def alternating(monkeypatch) -> None:
    """A solution for every name: each other frame is violent."""

    class Alternating:
        task, name = VD, "vd/alternating"

        def describe(self):
            return {}

        def fit(self, data, *, seed):
            pass

        def predict(self, data, split):
            decisions = {video.name: np.arange(video.n_frames) % 2 for video in data.videos(split)}
            scores = {name: np.eye(2, dtype=np.float32)[own] for name, own in decisions.items()}
            return Predictions(VD, {name: VideoPrediction(scores[name], own) for name, own in decisions.items()})

        def save(self, folder):
            pass

    entry = SolutionEntry("vd/alternating", VD, "", create=lambda settings: Alternating())
    monkeypatch.setattr(registry, "solution_entry", lambda name: entry)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exception is None, (result.output, result.exception)
    return result


def test_golden_edit_list_is_what_the_maker_writes(tmp_path):
    golden = GOLDEN / "edit_list.mp4"
    again = with_edits(Path(shutil.copy(golden, tmp_path)), [(0, 15), (23, 27)])
    assert again.read_bytes() == golden.read_bytes()


def test_every_golden_film_is_listed():
    assert {path.name for path in GOLDEN.iterdir()} == {*FILMS, "README.md"}
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 150_000


@pytest.mark.parametrize("name", FILMS)
def test_a_valid_film_gives_each_frame_once_in_order(name):
    numbers, header, packets = FILMS[name]
    film = open_film(GOLDEN / name)
    assert film.frames.tolist() == list(range(1, len(numbers) + 1))
    with film.reader() as reader:
        assert [number_in(picture.image) for picture in reader.read(range(len(numbers)))] == numbers
        assert reader.read([len(numbers)]) == []
    assert [number_in(image) for image in film_pictures(GOLDEN / name)] == numbers
    count = film.count
    assert (count.frames, count.header, count.packets, count.whole) == (len(numbers), header, packets, len(numbers))


@pytest.mark.parametrize("name", FILMS)
def test_grabbing_counts_what_reading_gives(name):
    """Whatever the number of threads."""
    counts = {film_counts._counted(GOLDEN / name, threads).frames for threads in (None, 1, 2, 5)}
    assert counts == {len(FILMS[name][0])}


@pytest.mark.parametrize("name", FILMS)
def test_an_mp4_index_tells_which_frames_are_shown(name):
    index = read_mp4(GOLDEN / name)
    if not name.endswith("mp4"):
        assert index is None
        return
    assert index.fragmented == (name == "fragmented.mp4")
    assert index.first("vide").shown == (10 if index.fragmented else len(FILMS[name][0]))


def test_a_rotated_film_comes_upright():
    assert next(film_pictures(GOLDEN / "rotated.mp4")).shape == (48, 64, 3)
    with open_film(GOLDEN / "rotated.mp4").reader() as reader:
        assert reader.read([0])[0].image.shape == (48, 64, 3)


def test_check_counts_decoded_frames_and_names_wrong_headers(root, tmp_path):
    found = json.loads(run("data", "check", root, "--json", "--cache", tmp_path / "own").stdout)
    rows = {row["split"]: (row["videos"], row["frames"], row["without_picture"]) for row in found["splits"]}
    assert rows == {"train": (1, 50, 0), "val": (1, 50, 0), "test": (12, sum(LENGTHS.values()), 0)}
    assert found["problems"] == []
    for name, (numbers, header, packets) in FILMS.items():
        notes = [note for note in found["notes"] if name in note]
        assert len(notes) == (name in CAUSES), notes
        if notes:
            assert f"likely {CAUSES[name]}" in notes[0]
            found_text = f"found {len(numbers)} decoded frames, expected {header} by its header, {packets} packets."
            assert notes[0].endswith(found_text)
    assert len(list((tmp_path / "own" / "films").iterdir())) == 14


def test_frames_writes_every_decoded_frame_without_a_problem(root):
    done = json.loads(run("data", "frames", root, "--split", "test", "--json").stdout)
    assert {film["video"]: (film["frames"], film["problem"]) for film in done["films"]} == {
        video: (n, "") for video, n in LENGTHS.items()
    }
    assert {film["video"] for film in done["films"] if film["note"]} == {Path(name).stem for name in CAUSES}
    for name, (numbers, *_) in FILMS.items():
        files = sorted((root / "Test" / "frames" / Path(name).stem).iterdir())
        assert [number_in(opencv().imread(str(path))) for path in files] == numbers
    again = json.loads(run("data", "frames", root, "--split", "test", "--json").stdout)
    assert all(film["reused"] and not film["problem"] for film in again["films"])


def test_extract_gives_a_row_per_decoded_frame(root, tmp_path):
    run("extract", "tiny", "--data", root, "--task", "VD", "--split", "test", "--device", "cpu", "--workers", 1)
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "cache" / "features").rglob("*.json")]
    assert {own["video"]: own["frames"] for own in manifests} == {
        video: list(range(1, n + 1)) for video, n in LENGTHS.items()
    }


def test_submit_writes_a_row_per_decoded_frame(root, tmp_path, alternating):
    done = json.loads(run("submit", "vd/alternating", "--data", root, "--device", "cpu", "--json").stdout)
    assert done["data"]["frames_without_picture"] == 0
    rows = {}
    for path in (Path(done["folder"]) / "predictions").iterdir():
        with path.open() as stream:
            rows[path.stem] = [int(row["Frame_Number"]) for row in csv.DictReader(stream)]
    assert rows == {video: list(range(1, n + 1)) for video, n in LENGTHS.items()}


def test_commands_share_one_count_per_film(root, tmp_path, alternating, decodings, monkeypatch):
    run("data", "check", root)
    assert len(decodings) == 14
    for arguments in (
        ("data", "check", root),
        ("extract", "tiny", "--data", root, "--task", "VD", "--split", "val", "--device", "cpu", "--workers", 1),
        ("submit", "vd/alternating", "--data", root, "--device", "cpu"),
        ("data", "frames", root),
    ):
        monkeypatch.setattr(film_counts, "_READINGS", replace(film_counts._READINGS, memory={}))  # as in a new process
        run(*arguments)
    assert len(decodings) == 14


def test_frames_written_by_a_command_are_counted_by_it(root, decodings):
    run("data", "frames", root, "--split", "val")
    run("data", "check", root)
    assert {path.parts[-3] for path in decodings} == {"Training", "Test"}


def test_counting_films_shows_progress_once(root, capsys):
    check_dvd(root)
    assert "counting the frames of 14 video files: 14 files in" in capsys.readouterr().err
    check_dvd(root)
    assert "counting" not in capsys.readouterr().err


def test_an_opened_data_set_counts_the_films_it_needs(root, decodings):
    shutil.rmtree(root / "Test")
    data = open_dvd(root)
    assert decodings == []
    assert len(data.videos("train")[0].images) == 50
    assert decodings == [root / "Training/videos/0001.mp4"]


@pytest.mark.parametrize("change", ["content", "time", "name"])
def test_a_changed_film_is_counted_again(tmp_path, decodings, change):
    path = write_film(tmp_path / "a.mp4", 12)
    cache = tmp_path / "cache"
    assert count_film(path, cache).frames == 12
    if change == "content":
        write_film(path, 9)
    elif change == "time":
        os.utime(path, ns=(0, 0))
    else:
        path = path.rename(tmp_path / "b.mp4")
    assert count_film(path, cache).frames == (9 if change == "content" else 12)
    assert len(decodings) == 2


def test_another_decoder_counts_again(tmp_path, decodings, monkeypatch):
    path = write_film(tmp_path / "a.mp4", 12)
    count_film(path, tmp_path / "cache")
    monkeypatch.setattr(film_counts, "decoder", lambda: "OpenCV 99")
    count_film(path, tmp_path / "cache")
    assert len(decodings) == 2


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"key": "x"}', "\0"])
def test_a_spoilt_count_on_disk_is_made_again(tmp_path, decodings, monkeypatch, content):
    path = write_film(tmp_path / "a.mp4", 12)
    count_film(path, tmp_path / "cache")
    next((tmp_path / "cache" / "films").iterdir()).write_text(content)
    monkeypatch.setattr(film_counts, "_READINGS", replace(film_counts._READINGS, memory={}))
    assert count_film(path, tmp_path / "cache").frames == 12
    assert len(decodings) == 2
    monkeypatch.setattr(film_counts, "_READINGS", replace(film_counts._READINGS, memory={}))
    count_film(path, tmp_path / "cache")
    assert len(decodings) == 2


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, decodings):
    path = write_film(tmp_path / "a.mp4", 12)
    (tmp_path / "cache").write_text("a file, not a folder")
    assert [count_film(path, tmp_path / "cache").frames for _ in range(2)] == [12, 12]
    assert len(decodings) == 1


def test_films_that_cannot_be_opened_are_left_to_their_reader(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no film")
    count_films([path, tmp_path / "missing.mp4", write_film(tmp_path / "b.mp4", 3)])
    assert count_film(tmp_path / "b.mp4").frames == 3


def test_audio_without_images_for_long_does_not_end_a_film(tmp_path):
    """OpenCV gives up after 4096 packets of another stream unless it is told otherwise."""
    path = write_avi(tmp_path / "a.avi", [*range(10), *[None] * 4200, *range(10, 20)])
    assert count_film(path).frames == 20
    assert [number_in(image) for image in film_pictures(path)] == list(range(20))


def test_a_damaged_film_tells_frames_packets_and_header(tmp_path):
    path = cut_short(write_film(tmp_path / "a.mp4", 60), 0.5)
    count = count_film(path)
    assert 0 < count.frames < 60
    assert (count.packets, count.header, count.shown, count.whole) == (60, 60, 60, 60)
    assert f"found {count.frames} of 60 frames (60 packets; its header says 60)" in lost_frames(path, count)


def test_a_damaged_film_in_a_data_set_is_a_problem_of_check(tiny_dvd):
    shutil.rmtree(tiny_dvd / "Validation/frames/0001")
    cut_short(write_film(tiny_dvd / "Validation/videos/0001.mp4", 200), 0.5)
    report = check_dvd(tiny_dvd)
    assert any("0001.mp4: not all of this film can be decoded" in text for text in report.problems)
    assert not any("0001.mp4" in note for note in report.notes)


@pytest.mark.parametrize("values", [[0.0], [0.0, 40.0, 80.0], [80.0, 0.0, 40.0], [0.0, np.nan, np.inf], [5e300, 0.0]])
def test_times_of_any_kind_are_kept_and_come_back(values):
    times = frame_times(values)
    assert (times.frames, len(times.seconds())) == (len(values), len(values))
    if np.isfinite(values).all() and max(values) < 1e9:
        assert times.seconds() == pytest.approx((np.array(values) - values[0]) / 1000, abs=1e-6)


def test_times_of_a_constant_rate_take_one_run():
    times = frame_times([1000 * k / 29.97 for k in range(10_000)])
    assert len(times.deviations) == 1
    assert times.seconds()[-1] == pytest.approx(9_999 / 29.97, abs=1e-6)


def test_a_film_decoded_to_its_end_needs_no_second_look(tmp_path, decodings):
    path = write_film(tmp_path / "a.mp4", 12)
    count = learn_count(path, 12, tmp_path / "cache")
    assert (count.frames, lost_frames(path, count), wrong_header(path, count)) == (12, "", "")
    assert count_film(path, tmp_path / "cache") == count
    assert decodings == []


def test_a_film_that_ends_before_its_count_is_an_error(tmp_path):
    path = write_film(tmp_path / "a.mp4", 12)
    film = open_film(path)
    write_film(path, 7)
    with (
        film.reader() as reader,
        pytest.raises(UnreadablePictures, match=r"Fewer frames come out .* found 7 frames, exp"),
    ):
        reader.read(range(12))


def test_an_undecodable_test_video_is_left_out_and_said(tiny_dvd):
    shutil.rmtree(tiny_dvd / "Expected_Output_Files")
    cut_short(write_film(tiny_dvd / "Test/videos/0099.mp4", 12), 0.0)
    data = open_dvd(tiny_dvd)
    assert "0099" not in {video.name for video in data.videos("test")}
    assert any(note.startswith("left out: ") and "frames can't be decoded" in note for note in data.notes)
    assert any("0099.mp4: this film's frames can't be decoded" in text for text in check_dvd(tiny_dvd).problems)


def test_files_that_are_no_films_by_name_are_noted(tiny_dvd):
    (tiny_dvd / "Test" / "videos").mkdir()
    (tiny_dvd / "Test" / "videos" / "0001.mp5").write_bytes(b"?")
    assert "Test: 1 file in videos/ is no film by its name: 0001.mp5" in open_dvd(tiny_dvd).notes


def test_an_opencv_that_loses_frames_is_refused(monkeypatch):
    monkeypatch.setattr(opencv(), "__version__", "4.10.0")
    with pytest.raises(MissingDependencyError, match=r"ends some video files early .* found OpenCV 4\.10\.0, expected"):
        open_capture(GOLDEN / "fragmented.mp4")


def test_the_decoder_is_named_with_its_versions():
    assert capture.decoder().startswith(f"OpenCV {opencv().__version__}, FFmpeg ")
