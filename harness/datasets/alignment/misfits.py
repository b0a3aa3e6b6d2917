"""Offsets between the parts of one video: frames, times, audio, labels, images of frames, rows of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.datasets.alignment.causes import LEAST, Misfit, reported
from harness.datasets.alignment.features import FeatureRows
from harness.datasets.audio.rows import AudioRows
from harness.datasets.audio.streams import FileAudio, FileStreams
from harness.datasets.video_files.counts import FilmReading, lost_frames
from harness.errors import problem
from harness.system.counts import counted, verb_for

_PACKET = 1152  # samples: audio ends with a whole packet, of AAC or mp3
_ROWS_END = 0.1  # s: windows of opensmile's that the end of audio leaves incomplete


@dataclass(frozen=True)
class VideoFacts:
    """The measurements of one video file.

    Attributes:
        path: the file.
        reading: result of decoding its images.
        streams: its streams; ``None`` where PyAV is missing.
    """

    path: Path
    reading: FilmReading
    streams: FileStreams | None

    @property
    def frames(self) -> int:
        """Decoded frames."""
        return self.reading.frames

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """Seconds from the first frame to each frame, float64 ``(n,)``."""
        return self.reading.times.seconds() if self.reading.times is not None else np.empty(0)

    @property
    def rate(self) -> float:
        """Frames per second from the first frame to the last; by the header for a single frame, or 1."""
        span = float(self.times[-1]) if len(self.times) else 0.0
        return (self.frames - 1) / span if span > 0 else self.reading.rate or 1.0

    @property
    def has_clock(self) -> bool:
        """True where offsets in frames can be converted to milliseconds."""
        return bool(self.reading.rate) or len(self.times) > 1

    @property
    def duration(self) -> float:
        """Seconds for which the frames are shown."""
        times = self.reading.times
        return 0.0 if times is None else times.duration or 1 / self.rate

    @property
    def audio(self) -> FileAudio | None:
        """The audio in the file."""
        return self.streams.audio if self.streams is not None else None

    @cached_property
    def late(self) -> npt.NDArray[np.float64]:
        """Frames by which each frame comes later than at a constant rate, float64 ``(n,)``."""
        return self.times * self.rate - np.arange(len(self.times))

    def place(self, seconds: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        """Return the frames that are shown at times, float64, from 0, with the share of the time to the next frame.

        Before the first frame, frames count as long as the first one; behind the last, as long as most others.

        Args:
            seconds: times from the first frame.
        """
        seconds = np.asarray(seconds, np.float64)
        if len(self.times) < 2 or self.reading.times is None:
            return np.asarray(seconds * self.rate)
        after = self.frames - 1 + (seconds - self.times[-1]) / (self.reading.times.usual_step or 1 / self.rate)
        before = seconds / (self.times[1] or 1 / self.rate)
        inside = np.interp(seconds, self.times, np.arange(self.frames))
        return np.where(seconds < 0, before, np.where(seconds > self.times[-1], after, inside))

    @property
    def is_variable(self) -> bool:
        """True if some frame is at least one frame away from its place at a constant rate."""
        return bool(len(self.late)) and reported(float(np.abs(self.late).max()))

    @property
    def constant_rate_frames(self) -> int:
        """Frames of the file after conversion to a constant rate by repeating frames; 0 where that is unknown."""
        if self.streams is None or not self.streams.usual_rate or not len(self.times):
            return 0
        lead = max(0.0, -self.audio.start) if self.audio is not None else 0.0
        return int((lead + float(self.times[-1])) * self.streams.usual_rate + 0.5) + 1


def film_misfits(facts: VideoFacts) -> Iterator[Misfit]:
    """Yield misfits of a video file's images: damage, hidden frames, a wrong header, an uneven rate, rotation."""
    count, n = facts.reading.count, facts.frames
    if damage := lost_frames(facts.path, count):
        yield _by_frames("unreadable", n - count.whole, facts, damage.removeprefix(f"{facts.path}: "))
    first = facts.reading.times.first if facts.reading.times is not None else 0.0
    late_start = reported(first * facts.rate)
    if late_start:
        detail = f"the first image is decoded {first:.3f} s behind the first packet"
        yield _by_seconds("undecodable-start", first, facts, detail)
    if count.shown is not None and count.packets > count.shown:
        listed = count.header or count.packets
        detail = f"{counted(listed, 'frame')} in the index, {count.shown:,} {verb_for(count.shown, 'are')} shown"
        yield _by_frames("hidden-frames", listed - count.shown, facts, detail)
    elif count.header not in (0, n) and not late_start and not damage:
        is_avi = facts.path.suffix.lower() == ".avi" and facts.is_variable
        cause = "fragmented" if count.fragmented else "empty-chunks" if is_avi else "header-count"
        detail = f"{counted(count.header, 'frame')} by the header, {n:,} decoded"
        yield _by_frames(cause, count.header - n, facts, detail)
    if facts.is_variable:
        at = int(np.abs(facts.late).argmax())
        detail = f"frame {at + 1:,} is shown at {facts.times[at]:.3f} s, at {facts.rate:.4g} per second at "
        yield _by_frames("variable-rate", float(facts.late[at]), facts, f"{detail}{at / facts.rate:.3f} s")
    elif facts.reading.rate and n > 1:
        wrong = (n - 1) / facts.reading.rate - float(facts.times[-1])
        if reported(wrong * facts.rate):
            detail = f"{facts.reading.rate:.6g} frames per second by the header, {facts.rate:.6g} by decoding"
            yield _by_seconds("declared-rate", wrong, facts, detail)
    if facts.reading.rotation:
        yield Misfit("rotated", 0.0, 0.0, f"by {facts.reading.rotation} degrees clockwise")


