"""Transcripts: the words of a video, with times where they are known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TranscriptLine:
    """A stretch of speech.

    Attributes:
        start: seconds from the start of the audio; ``None`` where unknown.
        end: seconds from the start of the audio; ``None`` where unknown.
    """

    text: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Transcript:
    """The words of a video.

    Attributes:
        text: the whole text; empty where nothing is said.
        lines: parts of it with times, in order; empty where no times are known.
        source: the file, or the speech recogniser with its version.
    """

    text: str
    lines: tuple[TranscriptLine, ...] = ()
    source: str = ""
