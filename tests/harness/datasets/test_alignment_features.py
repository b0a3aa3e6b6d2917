"""Rows of other tools against frames: by the numbers and times that each tool writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.datasets.alignment.align import align_data
from harness.datasets.alignment.features import read_rows
from harness.errors import DataError
from tests.support import clicked_films as films
from tests.support.numbered_films import write_film

N, FPS = 50, 25
"""Frames of OpenCV's own file, and its rate."""


@pytest.fixture
def video(tmp_path) -> Path:
    return write_film(tmp_path / "videos" / "a.mp4", N)


def openface(frames, seconds) -> str:
    rows = [f"{k}, 0, {s:.3f}, 0.98, 1, 0.5" for k, s in zip(frames, seconds, strict=True)]
    return "\n".join(["frame, face_id, timestamp, confidence, success, AU01_r", *rows, ""])


def libreface(indices, times) -> str:
    rows = [f"{k},{t},0.1,1,0.5" for k, t in zip(indices, times, strict=True)]
    return "\n".join(["frame_idx,frame_time_in_ms,pitch,au_12,au_12_intensity", *rows, ""])


def pyfeat(frames) -> str:
    return "\n".join([",FaceScore,AU01,input,frame,approx_time", *(f"0,.9,.1,a.mp4,{k},00:00" for k in frames), ""])


def misfits(video: Path, name: str, text: str) -> dict[str, int]:
    folder = video.parent.parent / "features"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (aligned,) = align_data(video.parent, features=[folder]).videos
    return {misfit.cause: misfit.whole_frames for misfit in aligned.misfits if "audio-rows" not in misfit.cause}


ONES, ZEROS = np.arange(1, N + 1), np.arange(N)
FITTING = {
    "OpenFace": openface(ONES, ZEROS / FPS),
    "OpenFace, two faces": openface(np.repeat(ONES, 2), np.repeat(ZEROS / FPS, 2)),
    "LibreFace, milliseconds": libreface(ZEROS, ZEROS * 40.0),
    "LibreFace, seconds": libreface(ZEROS, ZEROS / FPS),
    "LibreFace, no face at the ends": libreface(ZEROS[5:-9], ZEROS[5:-9] * 40.0),
    "py-feat": pyfeat(ZEROS),
    "numbered rows": "frame,x\n" + "".join(f"{k},0\n" for k in ONES),
}


@pytest.mark.parametrize("name", FITTING)
def test_rows_of_every_frame_fit(video, name):
    assert misfits(video, "a.csv", FITTING[name]) == {}


MISFITTING = {
    "too many": (openface(np.arange(1, N + 8), np.arange(N + 7) / FPS), {"features-beyond": 7}),
    "too few": (openface(ONES[:-6], ZEROS[:-6] / FPS), {"features-end-early": -6}),
    "from 0": (openface(ZEROS, ZEROS / FPS), {"features-shifted": -1}),
    "py-feat from 1": (pyfeat(ONES), {"features-shifted": 1}),
    # at 30 per second the last of 50 frames is at 49 / 30 s, 8.2 frames of 1/25 s before 49 / 25 s
    "times of another rate": (openface(ONES, ZEROS / 30), {"features-times": round(49 / 30 * 25 - 49)}),
    "late times": (libreface(ZEROS, 1000 * ZEROS / FPS + 120), {"features-times": 3}),
}


@pytest.mark.parametrize("name", MISFITTING)
def test_rows_of_other_frames_are_a_misfit(video, name):
    text, expected = MISFITTING[name]
    assert misfits(video, "a.csv", text) == expected


def test_rows_of_a_constant_rate_reader_are_named(tmp_path):
    pytest.importorskip("av", reason="PyAV, which makes the file, is not installed")
    (tmp_path / "videos").mkdir()
    ticks = [k if k < 50 else 2 * k - 50 for k in range(100)]
    video = films.write(tmp_path / "videos" / "a.mp4", ticks=ticks)  # its last frame is at tick 148
    # frame 99, from 0, is put at tick 99, between frames 74 and 75, at ticks 98 and 100
    found = misfits(video, "a.csv", openface(np.arange(1, 150), np.arange(149) / 25))
    assert found.pop("variable-rate") == -17
    assert found == {"features-constant-rate": 49, "features-times": -24}


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Path:
    """A file whose audio lasts 3.5 s and begins .5 s after the images."""
    pytest.importorskip("av", reason="PyAV, which makes the file, is not installed")
    folder = tmp_path_factory.mktemp("late") / "videos"
    folder.mkdir()
    return films.write(folder / "a.mov", audio="pcm_s16le", audio_from=0.5)


def opensmile(seconds: float) -> str:
    starts = np.arange(0, round(seconds * 100) - 5) / 100
    index = pd.to_timedelta(starts, unit="s"), pd.to_timedelta(starts + 0.06, unit="s")
    return pd.DataFrame({"start": index[0], "end": index[1], "F0": 0.0}).to_csv(index=False)


