"""Offsets of `abaw data align` against the numbers drawn into frames and a click in the audio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.alignment.align import align_data
from harness.datasets.audio.media import open_media
from harness.datasets.video_files.images import film_pictures
from tests.support import clicked_films as films
from tests.support.avi_files import write_avi
from tests.support.edit_lists import with_edits
from tests.support.numbered_films import number_in, write_film

av = pytest.importorskip("av", reason="PyAV, which makes the files, is not installed")

ALL = list(range(films.FRAMES))
SLOWER = [k if k < 50 else 2 * k - 50 for k in ALL]
"""Ticks of frames of which the second half is shown for twice as long."""


@dataclass(frozen=True)
class Case:
    """A file.

    Attributes:
        make: writes the file into a folder.
        numbers: that decoded frames say, in order.
        misfits: offset in whole frames by cause.
    """

    make: Callable[[Path], Path]
    numbers: list[int]
    misfits: dict[str, int]


def plain(folder: Path) -> Path:
    return films.write(folder / "plain.mp4")


VIDEOS = {
    "B-frames": Case(plain, ALL, {}),
    # 1.5 s lies in frame 37.5: frames from 25 on are copied, from 38 on are shown
    "cut": Case(lambda f: films.copied(plain(f), f / "cut.mp4", start=1.5), ALL[38:], {"hidden-frames": 13}),
    "fragmented": Case(
        lambda f: films.copied(plain(f), f / "a.mp4", options={"movflags": "frag_keyframe"}),
        ALL,
        {"fragmented": films.KEY_EVERY - films.FRAMES},
    ),
    # a rate from the first to the last frame is 99 / 148 frames per tick; frame 50 is shown at tick 50
    "variable rate": Case(
        lambda f: films.write(f / "vfr.mp4", ticks=SLOWER), ALL, {"variable-rate": round(50 * 99 / 148 - 50)}
    ),
    "edit list": Case(
        lambda f: with_edits(films.write(f / "edits.mp4", "mpeg4"), [(0, 15), (23, 77)]),
        ALL[:15] + ALL[23:],
        {"hidden-frames": 8},
    ),
    "rotated": Case(lambda f: films.write(f / "rotated.mp4", "mpeg4", rotation=180), ALL, {"rotated": 0}),
    "transport stream": Case(lambda f: films.copied(plain(f), f / "a.ts"), ALL, {}),
    # it begins with frame 30, the next key frame is 50
    "stream between key frames": Case(
        lambda f: films.beginning_between_key_frames(films.write(f / "w.ts", b_frames=False), f / "a.ts", 30 / 25),
        ALL[50:],
        {"undecodable-start": 20},
    ),
    # each of the last 49 steps has a chunk of its own: 148 ticks and one
    "empty chunks": Case(
        lambda f: films.write(f / "a.avi", "mpeg4", ticks=SLOWER),
        ALL,
        {"empty-chunks": 49, "variable-rate": round(50 * 99 / 148 - 50)},
    ),
    "AVI by bytes": Case(
        lambda f: write_avi(f / "a.avi", [*range(10), None, *range(10, 20)]), ALL[:20], {"short-audio": -20}
    ),
    "WebM": Case(lambda f: films.write(f / "a.webm", "libvpx"), ALL, {}),
    "Matroska": Case(lambda f: films.write(f / "a.mkv"), ALL, {}),
    "OpenCV's own": Case(lambda f: write_film(f / "a.mp4", 30), ALL[:30], {}),
}
"""Valid files of images."""


@pytest.mark.parametrize("name", VIDEOS)
def test_offsets_of_a_video_file_equal_its_drawn_numbers(tmp_path, name):
    case = VIDEOS[name]
    path = case.make(tmp_path)
    assert [number_in(image) for image in film_pictures(path)] == case.numbers
    (video,) = align_data(path).videos
    assert video.frames == len(case.numbers)
    assert {misfit.cause: misfit.whole_frames for misfit in video.misfits} == case.misfits


AUDIO = {
    "mp4": (lambda f: films.write(f / "a.mp4", audio="aac"), {}),
    "late audio": (lambda f: films.write(f / "a.mp4", audio="aac", audio_from=0.5), {"late-audio": 12}),
    "late images": (
        lambda f: films.write(f / "a.mp4", audio="aac", audio_to=4.5, images_late=0.48),
        {"late-images": 12},
    ),
    "long audio": (lambda f: films.write(f / "a.mkv", audio="aac", audio_to=6), {"long-audio": 50}),
    "cut to Matroska": (
        # images begin with frame 25, audio with 1.5 s
        lambda f: films.copied(films.write(f / "w.mp4", audio="aac"), f / "a.mkv", start=1.5),
        {"late-audio": 13},
    ),
    "transport stream": (lambda f: films.copied(films.write(f / "w.mp4", audio="aac"), f / "a.ts"), {}),
    "stream between key frames": (
        lambda f: films.beginning_between_key_frames(
            films.copied(films.write(f / "w.mp4", audio="aac"), f / "w.ts"), f / "a.ts", 30 / 25
        ),
        {"late-images": 20},
    ),
    "WebM": (lambda f: films.write(f / "a.webm", "libvpx", "libopus"), {}),
    "AVI": (lambda f: films.write(f / "a.avi", "mpeg4", "pcm_s16le"), {}),
    "QuickTime, late": (
        lambda f: films.write(f / "a.mov", audio="pcm_s16le", audio_from=1.0),
        {"late-audio": 25},
    ),
    "mp3 in mp4": (lambda f: films.write(f / "a.mp4", audio="libmp3lame"), {}),
    "gap": (lambda f: films.write(f / "a.mkv", audio="pcm_s16le", gap=(1.0, 0.6)), {"audio-gap": 15}),
    "variable rate": (
        lambda f: films.write(f / "a.mp4", audio="aac", ticks=SLOWER, audio_to=149 / 25),
        {},
    ),
}
"""Valid files with audio, and the offsets of their audio in whole frames."""
OF_AUDIO = ("late-audio", "late-images", "long-audio", "short-audio", "audio-gap", "audio-unreadable")


@pytest.mark.parametrize("name", AUDIO)
def test_audio_offset_places_the_click_on_its_drawn_frame(tmp_path, name):
    make, misfits = AUDIO[name]
    path = make(tmp_path)
    numbers = [number_in(image) for image in film_pictures(path)]
    (video,) = align_data(path).videos
    times = np.array([k / 25 for k in numbers]) if name != "variable rate" else np.array(SLOWER) / 25
    click = films.click_in(path) + video.audio["start"] + sum(jump for _, jump in video.audio["gaps"])
    shown = int(np.searchsorted(times - times[0], click, side="right")) - 1
    assert numbers[shown] == films.CLICK
    offsets = {misfit.cause: misfit.whole_frames for misfit in video.misfits if misfit.cause in OF_AUDIO}
    assert offsets == misfits


@pytest.mark.parametrize("name", AUDIO)
def test_runs_read_the_click_while_its_frame_is_shown(tmp_path, name):
    path = AUDIO[name][0](tmp_path)
    numbers = [number_in(image) for image in film_pictures(path)]
    times = np.array([k / 25 for k in numbers]) if name != "variable rate" else np.array(SLOWER) / 25
    samples = np.concatenate([*open_media(path).chunks(60)])
    click = np.abs(samples).argmax() / 16_000
    assert numbers[int(np.searchsorted(times - times[0], click, side="right")) - 1] == films.CLICK
