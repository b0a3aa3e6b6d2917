"""Audio and transcripts of the data sets in which people speak: Hume-Vidmimic2 and BAH."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.datasets.checking.audio_lengths import sound_fits
from harness.datasets.dataset import Video
from harness.errors import problem
from harness.system.counts import counted, some, verb_for

SHORTEST = 0.025
"""Seconds of audio that an encoder of speech needs for its first row: 400 samples at 16 kHz."""

_SHOWN = 5


def problems_of_audio(lengths: Mapping[Path, tuple[float, str]]) -> list[str]:
    """Return problems of audio that is unreadable, or too short for an encoder of speech."""
    messages = [why for _, why in lengths.values() if why]
    expected = f"{SHORTEST} s or more, for one row of an encoder of speech"
    messages += [
        problem("too short an audio file", where=path, found=f"{seconds:.4f} s", expected=expected)
        for path, (seconds, why) in lengths.items()
        if not why and 0 < seconds < SHORTEST
    ]
    return _capped(messages, "more audio files can't be used")


def problems_of_lengths(expected_seconds: Mapping[Path, tuple[float, str]], seconds: Mapping[Path, float]) -> list[str]:
    """Return problems of audio that lasts longer or shorter than expected, by more than a second and two per cent.

    Args:
        expected_seconds: expected duration of each audio file, with the source of that figure in words.
        seconds: duration of each audio file.
    """
    messages = []
    for path, (expected, source) in expected_seconds.items():
        length = seconds.get(path, 0.0)
        if length and expected and not sound_fits(length, expected):
            what = f"this audio is {'shorter' if length < expected else 'longer'} than its video"
            due, do = f"{expected:.2f} s, {source}", "Make the audio again from the video file"
            messages.append(problem(what, where=path, found=f"{length:.2f} s", expected=due, do=do))
    return _capped(messages, "more audio files have another length than their videos")


def _capped(messages: list[str], what: str) -> list[str]:
    """Return the first messages, and the number of the others."""
    more = len(messages) - _SHOWN
    return messages[:_SHOWN] + ([f"{more} {what}"] if more > 0 else [])


def note_without_video(audio: Collection[str], videos: Collection[str], where: Path) -> list[str]:
    """Return a note on audio files without a video file.

    Args:
        audio: names of videos with an audio file.
        videos: names of videos with a video file.
        where: the folder that the video files belong in.
    """
    alone = sorted(set(audio) - set(videos))
    if not alone:
        return []
    if not videos:
        return [f"{counted(len(alone), 'audio file')} and no video files in {where}: whether both fit can't be told"]
    return [f"{counted(len(alone), 'audio file', 'have')} no video file in {where}: {some(alone)}"]


def note_transcripts(split: str, videos: Sequence[Video]) -> list[str]:
    """Return a note with the number of transcripts, and of empty ones, of a split; empty if there are none."""
    known = [video for video in videos if video.transcript is not None]
    if not known:
        return []
    empty = [video.name for video in known if video.transcript is not None and video.transcript.is_empty]
    return [
        f"{split}: {len(known)} of {counted(len(videos), 'video')} {verb_for(len(known), 'have')} a transcript, "
        f"{len(empty)} of these {verb_for(len(empty), 'are')} empty"
    ]
