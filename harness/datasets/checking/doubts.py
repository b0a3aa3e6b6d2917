"""Doubts about a data set: lengths and positions that disagree.

Each doubt is a message with its likely cause. Differences that all videos share have one cause and are one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.datasets.audio.media import open_media
from harness.datasets.checking.audio_lengths import sound_fits
from harness.datasets.checking.report import DataReport, has_images
from harness.datasets.dataset import Video
from harness.datasets.images.numbered import ImageFiles
from harness.datasets.images.placeholders import doubts_of_placeholders
from harness.datasets.images.positions import doubts_of_positions, first_annotated
from harness.errors import DataError, MissingDependencyError, problem
from harness.system.counts import counted
from harness.system.groups import grouped

_RATE_IN_NAME = re.compile(r"[0-9]+-(?P<rate>[0-9]{2})-[0-9]+x[0-9]+(_left|_right)?")
_SHOWN = 5


def rate_in_name(video: str) -> float | None:
    """Return the frames per second in a name of Aff-Wild2, 30 in ``118-30-640x480``; ``None`` for other names."""
    match = _RATE_IN_NAME.fullmatch(video)
    return float(match["rate"]) if match else None


def doubts_of_sound(videos: Sequence[Video], seconds: Mapping[Path, float]) -> Iterator[str]:
    """Yield a message for each recording whose length does not fit its videos' frames.

    The frame rate is the one in the video's name, or else the median over the recordings. Videos of one recording
    that are equally long, ``x_left`` and ``x_right``, share a message.

    Args:
        videos: the videos of all splits.
        seconds: duration of each audio file.
    """
    heard = ((video.audio, video) for video in videos if video.audio is not None and seconds.get(video.audio, 0) > 0)
    names = grouped(((audio, video.n_frames), video.name) for audio, video in heard if video.n_frames)
    rates = [n_frames / seconds[audio] for audio, n_frames in names]
    usual = float(np.median(rates)) if rates else 0.0
    for (audio, n_frames), alike in names.items():
        rate = rate_in_name(alike[0]) or usual
        length, expected = seconds[audio], n_frames / rate
        if sound_fits(length, expected):
            continue
        off = round(abs(length - expected) * rate)
        source = "as its name says" if rate_in_name(alike[0]) else "as in most others"
        differs, whose = "shorter" if length < expected else "longer", "their" if alike[1:] else "its"
        yield problem(
            f"the audio of {' and '.join(alike)} is {differs} than {whose} frames",
            where=audio,
            found=f"{length:.2f} s of audio",
            expected=f"{expected:.2f} s, {counted(n_frames, 'frame')} at {rate:.4g} per second, {source}",
            do=f"Make it again from the video file; as it is, its rows are stretched over the video, up to {off} "
            "frames off",
        )


def note_doubts(report: DataReport, videos: Sequence[Video], noun: str, *, placeholders: bool = True) -> None:
    """Add problems and notes on the images of a data set's videos; videos of the same name count once.

    Args:
        report: gets the problems and notes.
        videos: the videos of all splits and tasks.
        noun: word for an image in messages.
        placeholders: look for images that are copies of one file.
    """
    listed_videos = [video for video in {video.name: video for video in videos}.values() if has_images(video)]
    report.problems += doubts_of_positions(listed_videos)
    report.notes += [note] if (note := first_annotated(listed_videos)) else []
    report.problems += doubts_of_placeholders(listed_videos, noun) if placeholders else []
    notes = [note for video in listed_videos if isinstance(video.images, ImageFiles) for note in video.images.notes]
    report.notes += notes[:_SHOWN] + (
        [f"and {counted(len(notes) - _SHOWN, 'more such folder')}"] if len(notes) > _SHOWN else []
    )


def sound_seconds(path: Path) -> float:
    """Return the duration of an audio file by its header; 0 if it is unreadable, which runs report themselves."""
    try:
        return open_media(path).seconds
    except (DataError, MissingDependencyError):
        return 0.0
