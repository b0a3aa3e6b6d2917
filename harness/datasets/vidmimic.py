"""Hume-Vidmimic2, the data set of emotional mimicry: one row of six intensities per video.

The layout is that of the organisers' packs: ``train_split.csv`` and ``valid_split.csv``, ``raw/<id>.mp4``,
``audio/<id>.mp3``, ``face_images/<id>/<k>.jpg``; and of the test set ``test_data/raw`` and ``test_data/face_images``
without a folder of audio, so that its audio is the one inside ``raw/<id>.mp4``.

Assumptions:

* Images of a face are numbered without leading zeros, from 0 or from 1; the packs do not say which. They are frames in
  the order of their numbers: the lowest is frame 1. A number that is left out moves those behind it, with a note in
  ``abaw data check``.
* A video that lacks ``face_images/<id>/`` has no images. Its video file is never used instead: a whole frame is no
  face.
* Frame rates in the containers are wrong, so no time is computed from them.
* Persons are published nowhere: each video is a group of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video, check_disjoint, contents_of, looking_into, uncounted
from harness.datasets.identity import vidmimic_name
from harness.datasets.images.folders import subfolders
from harness.datasets.images.numbered import Numbering
from harness.datasets.transcripts import Transcript, read_transcript_table, with_zeros
from harness.errors import DataError
from harness.files.formats import FORMATS
from harness.files.labels.truth import read_truth
from harness.files.template import Template, dense_template, read_template
from harness.system.counts import counted, some, verb_for
from harness.system.regular import is_taken
from harness.tasks import EMI, SPLITS

LABEL_FILES = {"train": ("train_split.csv",), "val": ("valid_split.csv", "val_split.csv")}
TEST_FOLDER = "test_data"
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3")
"""Endings of audio files, the first that is there counts."""

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
TRANSCRIPT_TABLES = ("transcripts.csv", "not_official/transcripts.csv")
"""Tables of transcripts that users bring: none come with the data."""

NUMBERING = Numbering(
    re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png)", re.IGNORECASE), None, "<k>.jpg, where k counts from 0 or 1"
)
_NAME = re.compile(r"[0-9]{5}")


@dataclass
class PackFiles:
    """Files of the train and val pack, or of the test pack, by video.

    Attributes:
        folder: folder of the pack.
        images: folders of images of a face.
        audio: audio files.
        videos: video files.
        doubled: further audio files of videos that have one already.
    """

    folder: Path
    images: dict[str, Path] = field(default_factory=dict)
    audio: dict[str, Path] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    doubled: list[Path] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Videos with images or a video file, in the order of their numbers."""
        return sorted(name for name in {*self.images, *self.videos} if _NAME.fullmatch(name))

    def video(self, name: str, labels: npt.NDArray[np.float64] | None, transcript: Transcript | None) -> Video:
        """Return a video with its files in this pack.

        Args:
            name: five digits.
            labels: ``(1, 6)``; ``None`` in the test set.
            transcript: the words; ``None`` if they are unknown.
        """
        return uncounted(
            name,
            labels=labels,
            image_folder=self.images.get(name),
            audio=self.audio.get(name) or self.videos.get(name),
            transcript=transcript,
            numbering=NUMBERING,
        )


@dataclass(frozen=True)
class VidmimicLayout:
    """Files of Hume-Vidmimic2 below a root.

    Attributes:
        root: the folder that the user named.
        home: the folder that holds the label files.
        labels: label file by split.
        labelled: files of train and val.
        tested: files of the test set; ``None`` if ``test_data/`` is missing.
        transcripts: a table of transcripts; ``None`` if it is missing.
    """

    root: Path
    home: Path
    labels: Mapping[str, Path]
    labelled: PackFiles
    tested: PackFiles | None
    transcripts: Path | None


def has_vidmimic(root: Path) -> bool:
    """Return True where label files of Hume-Vidmimic2 lie in ``root`` or in one of its folders."""
    try:
        return root.is_dir() and bool(_homes(root))
    except OSError:  # open_vidmimic reports it
        return False


def find_vidmimic(root: Path) -> VidmimicLayout:
    """Find label files, audio, video files and folders of images in ``root`` or in one of its folders.

    Folders of images are found, but not read.

    Raises:
        DataError: ``root`` is missing, is a file, or lacks label files; or two of its folders hold label files.
    """
    with looking_into(root, "the folder that holds train_split.csv and valid_split.csv"):
        homes = _homes(root)
        if not homes:
            raise DataError(
                "no Hume-Vidmimic2 data here",
                where=root,
                found=contents_of(root),
                expected="train_split.csv and valid_split.csv beside face_images/, audio/ and raw/",
                do="Give the folder above these; `abaw data synth OUT --layout vidmimic` makes a small data set",
            )
        if homes[1:]:
            pair = " and ".join(map(str, homes[:2]))
            raise DataError("two folders with label files", where=root, found=pair, do="Name one of them")
        home = homes[0]
        test_folder = home / TEST_FOLDER
        tables = (home / name for name in TRANSCRIPT_TABLES)
        return VidmimicLayout(
            root,
            home,
            _label_files(home),
            _files(home),
            _files(test_folder) if test_folder.is_dir() else None,
            next((table for table in tables if is_taken(table)), None),
        )


def _homes(root: Path) -> list[Path]:
    if _label_files(root):
        return [root]
    return [child for child in subfolders(root) if child.name != "held_out" and _label_files(child)]


def _label_files(home: Path) -> dict[str, Path]:
    files = {}
    for split, names in LABEL_FILES.items():
        path = next((home / name for name in names if is_taken(home / name)), None)
        if path is not None:
            files[split] = path
    return files