def stream_misfits(facts: VideoFacts) -> Iterator[Misfit]:
    """Yield differences between the audio in a video file and its images."""
    if facts.streams is not None and facts.streams.problem:
        yield Misfit("audio-unreadable", 0.0, 0.0, facts.streams.problem)
    audio = facts.audio
    if audio is None or not facts.frames:
        return
    frames = float(facts.place(audio.start))
    if reported(frames):
        cause = "late-audio" if frames > 0 else "late-images"
        detail = f"audio starts {abs(audio.start):.3f} s {'after' if frames > 0 else 'before'} the first image"
        yield Misfit(cause, abs(frames), 1000 * abs(audio.start), detail)
    if audio.gaps:
        jumps = sum(jump for _, jump in audio.gaps)
        detail = f"{counted(len(audio.gaps), 'jump')}, the first at {audio.gaps[0][0]:.3f} s"
        yield _by_seconds("audio-gap", jumps, facts, detail, at=audio.gaps[0][0])
    more = audio.end - facts.duration
    beyond_a_packet = facts.duration + max(0.0, abs(more) - _PACKET / audio.rate)
    if reported(float(facts.place(beyond_a_packet) - facts.place(facts.duration))):
        detail = f"audio ends at {audio.end:.3f} s, images at {facts.duration:.3f} s"
        yield _by_seconds("long-audio" if more > 0 else "short-audio", more, facts, detail, at=facts.duration)


def missing_start(facts: VideoFacts, seconds: float) -> float:
    """Return the seconds of a late start that an audio file lacks, by its length; 0 where it has them.

    Args:
        facts: measurements of the video file that the audio was taken from.
        seconds: duration of the audio file.
    """
    audio = facts.audio
    if audio is None or facts.place(audio.start) < LEAST:
        return 0.0
    return audio.start if abs(seconds - audio.decoded) < abs(seconds - audio.read) else 0.0


def row_offset(facts: VideoFacts, encoder: AudioRows, seconds: float, official: int, start: float) -> float:
    """Return the frames by which a frame's row lies at a later moment, for the frame that is farthest off.

    Rows are spread evenly over the frames, as runs do. The steps between rows, which every encoder has, don't count.

    Args:
        facts: measurements of the video file.
        encoder: geometry of the rows.
        seconds: duration of the audio that is encoded.
        official: frames over which the rows are spread.
        start: seconds from the first image to the first sample of the audio that is encoded.
    """
    rows, frames = encoder.count(seconds), np.arange(min(official, facts.frames), dtype=np.float64)
    if not rows or not len(frames):
        return 0.0
    late = facts.place(encoder.start(frames * rows / official) + start) - frames
    return float(late[np.abs(late).argmax()])


def audio_file_misfits(
    facts: VideoFacts, path: Path, offsets: Mapping[AudioRows, float], start: float
) -> Iterator[Misfit]:
    """Yield differences between the audio that runs read and the frames.

    Args:
        facts: measurements of the video file.
        path: path of the audio.
        offsets: offset of each encoder's rows, by :func:`row_offset`.
        start: seconds that the audio lacks at its beginning.
    """
    if start:
        detail = f"{path.name} lacks the {start:.3f} s before the audio's start"
        yield _by_seconds("audio-file-start", start, facts, detail)
    off = {rows: frames for rows, frames in offsets.items() if abs(frames) - rows.seconds * facts.rate >= LEAST}
    if off:  # beyond the length of one row, by which any encoder may be off
        rows, frames = min(off.items(), key=lambda pair: pair[0].step)
        detail = f"rows of {rows.encoder}, from {path.name}, spread over {counted(facts.frames, 'frame')}"
        yield _by_frames("audio-rows", frames, facts, detail)


def label_misfits(facts: VideoFacts, official: int) -> Iterator[Misfit]:
    """Yield a misfit if the video's length differs from that of its labels or template."""
    if official and official != facts.frames:
        detail = f"{counted(official, 'official frame')}, {facts.frames:,} decoded"
        cause = "labels-beyond" if official > facts.frames else "labels-end-early"
        yield _by_frames(cause, official - facts.frames, facts, detail)


