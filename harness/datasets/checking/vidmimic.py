"""Check of a data set in Hume-Vidmimic2's layout: its contents and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from harness.datasets.checking.audio_lengths import audio_lengths, note_undecoded
from harness.datasets.checking.doubts import note_doubts
from harness.datasets.checking.report import DataReport, add_splits, has_images, unreadable
from harness.datasets.checking.speech import (
    note_transcripts,
    note_without_video,
    problems_of_audio,
    problems_of_lengths,
)
from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.datasets.images.placeholders import doubts_of_placeholders
from harness.datasets.video_files.mp4 import SUFFIXES, read_mp4
from harness.datasets.vidmimic import PackFiles, VidmimicLayout, find_vidmimic, open_vidmimic
from harness.errors import AbawError, DataError
from harness.files.labels.truth import read_truth
from harness.system.counts import counted
from harness.tasks import EMI


def check_vidmimic(root: Path, *, cache: Path | None = None) -> DataReport:
    """Check everything in Hume-Vidmimic2's layout below ``root``; images are listed, but stay undecoded.

    Args:
        root: folder of the data set.
        cache: folder of all caches, where lengths of the audio of video files are stored; ``None`` to store them in
            memory.

    Raises:
        DataError: the layout is missing, or can't be opened; then the message names every unreadable label file.
    """
    layout = find_vidmimic(root)
    try:
        data = open_vidmimic(root)
    except AbawError as error:
        messages = unreadable(partial(read_truth, task=EMI.name), layout.labels.values())
        raise DataError("\n".join(messages) or str(error)) from None
    report = DataReport(data.name, root, notes=list(data.notes))
    videos = [video for members in data.splits.values() for video in members]
    lengths = audio_lengths(videos, cache)
    seconds = {path: length for path, (length, _) in lengths.items()}
    add_splits(report, data, {}, mute=[path for path, (_, why) in lengths.items() if why])
    note_doubts(report, videos, "crop", placeholders=False)
    report.notes += doubts_of_placeholders(list(filter(has_images, videos)), "crop")  # nothing official rules these out
    report.notes += _first_numbers(videos)
    report.problems += problems_of_audio(lengths)
    report.notes += note_undecoded(videos)
    report.problems += problems_of_lengths(dict(_of_video_files(layout, data)), seconds)
    for pack in _packs(layout):
        report.notes += note_without_video(pack.audio, pack.videos, pack.folder / "raw")
    for split, members in data.splits.items():
        report.notes += note_transcripts(split, members)
    report.problems = list(dict.fromkeys(report.problems))
    report.notes = list(dict.fromkeys(report.notes))
    return report


def _packs(layout: VidmimicLayout) -> Iterator[PackFiles]:
    yield layout.labelled
    if layout.tested is not None:
        yield layout.tested


def _first_numbers(videos: Sequence[Video]) -> list[str]:
    """Return a note with the first number of images, on which the organisers publish nothing."""
    counts: dict[int, int] = {}
    for video in filter(has_images, videos):
        images = video.images
        if isinstance(images, ImageFiles) and video.numbering is not None:
            match = video.numbering.pattern.fullmatch(images.names[0])
            first = int(match[1]) if match else 0
            counts[first] = counts.get(first, 0) + 1
    if not counts:
        return []
    parts = [f"with {first} in {counted(count, 'video')}" for first, count in sorted(counts.items())[:3]]
    return [f"images of a face begin {', '.join(parts)}"]


def _of_video_files(layout: VidmimicLayout, data: Dataset) -> Iterator[tuple[Path, tuple[float, str]]]:
    """Yield the seconds of audio in the video file of each audio file."""
    for video in (video for members in data.splits.values() for video in members):
        for pack in _packs(layout):
            file = pack.videos.get(video.name)
            if video.audio is None or file is None or file == video.audio or file.suffix.lower() not in SUFFIXES:
                continue
            index = read_mp4(file)
            track = index.first_shown("soun") if index is not None and not index.fragmented else None
            if track is not None:
                yield video.audio, (track.end - track.start, f"as the audio in {file}")
