"""``abaw data align``: comparison of each video's frames with its audio, labels, images and rows of other tools."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.alignment.causes import CAUSES, Misfit
from harness.datasets.alignment.features import match_files, read_rows
from harness.datasets.alignment.misfits import (
    VideoFacts,
    audio_file_misfits,
    feature_misfits,
    film_misfits,
    image_misfits,
    label_misfits,
    missing_start,
    row_offset,
    stream_misfits,
    undecodable_misfit,
    unreadable_features,
)
from harness.datasets.alignment.subjects import Subject, find_subjects
from harness.datasets.audio.rows import AudioRows
from harness.datasets.audio.streams import audio_seconds, read_streams, stream_reader
from harness.datasets.video_files.capture import undecodable
from harness.datasets.video_files.counts import FilmCount, FilmReading, read_film
from harness.datasets.video_files.times import frame_times
from harness.errors import DataError, MissingDependencyError, problem
from harness.system.counts import counted, some
from harness.system.progress import progress


@dataclass
class VideoAlignment:
    """The measurements of one video.

    Attributes:
        name: name of the video.
        file: its video file; ``None`` where there is none.
        frames: number of decoded frames.
        header_frames: number of frames by the header; 0 where it has no count.
        packets: compressed frames in the file.
        shown: frames that an mp4's edit list lets through; ``None`` for other formats, and for fragmented files.
        fragmented: True for an mp4 whose index lists its first fragment alone.
        variable_rate: True if some frame is at least one frame away from its place at a constant rate.
        rate: frames per second from the first frame to the last.
        seconds: seconds for which the frames are shown.
        width, height: of a frame, upright.
        rotation: degrees clockwise that the file asks for.
        audio: of the video file, in seconds from the first image; empty where there is none.
        rows: by speech encoder, number of rows and largest offset in frames.
        official: rows of labels or template, one per frame; 0 where unknown.
        images: number of image files, and number of the last; empty where there are none.
        features: one entry per file of ``--features``.
        misfits: all differences between the parts of the video.
    """

    name: str
    file: Path | None
    frames: int = 0
    header_frames: int = 0
    packets: int = 0
    shown: int | None = None
    fragmented: bool = False
    variable_rate: bool = False
    rate: float = 0.0
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    rotation: int = 0
    audio: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    official: int = 0
    images: dict[str, int] = field(default_factory=dict)
    features: list[dict[str, Any]] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)

    @property
    def has_problem(self) -> bool:
        """True where a misfit is a problem."""
        return any(misfit.level == "problem" for misfit in self.misfits)

    def as_dict(self) -> dict[str, Any]:
        """Return the alignment as plain data, for ``--json``."""
        misfits = [
            {
                "cause": misfit.cause,
                "level": misfit.level,
                "offset_frames": misfit.whole_frames,
                "offset_frames_exact": round(misfit.frames, 4),
                "offset_ms": round(misfit.milliseconds, 3),
                "detail": misfit.detail,
            }
            for misfit in self.misfits
        ]
        return {**asdict(self), "file": str(self.file) if self.file else None, "misfits": misfits}


@dataclass
class AlignmentReport:
    """The contents of the output of ``abaw data align``.

    Attributes:
        kind: names of the layouts.
        root: the folder.
        videos: in the order of the data set.
        problems: messages on files that could not be opened at all.
        notes: assumptions, and files that were left out.
    """

    kind: str
    root: Path
    videos: list[VideoAlignment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def has_problem(self) -> bool:
        """True where anything is a problem, for the exit code."""
        return bool(self.problems) or any(video.has_problem for video in self.videos)

    def by_cause(self) -> dict[str, list[Misfit]]:
        """Return the misfits of all videos by cause, in the order of :data:`CAUSES`."""
        misfits = [misfit for video in self.videos for misfit in video.misfits]
        by_cause = {name: [misfit for misfit in misfits if misfit.cause == name] for name in CAUSES}
        return {name: members for name, members in by_cause.items() if members}

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for ``--json``."""
        causes = {
            name: {
                "level": CAUSES[name].level,
                "videos": len(members),
                "median_offset_frames": float(np.median([misfit.frames for misfit in members])),
                "largest_offset_frames": max((misfit.frames for misfit in members), key=abs),
                "do": CAUSES[name].do,
            }
            for name, members in self.by_cause().items()
        }
        return {
            "kind": self.kind,
            "root": str(self.root),
            "videos": [video.as_dict() for video in self.videos],
            "causes": causes,
            "problems": self.problems,
            "notes": self.notes,
        }