def image_misfits(facts: VideoFacts, numbers: npt.NDArray[np.int64], noun: str) -> Iterator[Misfit]:
    """Yield a misfit if the last number of image files differs from that of the last frame.

    Args:
        facts: measurements of the video file.
        numbers: 1-based numbers of the frames that have an image.
        noun: word for an image.
    """
    last = int(numbers[-1]) if len(numbers) else 0
    if last in (0, facts.frames):
        return
    detail = f"{counted(len(numbers), noun)}, the last is {last:,}; {counted(facts.frames, 'frame', 'are')} decoded"
    if last == facts.constant_rate_frames:
        yield _by_frames("images-constant-rate", last - facts.frames, facts, detail)
        return
    yield _by_frames("images-beyond" if last > facts.frames else "images-end-early", last - facts.frames, facts, detail)


def feature_misfits(facts: VideoFacts, rows: FeatureRows) -> Iterator[Misfit]:
    """Yield rows of another tool that belong to other frames than the tool says."""
    yield from _audio_features(facts, rows) if rows.of_audio else _frame_features(facts, rows)


def _frame_features(facts: VideoFacts, rows: FeatureRows) -> Iterator[Misfit]:
    assert rows.numbers is not None  # noqa: S101 (the caller checks it)
    n, first, last = facts.frames, int(rows.numbers[0]), int(rows.numbers[-1])
    where = f"{rows.tool}, {rows.path.name}: {counted(len(rows.numbers), 'row')}, frames {first:,} to {last:,}"
    shift = first - 1
    if shift and last - n == shift and (rows.dense or shift < 0):
        yield _by_frames("features-shifted", shift, facts, f"{where} of {n:,}, counted from 1")
        return
    if last > n or (last < n and rows.dense):
        cause = "features-beyond" if last > n else "features-end-early"
        cause = "features-constant-rate" if last == facts.constant_rate_frames else cause
        yield _by_frames(cause, last - n, facts, f"{where} of {n:,}")
    if rows.seconds is None or not len(facts.times):
        return
    inside = (rows.numbers >= 1) & (rows.numbers <= n)
    numbers, seconds = rows.numbers[inside], rows.seconds[inside]
    late = facts.place(seconds) - (numbers - 1)
    if len(late) and reported(float(np.abs(late).max())):
        at = int(np.abs(late).argmax())
        shown = float(facts.times[numbers[at] - 1])
        detail = f"{where}: frame {numbers[at]:,} at {seconds[at]:.3f} s, shown at {shown:.3f} s"
        yield Misfit("features-times", float(late[at]), 1000 * float(seconds[at] - shown), detail)


def _audio_features(facts: VideoFacts, rows: FeatureRows) -> Iterator[Misfit]:
    where, audio = f"{rows.tool}, {rows.path.name}: ends at {rows.end:.3f} s", facts.audio
    if audio is None:
        ends, start = (facts.duration, facts.duration), 0.0
    else:  # as a program counts that reads audio alone, and as one that fills a late start
        ends, start = (audio.decoded, audio.read), audio.start
    from_first_sample = reported(float(facts.place(start)))
    if from_first_sample and rows.dense:
        from_first_sample = abs(rows.end - ends[0]) < abs(rows.end - ends[1])
    if from_first_sample:
        cause = "features-late-audio" if rows.dense else "transcript-late-audio"
        yield _by_seconds(cause, -start, facts, f"{where}; the first sample is at {start:.3f} s")
    end = (ends[0] if from_first_sample else ends[1]) if rows.dense else max(*ends, facts.duration)
    more = rows.end - end
    beyond, early = (float(facts.place(time) - facts.place(end)) for time in (rows.end, rows.end + _ROWS_END))
    if more > 0 and reported(beyond):
        yield _by_seconds("features-beyond", more, facts, f"{where}, the audio at {end:.3f} s", at=end)
    elif rows.dense and reported(min(0.0, early)):
        yield _by_seconds("features-end-early", more, facts, f"{where}, the audio at {end:.3f} s", at=end)


def _by_frames(cause: str, frames: float, facts: VideoFacts, detail: str) -> Misfit:
    return Misfit(cause, float(frames), 1000 * frames / facts.rate if facts.has_clock else 0.0, detail)


def _by_seconds(cause: str, seconds: float, facts: VideoFacts, detail: str, at: float = 0.0) -> Misfit:
    """Return a misfit of some seconds from a time on, with the number of frames that are shown in these seconds."""
    return Misfit(cause, float(facts.place(at + seconds) - facts.place(at)), 1000 * seconds, detail)


def undecodable_misfit(error: Exception, path: Path) -> Misfit:
    """Return the misfit of a file that gives no frame, with the words of its error."""
    return Misfit("unreadable", 0.0, 0.0, str(error).removeprefix(f"{path}: "))


def unreadable_features(error: Exception, path: Path) -> Misfit:
    """Return the misfit of a file of features whose rows have no known place."""
    return Misfit("features-unreadable", 0.0, 0.0, problem(str(error).removeprefix(f"{path}: "), where=path.name))
