"""Check of a data set in BAH's layout: its contents and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.datasets.bah import AUDIO, AUDIO_SUFFIXES, FPS, BahLayout, BahPack, find_bah, open_bah
from harness.datasets.checking.audio_lengths import audio_lengths, note_undecoded
from harness.datasets.checking.doubts import note_doubts
from harness.datasets.checking.report import DataReport, add_splits, has_images, merged
from harness.datasets.checking.speech import (
    note_transcripts,
    note_without_video,
    problems_of_audio,
    problems_of_lengths,
)
from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import Pictures
from harness.errors import AbawError, DataError, problem
from harness.files.labels.ambivalence import Annotation, ListedVideo, read_annotations, read_split_list
from harness.files.persons import person_of_name
from harness.system.counts import counted, some, verb_for
from harness.tasks import AH, AHV

_SHOWN = 5


def check_bah(root: Path, *, cache: Path | None = None) -> DataReport:
    """Check everything in BAH's layout below ``root``, for both of its tasks.

    Folders of crops are listed, and the annotation file is compared with the lists of splits. Images stay undecoded.

    Args:
        root: folder of the data set.
        cache: folder of all caches, where lengths of the audio of video files are stored; ``None`` to store them in
            memory.

    Raises:
        DataError: BAH's layout is missing, or can't be opened for any task.
    """
    layout = find_bah(root)
    report = DataReport("", root)
    opened: list[Dataset] = []
    for task in (AH, AHV) if 8 in layout.packs else (AHV,):
        try:
            opened.append(open_bah(root, task))
        except AbawError as error:
            report.problems.append(str(error))
    if not opened:
        raise DataError("\n".join(dict.fromkeys(report.problems)))
    listed: dict[Path, Pictures] = {}
    videos = [video for data in opened for members in data.splits.values() for video in members]
    lengths = audio_lengths(videos, cache)
    mute = [path for path, (_, why) in lengths.items() if why]
    for data in opened:
        report.name = data.name
        report.notes += data.notes
        add_splits(report, data, listed, mute=mute)
    note_doubts(report, videos, "crop", placeholders=False)  # the organisers repeat a crop where they found no face
    report.problems += problems_of_audio(lengths)
    report.notes += note_undecoded(videos)
    seconds = {path: length for path, (length, _) in lengths.items()}
    report.problems += problems_of_lengths(dict(_by_frames(videos)), seconds)
    for split, members in opened[0].splits.items():
        report.notes += note_transcripts(split, members)
        persons = {video.person for video in members}
        report.notes += [f"{split}: {counted(len(persons), 'person')}"] if persons else []
    lengths_by_name: dict[str, int] = {}
    for pack in layout.packs.values():
        annotations = _entries(report, pack)
        lengths_by_name |= {name: len(entry.frames) for name, entry in annotations.items()}
        _note_labels(report, pack, annotations)
        report.notes += _audio_alone(pack)
    report.problems += _missing_crops(opened, lengths_by_name)
    report.notes += _shared_persons(layout)
    report.problems = list(dict.fromkeys(merged(report.problems, (AH, AHV))))
    report.notes = list(dict.fromkeys(merged(report.notes, (AH, AHV))))
    return report


def _by_frames(videos: Sequence[Video]) -> Iterator[tuple[Path, tuple[float, str]]]:
    """Yield the expected seconds of each audio file, by the frames of its video."""
    for video in videos:
        if video.audio is None:
            continue
        try:
            n = video.n_frames
        except DataError:  # its images can't be listed, which is a problem of its own
            continue
        if n:
            yield video.audio, (n / FPS, f"{counted(n, 'frame')} at {FPS:g} per second")


def _missing_crops(opened: Sequence[Dataset], lengths: Mapping[str, int]) -> list[str]:
    """Return a problem that names videos with fewer crops than frames: the organisers made one for each.

    Args:
        opened: the data sets, one per task.
        lengths: annotated frames by video; a video without any has its own length.
    """
    counts: dict[str, tuple[int, int]] = {}
    for video in (video for data in opened for members in data.splits.values() for video in members):
        if has_images(video):
            n = lengths.get(video.name) or video.n_frames
            there = int((video.images.frames <= n).sum())
            if there < n:
                counts[video.name] = (there, n)
    if not counts:
        return []
    some_counts = [
        f"{there:,} for the {counted(n, 'frame')} of {name}" for name, (there, n) in list(counts.items())[:_SHOWN]
    ]
    shown = "; ".join(some_counts) + (
        f"; and {counted(len(counts) - _SHOWN, 'more video')}" if len(counts) > _SHOWN else ""
    )
    do = "Unpack the crops again: frames in between count as without a crop"
    what = f"{counted(len(counts), 'video', 'lack')} crops"
    return [problem(what, found=shown, expected="a crop per frame, as the organisers made them", do=do)]


def _entries(report: DataReport, pack: BahPack) -> Mapping[str, Annotation]:
    """Return the labels of a pack's annotation file; report a file that can't be read as a problem."""
    try:
        return read_annotations(pack.annotations) if pack.annotations is not None else {}
    except DataError as error:
        report.problems.append(str(error))
        return {}


def _note_labels(report: DataReport, pack: BahPack, annotations: Mapping[str, Annotation]) -> None:
    """Compare the annotation file of a pack with its lists of splits, and report differences."""
    try:
        rows = {split: read_split_list(path) for split, path in pack.lists.items()}
    except DataError as error:
        report.problems.append(str(error))
        return
    listed = {row.name: row for members in rows.values() for row in members}
    if not annotations:
        return
    report.problems += _contradictions(pack, listed, annotations)
    alone = sorted(set(annotations) - set(listed))
    if alone:
        report.notes.append(
            f"{pack.annotations}: {counted(len(alone), 'video', 'are')} in no list of a split: {some(alone)}"
        )
    hidden = [name for name, entry in annotations.items() if entry.video == 1 and not (entry.frames == 1).any()]
    if hidden:
        report.notes.append(
            f"{counted(len(hidden), 'video', 'are')} labelled 1 and {verb_for(len(hidden), 'have')} no frame that is: "
            f"{some(hidden)}"
        )
    partly = [name for name, entry in annotations.items() if (entry.frames == AH.invalid).any()]
    if partly:
        report.notes.append(
            f"{counted(len(partly), 'video', 'have')} frames without a label, which count nowhere: {some(partly)}"
        )


def _contradictions(
    pack: BahPack, listed: Mapping[str, ListedVideo], annotations: Mapping[str, Annotation]
) -> list[str]:
    """Return problems of videos with two labels, or with a label of 0 although frames are labelled 1."""
    messages = []
    for name, entry in annotations.items():
        row, where = listed.get(name), f"{pack.annotations}:{entry.line}"
        if row is not None and row.label is not None and entry.video is not None and row.label != entry.video:
            both = f"{entry.video} here, {row.label} in the list of its split"
            messages.append(problem(f"two labels for {name}", where=where, found=both, do="Keep one edition's files"))
        if entry.video == 0 and (entry.frames == 1).any():
            frames = f"{counted(int((entry.frames == 1).sum()), 'frame')} labelled 1"
            messages.append(problem(f"{name} is labelled 0 as a video", where=where, found=frames))
    more = len(messages) - _SHOWN
    return messages[:_SHOWN] + (
        [f"{counted(more, 'more video')} with labels that contradict each other"] if more > 0 else []
    )


def _audio_alone(pack: BahPack) -> list[str]:
    """Return notes on audio files in ``audio/`` without a video file."""
    notes = []
    for home in dict.fromkeys((pack.home, pack.test_home)):
        if home is None or not (home / AUDIO).is_dir():
            continue
        files = (path.relative_to(home / AUDIO) for path in (home / AUDIO).rglob("*"))
        names = [path.with_suffix(".mp4").as_posix() for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
        places = [home / "videos", home]
        there = [name for name in names if any((place / name).is_file() for place in places)]
        notes += note_without_video(names, there, home / "videos")
    return notes


def _shared_persons(layout: BahLayout) -> list[str]:
    """Return notes on persons whom two editions put into different splits."""
    if len(layout.packs) < 2:
        return []
    split_of: dict[int, dict[str, str]] = {}
    for edition, pack in layout.packs.items():
        try:
            rows = {split: read_split_list(path) for split, path in pack.lists.items()}
        except DataError:
            return []
        split_of[edition] = {person_of_name(row.name): split for split, members in rows.items() for row in members}
    moved = sorted(p for p, split in split_of[8].items() if split_of[10].get(p, split) != split)
    if not moved:
        return []
    return [
        f"{counted(len(moved), 'person', 'are')} in one split in edition 8 and in another in edition 10 "
        f"({some(moved)}): never train on the one and score on the other"
    ]
