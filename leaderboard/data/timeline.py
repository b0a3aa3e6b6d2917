"""Timeline of one video: labels, spoken lines, answers of runs, frames without a crop, reduced to fit a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.datasets.transcripts import Transcript
from harness.tables.table import one_line
from harness.tasks import Task, valid_rows

LABEL = "label"
MOST_ROWS = 4800  # all curves together
_MOST_COLUMNS = 600
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """Answer of one run to one video.

    Attributes:
        name: name of the run in the legend; a fixed text, never the user's.
        scores: float ``(n, outputs)`` of frames 1 to n; ``None`` if the run has no scores.
        decisions: official values ``(n,)`` or ``(n, outputs)``, with the task's invalid marker for frames without a
            decision; ``None`` if the official file is missing.
    """

    name: str
    scores: npt.NDArray[Any] | None
    decisions: npt.NDArray[Any] | None


@dataclass(frozen=True)
class SpokenLine:
    """Line of a transcript, located among the frames.

    Attributes:
        text: the words, on one line.
        start, end: seconds from the start of the audio; ``None`` if unknown.
        first, last: frames during which the line is spoken; ``None`` if times or the frame rate are unknown.
    """

    text: str
    start: float | None
    end: float | None
    first: int | None
    last: int | None


def spoken_lines(transcript: Transcript, fps: float | None, n_frames: int) -> tuple[SpokenLine, ...]:
    """Return the lines of a transcript with the frames that they are spoken in.

    A line without an end goes on to the start of the next one, or to the end of the video. A line beyond the last frame
    has no frames.

    Args:
        transcript: transcript of the video.
        fps: frames per second of the video; ``None`` if frames can't be converted to times.
        n_frames: number of frames of the video.
    """
    lines = []
    for k, line in enumerate(transcript.lines):
        following = transcript.lines[k + 1].start if k + 1 < len(transcript.lines) else None
        end = line.end if line.end is not None else following
        first = last = None
        if fps is not None and line.start is not None and line.start * fps < n_frames:
            first = int(line.start * fps) + 1  # frame k shows the time from (k - 1) / fps on
            last = n_frames if end is None else min(n_frames, max(first, int(np.ceil(end * fps))))
        lines.append(SpokenLine(one_line(line.text), line.start, line.end, first, last))
    return tuple(lines)


@dataclass(frozen=True)
class Timeline:
    """Labels, answers and spoken lines of one video.

    Attributes:
        task: task of the labels and answers.
        video: name of the video.
        n_frames: number of frames; 1 for a task of level ``video``.
        labels: official values ``(n_frames,)`` or ``(n_frames, outputs)`` with the invalid marker; ``None`` if
            unreadable.
        bare: True for frames without a crop, bool ``(n_frames,)``; ``None`` if unknown.
        tracks: answers of one run or two.
        words: spoken lines in order; empty without a transcript.
    """

    task: Task
    video: str
    n_frames: int
    labels: npt.NDArray[Any] | None
    bare: Bool | None
    tracks: Sequence[Track]
    words: Sequence[SpokenLine] = ()

    @property
    def annotated(self) -> Bool | None:
        """Mask of the frames whose label counts, bool ``(n_frames,)``; ``None`` without labels."""
        return None if self.labels is None else valid_rows(self.labels, self.task)

    def error(self, track: Track) -> npt.NDArray[np.float64] | None:
        """Return the error of each frame, float64 ``(n_frames,)``.

        The error is 0 or 1 for classes, the share of wrong units for action units, and the mean absolute difference for
        values. Frames whose label does not count are NaN.

        Returns:
            The errors; ``None`` without labels or decisions.
        """
        annotated = self.annotated
        if self.labels is None or annotated is None or track.decisions is None:
            return None
        if self.task.kind == "values":
            wrong = np.abs(track.decisions - self.labels).mean(1)
        else:
            wrong = np.asarray(track.decisions != self.labels, np.float64)
            wrong = wrong.mean(1) if wrong.ndim > 1 else wrong
        return np.where(annotated, wrong, np.nan)

    def worst_stretch(self, track: Track, length: int) -> tuple[int, int] | None:
        """Return first and last frame of the ``length`` frames with the largest error; ``None`` if unknown."""
        return self._most(self.error(track), length)

    def apart_stretch(self, a: Track, b: Track, length: int) -> tuple[int, int] | None:
        """Return the ``length`` frames in which the errors of two tracks differ most; ``None`` if unknown."""
        of_a, of_b = self.error(a), self.error(b)
        return None if of_a is None or of_b is None else self._most(np.abs(of_a - of_b), length)

    def _most(self, error: npt.NDArray[np.float64] | None, length: int) -> tuple[int, int] | None:
        if error is None or not np.isfinite(error).any():
            return None
        length = max(1, min(length, self.n_frames))
        before = np.concatenate([[0.0], np.cumsum(np.nan_to_num(error))])
        first = int(np.argmax(before[length:] - before[:-length]))
        return first + 1, first + length


def stretch_of(text: str, n_frames: int) -> tuple[int, int]:
    """Return first and last frame of a text such as ``120-480``; all frames for any other text or an empty stretch."""
    begin, _, end = text.partition("-")
    if not (begin.isascii() and begin.isdigit() and end.isascii() and end.isdigit() and len(text) < 40):
        return 1, n_frames
    first, last = max(1, int(begin)), min(n_frames, int(end))
    return (first, last) if first < last else (1, n_frames)


def bars(timeline: Timeline, first: int, last: int) -> pd.DataFrame:
    """Return the stretches in which each class or unit is labelled or decided, one row per stretch.

    Stretches that lie too close for a screen are joined. Even the shortest stretch is listed.

    Returns:
        Columns ``who`` (``label`` or a track's name), ``target``, ``first``, ``last``; empty for tasks with values.
    """
    shown = slice(first - 1, last)
    parts: list[tuple[str, str, Bool]] = []
    for who, values in [(LABEL, timeline.labels), *((track.name, track.decisions) for track in timeline.tracks)]:
        if values is None or timeline.task.kind == "values":
            continue
        answers = values[shown]
        for k, target in enumerate(timeline.task.targets):
            parts.append((who, target, np.asarray(answers == k if answers.ndim == 1 else answers[:, k] == 1)))
    return _stretches(parts, first)


def strips(timeline: Timeline, first: int, last: int) -> pd.DataFrame:
    """Return the stretches of frames that a track decides wrong, or that lack a label or a crop.

    Returns:
        Columns ``who`` (a track's name, or empty), ``strip``, ``first``, ``last``.
    """
    shown, noun = slice(first - 1, last), timeline.task.noun
    several = len(timeline.tracks) > 1
    parts: list[tuple[str, str, Bool]] = []
    for track in timeline.tracks if timeline.task.kind == "classes" else ():
        error = timeline.error(track)
        if error is not None:
            parts.append((track.name, f"{track.name} wrong" if several else "wrong", error[shown] > 0))
    if timeline.annotated is not None:
        parts.append(("", "no label", ~timeline.annotated[shown]))
    if timeline.bare is not None:
        parts.append(("", f"no {noun}", timeline.bare[shown]))
    return _stretches(parts, first).rename(columns={"target": "strip"})


def answer_rows(timeline: Timeline) -> pd.DataFrame:
    """Return labels and answers for a task of level ``video``, one row per target.

    Returns:
        Columns ``target`` and ``labelled``; for values also ``value:<name>`` and ``error:<name>`` (absolute) per track;
        for classes also ``decided:<name>`` (a word, or empty) and ``score:<name>`` per track.
    """
    task, columns = timeline.task, {"target": list(timeline.task.targets)}
    known = timeline.labels is not None and timeline.annotated is not None and bool(timeline.annotated[0])
    label = timeline.labels[0] if known and timeline.labels is not None else None
    answers: dict[str, Any] = dict(columns)
    if task.kind == "values":
        answers["labelled"] = np.full(task.n_outputs, np.nan) if label is None else label
        for track in timeline.tracks:
            if track.decisions is not None:
                answers[f"value:{track.name}"] = track.decisions[0]
                answers[f"error:{track.name}"] = np.abs(track.decisions[0] - answers["labelled"])
        return pd.DataFrame(answers)
    answers["labelled"] = ["" if label is None or k != label else "labelled" for k in range(task.n_outputs)]
    for track in timeline.tracks:
        if track.decisions is not None:
            decided = int(track.decisions[0])
            answers[f"decided:{track.name}"] = ["decided" if k == decided else "" for k in range(task.n_outputs)]
        if track.scores is not None:
            answers[f"score:{track.name}"] = np.asarray(track.scores[0], np.float64)
    return pd.DataFrame(answers)


def word_stretches(timeline: Timeline, first: int, last: int) -> pd.DataFrame:
    """Return the lines spoken in a stretch: columns ``text``, ``first``, ``last``, with frames cut to the stretch."""
    rows = [
        (line.text, max(first, line.first), min(last, line.last))
        for line in timeline.words
        if line.first is not None and line.last is not None and line.first <= last and line.last >= first
    ]
    return pd.DataFrame(rows, columns=["text", "first", "last"])


def word_rows(timeline: Timeline, first: int, last: int) -> pd.DataFrame:
    """Return the lines spoken in a stretch, with labels and answers over each line's frames, one row per line.

    Lines that can't be located are listed as well.

    Returns:
        Columns ``start``, ``end`` (seconds), ``frames``, ``text``. Tasks with two classes also have ``labelled`` and,
        per track, ``decided:<name>``, the shares of the second class among the line's frames, and ``score:<name>``, the
        mean score of that class.
    """
    rows = []
    for line in timeline.words:
        located = line.first is not None and line.last is not None
        if located and not (line.first <= last and line.last >= first):  # type: ignore[operator]
            continue
        row: dict[str, Any] = {"start": line.start, "end": line.end, "frames": "", "text": line.text}
        if located:
            row["frames"] = f"{line.first:,} to {line.last:,}"
            if timeline.task.is_pair:
                row |= _shares(timeline, slice(line.first - 1, line.last))  # type: ignore[operator]
        rows.append(row)
    return pd.DataFrame(rows)


def _shares(timeline: Timeline, spoken: slice) -> dict[str, float]:
    """Return the second class's share of labels and decisions, and its mean score, over the frames of a line."""
    shares: dict[str, float] = {}
    if timeline.labels is not None and timeline.annotated is not None:
        labels = timeline.labels[spoken][timeline.annotated[spoken]]
        shares["labelled"] = float((labels == 1).mean()) if len(labels) else np.nan
    for track in timeline.tracks:
        if track.decisions is not None:
            shares[f"decided:{track.name}"] = float((track.decisions[spoken] == 1).mean())
        if track.scores is not None:
            shares[f"score:{track.name}"] = float(np.nan_to_num(track.scores[spoken][:, 1]).mean())
    return shares


def strip_names(timeline: Timeline) -> list[str]:
    """Return the names of the strips that the whole video has, whichever stretch is shown."""
    return list(dict.fromkeys(strips(timeline, 1, timeline.n_frames)["strip"]))


def curves(timeline: Timeline, first: int, last: int) -> pd.DataFrame:
    """Return the curves of scores or values: lowest, mean and highest of the frames that share a point.

    Returns:
        Columns ``who``, ``target``, ``first``, ``last``, ``low``, ``mean``, ``high``; NaN for points without a value.
        Tasks with values have a curve of the labels, too.
    """
    values_by_track = list(_curves(timeline))
    outputs = timeline.task.n_outputs
    columns = min(_MOST_COLUMNS, max(50, MOST_ROWS // (outputs * max(1, len(values_by_track)))))
    starts = _starts(last - first + 1, columns)
    ends = np.append(starts[1:], last - first + 1)
    frames = []
    for who, values in values_by_track:
        low, mean, high = _envelope(values[first - 1 : last], starts, ends - starts)
        frames.append(
            pd.DataFrame(
                {
                    "who": who,
                    "target": np.tile(np.array(timeline.task.targets, object), len(starts)),
                    "first": np.repeat(first + starts, outputs),
                    "last": np.repeat(first + ends - 1, outputs),
                    "low": low.ravel(),
                    "mean": mean.ravel(),
                    "high": high.ravel(),
                }
            )
        )
    columns_ = ["who", "target", "first", "last", "low", "mean", "high"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns_)


def _curves(timeline: Timeline) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    values = timeline.task.kind == "values"
    if values and timeline.labels is not None and timeline.annotated is not None:
        yield LABEL, np.where(timeline.annotated[:, None], timeline.labels, np.nan)
    for track in timeline.tracks:
        # for tasks with values the decisions are the scored values
        shown = track.decisions if values and track.decisions is not None else track.scores
        if shown is not None:
            scores = np.asarray(shown, np.float64)
            yield track.name, np.where(scores == timeline.task.invalid, np.nan, scores) if values else scores


def _starts(n: int, columns: int) -> npt.NDArray[np.int64]:
    """Return the first index of each part when ``n`` frames are cut into up to ``columns`` equal parts."""
    return np.unique(np.linspace(0, n, min(n, columns), endpoint=False).astype(np.int64))


def _envelope(
    values: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return lowest, mean and highest value of each part; frames without a value are left out."""
    low, high = np.fmin.reduceat(values, starts, axis=0), np.fmax.reduceat(values, starts, axis=0)
    there = np.isfinite(values)
    n = np.add.reduceat(there.astype(np.int64), starts, axis=0)
    total = np.add.reduceat(np.where(there, values, 0.0), starts, axis=0)
    # the mean of equal values is that value: rounding of the sum must not move it
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return low, np.clip(mean, low, high), high


def _stretches(parts: Sequence[tuple[str, str, Bool]], first: int) -> pd.DataFrame:
    rows: list[tuple[str, str, int, int]] = []
    for who, target, mask in parts:
        starts = _starts(len(mask), 2 * _MOST_COLUMNS)
        ends = np.append(starts[1:], len(mask))
        any_of = np.logical_or.reduceat(mask, starts) if len(mask) else mask
        change = np.flatnonzero(np.diff(np.concatenate([[0], any_of.astype(np.int8), [0]])))
        for begin, stop in zip(change[::2].tolist(), change[1::2].tolist(), strict=True):
            # exact first and last frame of the stretch inside its parts
            inside = np.flatnonzero(mask[starts[begin] : ends[stop - 1]])
            rows.append((who, target, first + int(starts[begin] + inside[0]), first + int(starts[begin] + inside[-1])))
    return pd.DataFrame(rows, columns=["who", "target", "first", "last"])
