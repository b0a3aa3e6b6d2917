"""Causes, by name, for which rows of a video's images, audio, labels or features belong to other frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LEAST = 0.95
"""Frames from which an offset is reported: one, less the rounding of containers' clocks."""

Level = Literal["problem", "note"]


@dataclass(frozen=True)
class Cause:
    """One cause.

    Attributes:
        name: word for the cause in the output.
        level: ``problem`` where rows of a run are missing or belong to other frames; ``note`` where the project reads
            the file right, but other programs do otherwise.
        recognised: measurement that identifies the cause, and the meaning of the offset.
        do: advice for the user.
    """

    name: str
    level: Level
    recognised: str
    do: str


CAUSES: Mapping[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause(
            "unreadable",
            "problem",
            "OpenCV can't open the file, decodes no frame of it, or ends before the frames that its index shows; "
            "the offset is the number of frames that are missing",
            "Copy the file again; frames from the damaged place on count as without an image",
        ),
        Cause(
            "hidden-frames",
            "note",
            "an mp4's edit list hides frames, as after a cut without re-encoding; the offset is the "
            "index's count less shown frames",
            "Read with a program that follows edit lists, or encode the file again",
        ),
        Cause(
            "fragmented",
            "note",
            "the index of an mp4 lists its first fragment alone; the offset is the header's count less decoded frames",
            "Count frames by decoding",
        ),
        Cause(
            "empty-chunks",
            "note",
            "the chunks of an AVI that hold no image are counted by its header; the offset is the header's count "
            "less decoded frames",
            "Count frames by decoding; extract frames with ffmpeg -fps_mode passthrough",
        ),
        Cause(
            "header-count",
            "note",
            "the header gives another number of frames for a reason beside those above, as audio that lasts "
            "longer in an mkv; the offset is the header's count less decoded frames",
            "Count frames by decoding",
        ),
        Cause(
            "undecodable-start",
            "note",
            "the stream of images begins between two key frames; the offset is the time from its first packet to "
            "its first decodable image",
            "Place audio and features by the first decoded image; programs that repeat it show it for too long",
        ),
        Cause(
            "late-images",
            "note",
            "images begin later than audio; the offset is the time between both",
            "Leave out the audio before the first image, as runs do; ffmpeg repeats the first image for that time"
            " unless it has -fps_mode passthrough",
        ),
        Cause(
            "variable-rate",
            "note",
            "decoded times leave a constant rate from the first frame to the last; the offset is that of the "
            "frame that is farthest from it, positive where it comes later",
            "Place frames by their times; encode at a constant rate before tools that take one",
        ),
        Cause(
            "declared-rate",
            "note",
            "the header's frames per second are others than those of the decoded times; the offset is that of the"
            " last frame where the header's rate is believed",
            "Compute no times from the header's rate",
        ),
        Cause(
            "rotated",
            "note",
            "a display matrix asks for a turn; no frame moves",
            "Read with a program that turns frames, as runs do",
        ),
        Cause(
            "late-audio",
            "note",
            "the first sample comes later than the first image; the offset is the time between both",
            "Fill the start with silence, as runs do; programs that read audio alone shift all of it",
        ),
        Cause(
            "audio-gap",
            "note",
            "the audio's clock jumps by more than .1 s; the offset is the sum of the jumps",
            "Fill gaps with silence, as runs do",
        ),
        Cause(
            "long-audio",
            "note",
            "audio ends later than the last image; the offset is the time between both",
            "Cut the audio to the length of the images",
        ),
        Cause(
            "short-audio",
            "note",
            "audio ends earlier than the last image; the offset is the time between both, negative",
            "Pad the audio to the length of the images",
        ),
        Cause(
            "audio-unreadable",
            "problem",
            "the audio can't be decoded to its end",
            "Copy the file again, or make the audio again from the video file",
        ),
        Cause(
            "audio-file-start",
            "problem",
            "an audio file lacks the silence before a late start of the audio in its video file; the offset is by"
            " how much later the moment of each row is than its frame",
            "Make the audio file again with the command that `abaw data check` prints",
        ),
        Cause(
            "audio-rows",
            "problem",
            "rows of a speech encoder, spread evenly over the video's frames as runs do, begin at other times "
            "than the frames, by more than a frame and a row; the offset is that of the frame that is farthest "
            "off, positive where its row is of a later moment",
            "Make audio that begins and ends with the images; encode a video of a variable rate at a constant rate",
        ),
        Cause(
            "labels-beyond",
            "problem",
            "labels or the template have more rows than frames can be decoded; the offset is the difference",
            "See whether this is the video that was annotated; the last rows count as without an image",
        ),
        Cause(
            "labels-end-early",
            "note",
            "labels or the template have fewer rows than frames can be decoded; the offset is the difference, negative",
            "See whether labels are of every frame, and begin with the first",
        ),
        Cause(
            "images-beyond",
            "problem",
            "the number of the last image file lies behind the last decoded frame; the offset is the difference",
            "Extract the images again by decoding, one per frame",
        ),
        Cause(
            "images-end-early",
            "note",
            "the number of the last image file lies before the last decoded frame; the offset is the difference, "
            "negative",
            "See whether the last frames have no face; if numbers have no gap at all, images may have been renumbered",
        ),
        Cause(
            "images-constant-rate",
            "problem",
            "there are as many image files as a program writes that repeats frames for a constant rate; the "
            "offset is the difference from the decoded frames",
            "Extract the images again, with ffmpeg -fps_mode passthrough",
        ),
        Cause(
            "features-unreadable",
            "problem",
            "a table or transcript can't be read, or has columns of no known tool",
            "Write it again with the tool, or bring numbered rows as abaw's precomputed features",
        ),
        Cause(
            "features-beyond",
            "problem",
            "the last row lies behind the last decoded frame or the end of the audio; the offset is the difference",
            "Run the tool on this very file",
        ),
        Cause(
            "features-end-early",
            "problem",
            "the last row of a tool that writes a row per frame lies before the last decoded frame, or rows of "
            "audio end before the audio; the offset is the difference, negative",
            "Run the tool to the end of this very file",
        ),
        Cause(
            "features-shifted",
            "problem",
            "rows begin with another number than the tool's first one, and end as much later; the offset is the "
            "difference",
            "Subtract the offset from the numbers of the frames",
        ),
        Cause(
            "features-constant-rate",
            "problem",
            "there are as many rows as a program reads that repeats frames for a constant rate; the offset is the"
            " difference from the decoded frames",
            "Run the tool on frames that were extracted with ffmpeg -fps_mode passthrough",
        ),
        Cause(
            "features-times",
            "problem",
            "the times of rows are others than those of their frames; the offset is that of the row that is "
            "farthest off, positive where its time is too late",
            "Place rows by their frames' numbers, never by these times",
        ),
        Cause(
            "features-late-audio",
            "problem",
            "rows of audio end where a program ends that counts from the first sample, which is not at the first "
            "image; the offset is by how much their times are early, negative, or late",
            "Add the audio's start to all times, or run the tool on audio whose late start is filled with silence",
        ),
        Cause(
            "transcript-late-audio",
            "note",
            "lines of a transcript, whose recogniser counts from the first sample if it read the video file "
            "itself, and that sample is not at the first image; the offset is by how much their times are then "
            "early, negative, or late",
            "Make transcripts with abaw transcribe, or from audio whose late start is filled with silence",
        ),
    )
}


@dataclass(frozen=True)
class Misfit:
    """One difference between parts of a video.

    Attributes:
        cause: name in :data:`CAUSES`.
        frames: offset in frames; positive for later, or for more.
        milliseconds: the offset on the video's clock.
        detail: measurement in words.
    """

    cause: str
    frames: float
    milliseconds: float
    detail: str

    @property
    def level(self) -> Level:
        """Level of the cause."""
        return CAUSES[self.cause].level

    @property
    def whole_frames(self) -> int:
        """Offset rounded to whole frames."""
        return round(self.frames)


def reported(frames: float) -> bool:
    """Return True for an offset of at least one frame."""
    return abs(frames) >= LEAST
