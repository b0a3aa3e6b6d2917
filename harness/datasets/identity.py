"""Names of data sets, derived from published facts about the real ones.

Published numbers may stand beside a run only if the data is really Aff-Wild2, DVD, Hume-Vidmimic2 or BAH.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.files.template import affwild2_table
from harness.system.regular import is_taken, read_text
from harness.tasks import AH, AHV, EMI, VD, Task

if TYPE_CHECKING:
    from harness.datasets.dataset import Video

AFFWILD2 = "Aff-Wild2"
DVD = "DVD"
VIDMIMIC = "Hume-Vidmimic2"
BAH_8 = "BAH, edition 8"
BAH_10 = "BAH, editions 10 and 11"
PUBLISHED_ON = {
    "EXPR": AFFWILD2,
    "VA": AFFWILD2,
    "AU": AFFWILD2,
    "VD": DVD,
    "EMI": VIDMIMIC,
    "AH": BAH_8,
    "AHV": BAH_10,
}
"""By task, the data set of its published results."""

SYNTHETIC = "abaw-synth"
"""Beginning of the names of synthetic data sets, written by ``abaw data synth`` and ``abaw demo``."""

MARKER = "DATASET.toml"
# OpenCV's frame count differs from the official one by up to 49 in the released videos (table below)
_TOLERANCE = 60
# the competition's calls, 5th edition on; the 3rd had 71 for VA
_VALIDATION_VIDEOS = {"EXPR": 70, "VA": 76, "AU": 105}
_ENOUGH = 0.9


@dataclass(frozen=True)
class _KnownSplit:
    """Public facts about a split of DVD, whose lists of videos are unpublished.

    Attributes:
        videos: number of videos.
        frames: number of annotated frames, or of all frames, rounded to thousands by the source.
        names: some videos that are known to be in the split.
    """

    videos: int
    frames: int
    names: frozenset[str]


# counts: abaw10, section 3 on data, and the progress bars saved in its authors' notebook; names: in their public code
_DVD = {
    "train": _KnownSplit(103, 772_000, frozenset({"0227"})),
    "val": _KnownSplit(17, 77_000, frozenset({"0007", "1312"})),
}
_ABOUT = 0.02

# rows of the label files, as the authors of abaw8 print them; names of both together are 00000 to 12659
_VIDMIMIC = {"train": 8_072, "val": 4_588}
# videos, frames (where they are counted) and persons: cards of the data set; counts in the authors' notebook
_BAH = {
    BAH_8: {"train": (304, 205_926), "val": (127, 89_600)},
    BAH_10: {"train": (778, 0), "val": (124, 0)},
}
TEST_VIDEOS = {EMI.name: 4_586, AHV.name: 525}
"""Videos of the official test sets without a template; AHV's is the public one. Sources: as of the counts above."""

_BAH_POSITIVE = {"train": 385, "val": 75}  # videos labelled 1 in editions 10 and 11
_LARGEST = 1 << 20  # bytes of the file that names a data set


@functools.cache
def affwild2_frame_counts() -> Mapping[str, int]:
    """Return the frame count of every raw video of Aff-Wild2, by base name, as OpenCV reports it.

    Source: outputs printed in public notebooks of the HSEmotion team (EmotiEffLib, ABAW 3 to 8).
    """
    return {row["base_video"]: int(row["cap_frames"]) for row in affwild2_table() if row["cap_frames"]}


def is_synthetic(name: str) -> bool:
    """Return True for the name of a data set that a program drew.

    Example:
        >>> is_synthetic("abaw-synth"), is_synthetic("Aff-Wild2")
        (True, False)
    """
    return name.startswith(SYNTHETIC)


def remark_on_data(name: str, task: str) -> str:
    """Return the remark that a score on this data must carry; empty for a task's whole published data set.

    Example:
        >>> remark_on_data("abaw-synth", "EXPR")
        'synthetic data: faces, voices and labels were drawn by a program'
        >>> remark_on_data("Aff-Wild2", "EXPR")
        ''
    """
    real = PUBLISHED_ON.get(task, "the task's data set")
    if name == real:
        return ""
    if is_synthetic(name):
        return "synthetic data: faces, voices and labels were drawn by a program"
    if name.startswith(f"{real}, "):
        return f"a part of {real}: scores on the whole stand apart"
    return f"not recognised as {real}: its images or labels may be synthetic or derived"


def dataset_name(root: Path, task: Task, splits: Mapping[str, Sequence[Video]]) -> str:
    """Return the name of a data set for a task; see the functions for each data set below."""
    if task is EMI:
        return vidmimic_name(root, splits)
    if task in (AH, AHV):
        return bah_name(root, splits)
    return dvd_name(root, splits) if task is VD else affwild2_name(root, task, splits)


def affwild2_name(root: Path, task: Task, splits: Mapping[str, Sequence[Video]]) -> str:
    """Return ``Aff-Wild2`` if nearly all videos belong to it by name and length, and the validation set is whole.

    With a part of the validation set, the name says so: a score on 12 of the 70 validation videos can't stand beside
    scores on all of them. Other data get the name in ``DATASET.toml``, or the folder's.

    Raises:
        DataError: ``DATASET.toml`` can't be read.
    """
    if name := _marked_name(root, AFFWILD2):
        return name
    counts = affwild2_frame_counts()
    videos = [video for members in splits.values() for video in members]
    known = sum(abs(counts.get(video.base, -_TOLERANCE - 1) - video.n_frames) <= _TOLERANCE for video in videos)
    if videos and known >= 0.95 * len(videos):
        val, official = len(splits.get("val", ())), _VALIDATION_VIDEOS.get(task.name, 0)
        return AFFWILD2 if val >= _ENOUGH * official else f"{AFFWILD2}, {val} of {official} validation videos"
    return _folder_name(root, AFFWILD2)


