"""Comparison of audio with the video file that it was taken from: it has to start, and to last, as the images do.

Features of audio are spread evenly over a video's frames, so a ``.wav`` file has to cover the same time as the images.
A container may let its audio start later, or last longer; a ``.wav`` file holds no times, and ffmpeg drops the silence
before the first sample unless it is asked to fill it.
"""

from __future__ import annotations

import wave
from pathlib import Path

from harness.datasets.audio.limits import audio_command
from harness.datasets.video_files.mp4 import SUFFIXES, read_mp4
from harness.errors import problem
from harness.system.regular import open_file

_SMALL = 0.05  # s: more than a frame, and than what an encoder of audio puts before the first sample
_LENGTH, _SHARE = 0.5, 0.01  # s, or of the images' duration: containers round, and audio ends with a whole packet


def audio_problem(wav: Path, video: Path) -> str:
    """Return a message on a ``.wav`` file that covers another time than the images of its video; empty if it fits.

    Times come from the headers of mp4 and mov files; for other files, and unknown times, the message is empty.

    Args:
        wav: the audio.
        video: the video file that the audio was taken from.
    """
    index = read_mp4(video) if video.suffix.lower() in SUFFIXES else None
    if index is None or index.fragmented:
        return ""
    images, audio = index.first_shown("vide"), index.first_shown("soun")
    if images is None or audio is None:
        return ""
    seconds, late, lasts = _seconds(wav), audio.start - images.start, images.end - images.start
    margin = max(_LENGTH, _SHARE * lasts)
    keep = lasts if audio.end - images.end > margin else None
    whole = audio.end - min(images.start, audio.start)  # of a .wav file that holds a late start's silence
    length = "audio of unknown length" if seconds is None else f"{seconds:.2f} s of audio"
    if late > _SMALL and (seconds is None or seconds < whole - late / 2):
        return problem(
            f"The audio of this video starts {late:.2f} s after its images, and its .wav file begins with the audio",
            where=wav,
            found=length,
            expected=f"{whole:.2f} s, as in {video}",
            do=f"Make it again: {audio_command(str(video), wav.name, seconds=keep)}",
        )
    if late < -_SMALL and (seconds is None or seconds > lasts - late / 2):
        return problem(
            f"The images of this video start {-late:.2f} s after its audio, which counts from the first image",
            where=wav,
            found=length,
            expected=f"{lasts:.2f} s, as the images in {video}",
            do=f"Make it again: {audio_command(str(video), wav.name, start=-late, seconds=keep)}",
        )
    if seconds is not None and seconds - lasts > margin:
        return problem(
            "The audio of this video lasts longer than its images, over which it is spread evenly",
            where=wav,
            found=length,
            expected=f"{lasts:.2f} s, as the images in {video}",
            do=f"Make it again: {audio_command(str(video), wav.name, seconds=lasts)}",
        )
    return ""


def _seconds(wav: Path) -> float | None:
    """Return the duration in the header of a ``.wav`` file of whole numbers; ``None`` for other files."""
    try:
        with open_file(wav) as file, wave.open(file) as stream:
            return float(stream.getnframes() / stream.getframerate())
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return None