def test_opensmile_from_the_first_sample_is_early(late):
    found = misfits(late, "a.csv", opensmile(3.5))
    assert found == {"late-audio": 12, "features-late-audio": -12}


def test_opensmile_of_filled_audio_fits(late):
    assert misfits(late, "a.csv", opensmile(4.0)) == {"late-audio": 12}


def test_opensmile_that_ends_early_is_a_misfit(late):
    assert misfits(late, "a.csv", opensmile(3.0)) == {
        "late-audio": 12, "features-late-audio": -12, "features-end-early": -12
    }  # fmt: skip


LINES = {
    "a.json": json.dumps({"text": " Yes.", "segments": [{"start": 0.0, "end": 3.0, "text": " Yes."}]}),
    "b.json": json.dumps([{"start": 0.0, "end": 3.0}]),
    "c.json": json.dumps({"text": "Yes.", "chunks": [{"timestamp": [0.0, 3.0], "text": "Yes."}]}),
    "a.srt": "1\n00:00:00,000 --> 00:00:03,000\nYes.\n\n",
    "a.vtt": "WEBVTT\n\n00:00.000 --> 00:03.000\nYes.\n\n",
    "a.tsv": "start\tend\ttext\n0\t3000\tYes.\n",
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_whisper_are_read_in_every_form(tmp_path, name):
    (tmp_path / name).write_text(LINES[name])
    rows = read_rows(tmp_path / name)
    assert (rows.tool, rows.end, rows.seconds.tolist()) == ("transcript", 3.0, [0.0])


@pytest.mark.parametrize("name", ["a.json", "a.srt", "a.vtt", "a.tsv"])
def test_lines_beside_late_audio_are_noted(late, name):
    for path in (late.parent.parent / "features").glob("*"):
        path.unlink()
    assert misfits(late, name, LINES[name]) == {"late-audio": 12, "transcript-late-audio": -12}


def test_lines_behind_the_end_are_a_misfit(video):
    assert misfits(video, "a.srt", "1\n00:00:00,000 --> 00:00:03,000\nYes.\n") == {"features-beyond": 25}


@pytest.mark.parametrize(
    "text",
    ["", "x,y\n1,2\n", "frame,confidence,success\n", "frame, confidence, success\n1.5,1,1\n", "start,end\nnever,1\n"],
)
def test_a_table_of_no_known_tool_is_a_problem(video, text):
    assert misfits(video, "a.csv", text) == {"features-unreadable": 0}


ENDLESS = {
    "a.json": '{"segments": [{"start": NaN, "end": 2}]}',
    "infinite.json": '{"segments": [{"start": 0, "end": 1e999}]}',
    "large.json": f'{{"segments": [{{"start": 1{"0" * 400}, "end": 2}}]}}',
    "a.tsv": f"start\tend\ttext\n0\t{'9' * 400}\tx\n",
    "times.csv": "name;frameTime;F0\na;nan;1\n",
    "spans.csv": "file,start,end,F0\na,0 days 00:00:00,,1\n",
    "frames.csv": "frame,x\n1e300,1\n",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_rows_without_finite_places_cannot_be_placed(tmp_path, name):
    (tmp_path / name).write_text(ENDLESS[name])
    with pytest.raises(DataError, match="can't be placed"):
        read_rows(tmp_path / name)


@pytest.mark.parametrize("text", ["", "{}", "[[]]", '{"segments": 1}', "[" * 2000, '{"segments": [{"start": 1}]}'])
def test_a_transcript_that_cannot_be_read_is_a_problem(video, text):
    assert misfits(video, "a.json", text) == {"features-unreadable": 0}


def test_files_are_matched_by_name_and_others_noted(video, tmp_path):
    write_film(video.parent / "b.mp4", N)
    folder = tmp_path / "features"
    folder.mkdir()
    (folder / "A.csv").write_text(FITTING["OpenFace"])
    (folder / "other.csv").write_text(FITTING["OpenFace"])
    report = align_data(video.parent, features=[folder])
    assert [len(one.features) for one in report.videos] == [1, 0]
    assert f"{folder}: 1 video has no file: b.mp4" in report.notes
    assert f"{folder}: 1 file is of no video: other.csv" in report.notes


def test_a_transport_streams_table_is_matched(tmp_path):
    pytest.importorskip("av", reason="PyAV, which makes the file, is not installed")
    (tmp_path / "videos").mkdir()
    video = films.write(tmp_path / "videos" / "a.ts", "mpeg4")
    assert misfits(video, "a.csv", openface(np.arange(1, 99), np.arange(98) / 25)) == {"features-end-early": -2}


@pytest.mark.parametrize("content", [None, {}, {"x.csv": "frame\n1\n"}])
def test_a_folder_without_features_is_refused(video, tmp_path, content):
    folder = tmp_path / "features"
    if content is not None:
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_text(text)
    with pytest.raises(DataError, match=r"features: (no such folder|no features here|no file of these is of a video)"):
        align_data(video.parent, features=[folder])