def dvd_name(root: Path, splits: Mapping[str, Sequence[Video]]) -> str:
    """Return ``DVD`` if its validation set is whole, and its training set, if there is one, too.

    Few facts are public: how many videos and about how many annotated frames a split has, names of four digits, and
    three of these names. They identify a whole split, but no part of one. Where one of the two splits is whole, the
    name calls the other one a part; other data get the name in ``DATASET.toml``, or the folder's.

    Raises:
        DataError: ``DATASET.toml`` can't be read.
    """
    if name := _marked_name(root, DVD):
        return name
    whole = {split: _is_of_dvd(splits.get(split, ()), known) for split, known in _DVD.items()}
    counts = {split: len(splits.get(split, ())) for split in _DVD}
    return _whole_or_part(root, DVD, whole, counts, {split: known.videos for split, known in _DVD.items()})


def vidmimic_name(root: Path, splits: Mapping[str, Sequence[Video]]) -> str:
    """Return ``Hume-Vidmimic2`` if its validation set is whole, and its training set, if there is one, too.

    Numbers of rows and the range of names identify a split. Where one of the two splits is whole, the name calls the
    other one a part; other data get the name in ``DATASET.toml``, or the folder's.

    Raises:
        DataError: ``DATASET.toml`` can't be read.
    """
    if name := _marked_name(root, VIDMIMIC):
        return name
    labelled = {split: [v.name for v in splits.get(split, ()) if v.labels is not None] for split in _VIDMIMIC}
    total = sum(_VIDMIMIC.values())
    whole = {
        split: len(names) == _VIDMIMIC[split] and all(name.isdecimal() and int(name) < total for name in names)
        for split, names in labelled.items()
    }
    return _whole_or_part(root, VIDMIMIC, whole, {split: len(names) for split, names in labelled.items()}, _VIDMIMIC)


def bah_name(root: Path, splits: Mapping[str, Sequence[Video]]) -> str:
    """Return ``BAH`` with its editions if the validation set is whole, and the training set, if there is one, too.

    A split is identified by its number of videos, and by the number of annotated frames where frames are labelled; in
    editions 10 and 11 by the number of positive videos. Where one of the two splits is whole, the name calls the other
    one a part; other data get the name in ``DATASET.toml``, or the folder's.

    Raises:
        DataError: ``DATASET.toml`` can't be read.
    """
    if (name := _marked_name(root, BAH_8)) and name not in _BAH:
        return name
    for real, known in _BAH.items():
        counts = {split: len(splits.get(split, ())) for split in known}
        whole = {split: _is_of_bah(splits.get(split, ()), split, real) for split in known}
        if any(whole.values()):
            return _whole_or_part(root, real, whole, counts, {split: pair[0] for split, pair in known.items()})
    return _folder_name(root, "BAH")


def _is_of_bah(videos: Sequence[Video], split: str, edition: str) -> bool:
    n_videos, n_frames = _BAH[edition][split]
    labels = [video.labels for video in videos if video.labels is not None]
    if len(videos) != n_videos or len(labels) != n_videos:
        return False
    by_frame = any(len(rows) > 1 for rows in labels)
    if by_frame:
        return sum(map(len, labels)) == n_frames
    return edition != BAH_10 or sum(int(rows[0] == 1) for rows in labels) == _BAH_POSITIVE[split]


def _whole_or_part(
    root: Path, real: str, whole: Mapping[str, bool], counts: Mapping[str, int], official: Mapping[str, int]
) -> str:
    if whole["val"]:
        if whole["train"] or not counts["train"]:
            return real
        return f"{real}, {counts['train']} of {official['train']} training videos"
    if whole["train"]:
        return f"{real}, {counts['val']} of {official['val']} validation videos"
    return _folder_name(root, real)


def _is_of_dvd(videos: Sequence[Video], known: _KnownSplit) -> bool:
    names = {video.name for video in videos}
    labels = [video.labels for video in videos if video.labels is not None]
    annotated, frames = sum(int((values >= 0).sum()) for values in labels), sum(map(len, labels))
    return (
        len(names) == known.videos
        and known.names <= names
        and all(re.fullmatch(r"[0-9]{4}", name) for name in names)
        and min(abs(n - known.frames) for n in (annotated, frames)) <= _ABOUT * known.frames
    )


def _marked_name(root: Path, real: str) -> str:
    """Return the name in ``DATASET.toml``; empty if there is none, or if it claims to be the real data set."""
    marker = root / MARKER
    if not is_taken(marker):
        return ""
    try:
        name = tomllib.loads(read_text(marker, _LARGEST)).get("name")
    except OSError as error:
        raise DataError("can't read the name of the data set", where=marker, found=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("not readable as TOML", where=marker, found=error) from None
    return name if isinstance(name, str) and name != real else ""


def _folder_name(root: Path, real: str) -> str:
    """Return the folder's name, with a remark if it equals the real one: published numbers must not stand beside it."""
    folder = root.resolve().name
    return f"{folder} (not recognised)" if folder.casefold() == real.casefold() else folder