def _files(folder: Path) -> PackFiles:
    files = PackFiles(folder)
    for entry in _entries(folder / "face_images"):
        if entry.is_dir():
            files.images[entry.name] = Path(entry.path)
    for part in ("audio", "raw"):
        for path in sorted(Path(entry.path) for entry in _entries(folder / part)):
            kind = path.suffix.lower()
            if part == "raw" and kind in VIDEO_SUFFIXES:
                files.videos.setdefault(path.stem, path)
            elif part == "audio" and kind in AUDIO_SUFFIXES:
                before = files.audio.setdefault(path.stem, path)
                if before != path:
                    first, second = sorted((before, path), key=lambda p: AUDIO_SUFFIXES.index(p.suffix.lower()))
                    files.audio[path.stem] = first
                    files.doubled.append(second)
    return files


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def open_vidmimic(root: Path, *, template: Path | None = None) -> Dataset:
    """Open Hume-Vidmimic2 for emotional mimicry.

    The test videos are the rows of the template. By default they are the videos of ``test_data/``, in the order of
    their numbers: the organisers publish no list of them, and rows of a submission may stand in any order.

    Args:
        root: folder of the data set.
        template: a file in the form of a submission, whose rows a test submission must have.

    Raises:
        DataError: something is missing or wrong; the message names the file and the line.
        SubmissionError: ``template`` is in another form than a submission.
    """
    layout = find_vidmimic(root)
    notes: list[str] = []
    transcripts = _transcripts(layout, notes)
    rows = _rows(layout, template)
    splits = {split: _split(layout, split, transcripts, rows, notes) for split in SPLITS}
    check_disjoint(root, splits)
    notes += _assumptions(layout, splits)
    return Dataset(vidmimic_name(root, splits), root, EMI, splits, rows, tuple(notes))


def open_vidmimic_split(root: Path, split: str) -> Sequence[Video]:
    """Return the videos of one split; label files of other splits stay closed.

    Raises:
        DataError: see :func:`open_vidmimic`.
    """
    layout = find_vidmimic(root)
    rows = _rows(layout, None) if split == "test" else None
    return _split(layout, split, _transcripts(layout, []), rows, [])


def vidmimic_test_rows(root: Path) -> Template | None:
    """Return the rows of a test submission; ``None`` without a test pack.

    Raises:
        DataError: see :func:`find_vidmimic`.
    """
    return _rows(find_vidmimic(root), None)


def _split(
    layout: VidmimicLayout, split: str, transcripts: Mapping[str, Transcript], rows: Template | None, notes: list[str]
) -> tuple[Video, ...]:
    if split == "test":
        names = rows.videos if rows is not None else ()
        return tuple(_test_video(layout, name, transcripts.get(name)) for name in names)
    path = layout.labels.get(split)
    if path is None:
        return ()
    truth = read_truth(path, EMI.name)
    notes += truth.notes
    return tuple(layout.labelled.video(name, labels, transcripts.get(name)) for name, labels in truth.labels.items())


def _transcripts(layout: VidmimicLayout, notes: list[str]) -> Mapping[str, Transcript]:
    """Return the transcripts by the videos' names of five digits, with a note on numbers that lost their zeros."""
    if layout.transcripts is None:
        return {}
    table = read_transcript_table(layout.transcripts)
    notes.append(f"transcripts are those of {layout.transcripts}: none come with Hume-Vidmimic2")
    return with_zeros(table, layout.transcripts, notes)


def _rows(layout: VidmimicLayout, template: Path | None) -> Template | None:
    """Return the rows of a test submission: the template's, or one per video of the test pack."""
    if template is not None:
        return read_template(template, FORMATS["EMI"])
    names = layout.tested.names if layout.tested is not None else []
    if not names:
        return None
    return dense_template(dict.fromkeys(names, 1), FORMATS["EMI"], str(layout.home / TEST_FOLDER))


def _test_video(layout: VidmimicLayout, name: str, transcript: Transcript | None) -> Video:
    """Return a test video; if the test pack has no file of it, the video takes those of the train and val pack."""
    tested = layout.tested
    there = tested is not None and (name in tested.images or name in tested.videos)
    return (tested if tested is not None and there else layout.labelled).video(name, None, transcript)


def _assumptions(layout: VidmimicLayout, splits: Mapping[str, Sequence[Video]]) -> list[str]:
    notes = ["images of a face are frames in the order of their numbers, whether these begin with 0 or with 1"]
    for split in ("train", "val"):
        if split not in layout.labels:
            notes.append(f"no {LABEL_FILES[split][0]}: there are no {split} videos")
    for split, videos in splits.items():
        bare = [video.name for video in videos if video.image_folder is None]
        if bare:
            notes.append(
                f"{split}: {counted(len(bare), 'video', 'have')} no folder in face_images, so no images: {some(bare)}"
            )
    spoken = sum(v.audio is not None and v.audio.suffix in VIDEO_SUFFIXES for v in splits["test"])
    if spoken:
        notes.append(
            f"test: the audio of {counted(spoken, 'video')} is the one inside "
            f"{'its video file' if spoken == 1 else 'their video files'}"
        )
    doubled = [*layout.labelled.doubled, *(layout.tested.doubled if layout.tested is not None else ())]
    if doubled:
        names = some([path.name for path in doubled])
        notes.append(
            f"{counted(len(doubled), 'audio file', 'are')} left out, as "
            f"{'its video has' if len(doubled) == 1 else 'their videos have'} another one: {names}"
        )
    known = {video.name for videos in splits.values() for video in videos}
    strangers = sorted(set(layout.labelled.images) - known)
    if strangers:
        notes.append(
            f"{counted(len(strangers), 'folder')} in face_images {verb_for(len(strangers), 'have')} no label and "
            f"{verb_for(len(strangers), 'are')} left out: {some(strangers)}"
        )
    return notes