def align_data(
    root: Path,
    *,
    encoders: Sequence[AudioRows] = (),
    features: Sequence[Path] = (),
    cache: Path | None = None,
    workers: int | None = None,
) -> AlignmentReport:
    """Compare frames, audio, labels, images and features of each video below a folder.

    Each video file is decoded once; the cache stores the result by the file's identity.

    Args:
        root: folder of a data set or of video files, or one video file.
        encoders: geometry of the rows of speech encoders.
        features: folders of the files of other tools.
        cache: folder of all caches; ``None`` to store results in memory.
        workers: cores to decode on; all by default.

    Raises:
        DataError: the folder is missing or empty, or lacks video files; the file is damaged or of another kind; or a
            folder of features is unusable.
    """
    subjects = find_subjects(root, cache)
    report = AlignmentReport(subjects.kind, root, problems=subjects.problems, notes=subjects.notes)
    names = [subject.name for subject in subjects.members]
    files: dict[str, list[Path]] = {}
    for folder in features:
        matched, strangers = match_files(folder, names)
        for name, paths in matched.items():
            files.setdefault(name, []).extend(paths)
        _note_matches(report, folder, names, matched, strangers)
    has_streams = _note_missing_reader(report)
    workers = workers or os.cpu_count() or 1
    threads = max(1, workers // max(1, len(names)))
    locks = {subject.file: threading.Lock() for subject in subjects.members}  # x_left and x_right are in one file
    measure = partial(
        _measure, encoders=encoders, files=files, cache=cache, threads=threads, has_streams=has_streams, locks=locks
    )
    title = f"measuring {counted(len(names), 'video')}"
    with ThreadPoolExecutor(workers) as pool, progress(title, len(names), "videos") as advance:
        for video in pool.map(measure, subjects.members):
            report.videos.append(video)
            advance(1)
    _note_without_file(report)
    if root.is_file() and report.videos[0].frames == 0:
        message = report.videos[0].misfits[0].detail
        raise DataError(message if message.startswith(str(root)) else f"{root}: {message}")
    return report


def _measure(
    subject: Subject,
    *,
    encoders: Sequence[AudioRows],
    files: Mapping[str, Sequence[Path]],
    cache: Path | None,
    threads: int,
    has_streams: bool,
    locks: Mapping[Path | None, threading.Lock],
) -> VideoAlignment:
    video = VideoAlignment(subject.name, subject.file, official=subject.official)
    if subject.file is None:
        _hold_without_file(video, subject, encoders, files.get(subject.name, ()), cache)
        return video
    try:
        with locks[subject.file]:
            reading = read_film(subject.file, cache, threads=threads)
            if not reading.frames:
                raise DataError(undecodable(subject.file))
            streams = read_streams(subject.file, cache) if has_streams else None
    except DataError as error:
        video.misfits.append(undecodable_misfit(error, subject.file))
        return video
    facts = VideoFacts(subject.file, reading, streams)
    count = reading.count
    video.frames, video.header_frames, video.packets = count.frames, count.header, count.packets
    video.shown, video.fragmented, video.variable_rate = count.shown, count.fragmented, facts.is_variable
    video.width, video.height, video.rotation = reading.width, reading.height, reading.rotation
    video.rate, video.seconds = round(facts.rate, 6), round(facts.duration, 6)
    video.audio = asdict(facts.audio) if facts.audio is not None else {}
    video.misfits += [*film_misfits(facts), *stream_misfits(facts)]
    _hold_audio(video, facts, subject, encoders, cache)
    video.misfits += label_misfits(facts, subject.official)
    _hold_images(video, facts, subject)
    for path in files.get(subject.name, ()):
        _hold_features(video, facts, path)
    return video


def _hold_without_file(
    video: VideoAlignment,
    subject: Subject,
    encoders: Sequence[AudioRows],
    features: Sequence[Path],
    cache: Path | None,
) -> None:
    """Compare features, and audio where a data set has one rate, with the official frames."""
    if subject.video is None:
        return
    try:
        n, fps = subject.official or subject.video.n_frames, subject.video.fps or 0.0
    except DataError as error:  # its images can't be listed
        video.misfits.append(undecodable_misfit(error, subject.video.image_folder or Path(subject.name)))
        return
    if not n:
        return
    times = frame_times(np.arange(n) * 1000 / fps) if fps else None
    facts = VideoFacts(Path(subject.name), FilmReading(FilmCount(n, n, n), times, rate=fps), None)
    if fps:
        _hold_audio(video, facts, subject, encoders, cache)
    for path in features:
        _hold_features(video, facts, path)


def _hold_audio(
    video: VideoAlignment, facts: VideoFacts, subject: Subject, encoders: Sequence[AudioRows], cache: Path | None
) -> None:
    """Compare the audio that runs read, and the rows of speech encoders, with the frames."""
    path, start = subject.audio, 0.0
    if path is None or (path == subject.file and facts.audio is None):
        return
    if path == subject.file:
        seconds = facts.audio.read if facts.audio is not None else 0.0
    else:
        try:
            seconds = audio_seconds(path, cache)
        except MissingDependencyError:
            return
        except DataError as error:
            video.misfits.append(Misfit("audio-unreadable", 0.0, 0.0, str(error)))
            return
        start = missing_start(facts, seconds)
    official = subject.official or facts.frames
    offsets = {rows: row_offset(facts, rows, seconds, official, start) for rows in encoders}
    video.rows = {
        rows.encoder: {"rows": rows.count(seconds), "offset_frames": round(offset, 4)}
        for rows, offset in offsets.items()
    }
    video.misfits += audio_file_misfits(facts, path, offsets, start)


def _hold_images(video: VideoAlignment, facts: VideoFacts, subject: Subject) -> None:
    """Compare the numbers of image files with the frames."""
    if subject.video is None or subject.video.image_folder is None:
        return
    try:
        numbers = subject.video.images.frames
    except DataError as error:
        video.misfits.append(undecodable_misfit(error, subject.video.image_folder))
        return
    if len(numbers):
        video.images = {"images": len(numbers), "last": int(numbers[-1])}
        video.misfits += image_misfits(facts, numbers, subject.video.noun)


def _hold_features(video: VideoAlignment, facts: VideoFacts, path: Path) -> None:
    """Compare the rows of a file of another tool with the frames or the audio."""
    try:
        rows = read_rows(path)
    except DataError as error:
        video.misfits.append(unreadable_features(error, path))
        return
    entry: dict[str, Any] = {"tool": rows.tool, "file": str(path)}
    if rows.numbers is not None:
        entry |= {"rows": len(rows.numbers), "first": int(rows.numbers[0]), "last": int(rows.numbers[-1])}
    elif rows.seconds is not None:
        entry |= {"rows": len(rows.seconds), "end": round(rows.end, 6)}
    video.features.append(entry)
    video.misfits += feature_misfits(facts, rows)


def _note_matches(
    report: AlignmentReport,
    folder: Path,
    names: Sequence[str],
    matched: Mapping[str, Sequence[Path]],
    strangers: Sequence[Path],
) -> None:
    without = [name for name in names if name not in matched]
    if not matched:
        what, do = "no file of these is of a video", "Name files after the videos: <video>.csv"
        finding = some([path.name for path in strangers])
        raise DataError(what, where=folder, found=finding, expected=some(names), do=do)
    if without:
        report.notes.append(f"{folder}: {counted(len(without), 'video', 'have')} no file: {some(without)}")
    if strangers:
        report.notes.append(
            f"{folder}: {counted(len(strangers), 'file', 'are')} of no video: {some([p.name for p in strangers])}"
        )


def _note_missing_reader(report: AlignmentReport) -> bool:
    """Return False, with a note, where PyAV is missing."""
    try:
        stream_reader()
    except MissingDependencyError as error:
        report.notes.append(problem("audio in video files was left out", found=str(error)))
        return False
    return True


def _note_without_file(report: AlignmentReport) -> None:
    without = [video.name for video in report.videos if video.file is None]
    if without:
        report.notes.append(
            f"{counted(len(without), 'video', 'have')} no video file, which tells when frames are shown: "
            f"{some(without)}; their features are held against their official frames, and abaw data check does so with "
            "audio and images"
        )
