"""Precomputed features, ``precomputed:<name>``, which a team computes with LibreFace or any other tool.

    <cache>/precomputed/<name>/<video>.npy          float (k, d): rows of frames 1 to k, or of those listed in
    <cache>/precomputed/<name>/<video>.frames.npy   integer (k,), optional: 1-based frame numbers, increasing
    <cache>/precomputed/<name>/<video>.csv          instead of .npy: a header, its first column ``frame``, then d more

Tables of OpenFace, LibreFace and py-feat are used as they are: see :mod:`solutions.cache.feature_tables`.
``<video>`` is the official name, with ``_left`` or ``_right``. A row with NaN (in .csv, an empty field) marks a frame
without a face. All files have the same ``d``. They hold embeddings only, no logits.
If each file holds a single row, this row describes the whole video, as an embedding of its words does.
Arrays are memory-mapped without a copy; .csv is parsed each time, so .npy is better for much data.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.checking.report import has_images
from harness.datasets.dataset import Video
from harness.datasets.feature_tools import tool_of
from harness.errors import DataError, MissingFeaturesError, StorageError, UsageError
from harness.files.checking.patterns import find_pattern
from harness.records.document import json_text, load_json
from harness.settings import Settings
from harness.system.arrays import map_array
from harness.system.atomic import write_text
from harness.system.counts import counted
from harness.system.names import inside
from harness.system.provenance import digest_of, sha256_of
from harness.system.regular import is_taken, open_file
from solutions.cache.feature_tables import features_of
from solutions.cache.features_file import Features
from solutions.encoders.registry import PRECOMPUTED

FORMAT = 2

WIDTHS = {"openai-small": 1536, "gigachat": 1024}
"""Columns of text embeddings that only a service computes, by their names in the papers' rows: OpenAI's
text-embedding-3-small and GigaChat's. Each video has one row."""

LIBREFACE, LIBREFACE_WIDTH = "libreface", 8
ABOUT = {
    LIBREFACE: "LibreFace's scores of 8 expressions for each frame, computed on the crops of the folder cropped, as "
    "abaw10's authors took them"
}
"""Meaning of features that a recipe asks for by name, for messages."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LAYOUT = "<video>.npy (float, frames x columns) or <video>.csv (first column frame)"
_AGAIN = "Write it again, with numpy.save"
_BLOCK = 1 << 16
_SHOWN = 3
_MOST, _MANY = 0.8, 0.2  # shares of the videos with crops


class PrecomputedFeatures:
    """Folder of features, one file per video.

    Args:
        encoder: ``precomputed:<name>``.
        settings: location of the cache.

    Raises:
        UsageError: the name is invalid for a folder.
        MissingFeaturesError: the folder is missing.
    """

    def __init__(self, encoder: str, settings: Settings) -> None:
        """Look up the folder."""
        self.name = encoder
        self.notes: tuple[str, ...] = ()  # notes on the last read
        self.vectors = False  # True if the last read has one row per video
        self._in_order: dict[str, int] = {}  # rows of videos that lack frame numbers: rows are numbered 1, 2, 3, …
        self._never_whole: dict[str, str] = {}  # columns with NaN in every row, of videos in which each row has NaN
        folder = encoder.removeprefix(PRECOMPUTED)
        everything = settings.cache.expanduser() / "precomputed"
        if not _NAME.fullmatch(folder):
            what = f"{encoder!r} names no folder of features"
            raise UsageError(what, expected=f"{PRECOMPUTED}<name>, letters, digits, dots, dashes and underscores")
        self.folder = everything / folder
        # beside the folder, which is the user's
        self._known = settings.cache.expanduser() / "features" / f"precomputed-{folder}.json"
        if not self.folder.is_dir():
            there = sorted(p.name for p in everything.iterdir() if p.is_dir()) if everything.is_dir() else []
            raise MissingFeaturesError(
                f"no features for {encoder}",
                where=self.folder,
                found=f"folders {', '.join(there)}" if there else "no such folder",
                expected=f"{ABOUT[folder]}: {_LAYOUT}" if folder in ABOUT else _LAYOUT,
            )

    def identity(self) -> dict[str, Any]:
        """Return a hash of the folder's files, by name and content; files of known size and time are not read again."""
        files = sorted(path for path in self.folder.iterdir() if path.suffix in (".npy", ".csv"))
        return {"encoder": self.name, "format": FORMAT, "files": digest_of(self._hashes(files))}

    def read(self, videos: Sequence[Video]) -> dict[str, Features]:
        """Return features of videos by name, memory-mapped from ``.npy`` files in which all rows are complete.

        Raises:
            DataError: a video's file is missing or exists twice; a file breaks the layout; numbers of columns differ.
        """
        missing = [v.name for v in videos if not (is_taken(self._npy(v)) or is_taken(self._csv(v)))]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise DataError(
                f"{self.name} lacks {len(missing)} of {counted(len(videos), 'video')}",
                where=self.folder,
                found=f"nothing for {', '.join(missing[:_SHOWN])}{more}",
                expected=_LAYOUT,
                do="For a video in which nothing was found, write rows of NaN",
            )
        self.notes = ()
        self._in_order, self._never_whole = {}, {}
        features = {video.name: self._of(video) for video in videos}
        columns = {name: entry.values.shape[1] for name, entry in features.items()}
        if len(set(columns.values())) > 1:
            first = videos[0].name
            other = next(name for name, n in columns.items() if n != columns[first])
            widths = f"{columns[first]} for {first}, {columns[other]} for {other}"
            raise DataError("videos differ in their number of columns", where=self.folder, found=widths)
        self._check_width(columns)
        self._check_some_row(features)
        self.vectors = self._are_vectors(videos, features)
        if self.vectors:
            return features
        self._check_crops(videos)
        self._check_lengths(videos, features)
        return features

    def _check_width(self, columns: Mapping[str, int]) -> None:
        """Raise DataError if the name is that of a published embedding with another number of columns.

        LibreFace has several outputs: a note tells if the columns differ from those of the paper's authors.
        """
        expected = WIDTHS.get(self.name.removeprefix(PRECOMPUTED))
        first = next(iter(columns), None)
        if self.folder.name == LIBREFACE and first is not None and columns[first] != LIBREFACE_WIDTH:
            note = f"{self.name}: {counted(columns[first], 'column')}, where abaw10's row has {ABOUT[LIBREFACE]}"
            self.notes = (*self.notes, note)
        if expected is not None and first is not None and columns[first] != expected:
            actual = f"{counted(columns[first], 'column')} for {first}"
            do = "Bring the vectors that this name stands for, or give the folder another name"
            raise DataError(f"not {self.name}", where=self.folder, found=actual, expected=f"{expected:,}", do=do)

    def _are_vectors(self, videos: Sequence[Video], features: Mapping[str, Features]) -> bool:
        """Return True if each file holds one row for the whole video, such as an embedding of its words."""
        if any(
            len(rows.frames) + rows.undetected != 1 or self._in_order.get(name) != 1 for name, rows in features.items()
        ):
            return False
        if all(video.n_rows == 1 for video in videos):
            return True
        if len(videos) == 1 or all(video.n_frames == 1 for video in videos):  # one short video is no evidence
            return False
        self.notes = (*self.notes, f"{self.name}: one row per video, taken for all of its frames")
        return True

    def _check_some_row(self, features: Mapping[str, Features]) -> None:
        """Raise DataError if every row of every video has NaN: all frames would count as frames without a face."""
        if not self._never_whole or any(len(entry.frames) for entry in features.values()):
            return
        first, columns = next(iter(self._never_whole.items()))
        raise DataError(
            "every row of every video holds NaN, so that nothing counts as found",
            where=self.folder,
            found=f"{columns} in {first}",
            do="Compute the missing values: a row with NaN in any column is a frame in which nothing was found",
        )

    def _check_crops(self, videos: Sequence[Video]) -> None:
        """Compare numbers of rows with numbers of crops: tools that read image files number them without gaps.

        Raises:
            DataError: most videos have one row per crop, and some frames between crops have no crop.
        """
        cropped = [video for video in videos if video.image_folder is not None and has_images(video)]
        as_many = [video for video in cropped if self._in_order.get(video.name) == len(video.images)]
        gaps = [video for video in as_many if video.images.frames[-1] > len(video.images)]
        if not gaps or len(as_many) < _MANY * len(cropped):
            return
        rows = sum(len(video.images) for video in gaps)
        first = gaps[0]
        evidence = (
            f"rows 1 to {len(first.images):,} for {first.name}, which has as many {first.noun}s, numbered up to "
            f"{int(first.images.frames[-1]):,}"
        )
        if len(as_many) >= _MOST * len(cropped):
            raise DataError(
                f"features have a row per {first.noun}, not per frame: {counted(rows, 'row')} of "
                f"{counted(len(gaps), 'video')} would get too low a number behind the first {first.noun} that is "
                "missing",
                where=self.folder,
                found=evidence,
                expected="the frame's number with each row",
                do=f"Write the numbers in the names of the {first.noun}s, in the order of the rows, into "
                "<video>.frames.npy beside each <video>.npy, or into the column frame of each <video>.csv; or give "
                f"frames without a {first.noun} rows of NaN",
            )
        note = f"{self.name}: {counted(len(gaps), 'video')} may have a row per {first.noun}, not per frame: {evidence}"
        self.notes = (*self.notes, note)

    def _check_lengths(self, videos: Sequence[Video], features: Mapping[str, Features]) -> None:
        """Compare frame numbers with the videos' numbers of frames, and note differences.

        Raises:
            DataError: the rows of all videos have another rate, or an offset.
        """
        have = {name: np.sort(entry.frames) for name, entry in features.items()}
        pattern = find_pattern(have, {video.name: np.arange(1, video.n_frames + 1) for video in videos})
        if pattern is not None and pattern.kind in ("rate", "shift"):
            do = "Compute them for every frame, numbered from 1"
            raise DataError(f"features: {pattern.message}", where=self.folder, do=do)
        if pattern is not None:
            self.notes = (*self.notes, f"{self.name}: {pattern.message}")
            return
        longer = [video.name for video in videos if len(have[video.name]) and have[video.name][-1] > video.n_frames]
        if longer:
            several = counted(len(longer), "video", "have")
            text = f"{self.name}: {several} rows beyond their last frame, left out: {longer[:3]}"
            self.notes = (*self.notes, text)

    def _of(self, video: Video) -> Features:
        path = self._npy(video)
        if is_taken(path):
            if is_taken(self._csv(video)):
                raise DataError("two files for one video", where=path, found=self._csv(video).name, do="Remove one")
            values, frames = _from_npy(path)
            numbered, names = (
                path.with_name(f"{path.stem}.frames.npy").is_file(),
                [*map(str, range(1, values.shape[1] + 1))],
            )
        else:
            path = self._csv(video)
            values, frames, conversion, names = _from_csv(path)
            numbered = False
            if conversion and not any(conversion.split(":")[0] in note for note in self.notes):
                self.notes = (*self.notes, f"{self.name}: {path.name} is {conversion}")
        rising = np.diff(frames, prepend=0) > 0
        if not rising.all():
            at = int(rising.argmin())
            where_row, expected = f"{frames[at]} in row {at + 1}", "1-based numbers, each higher than the one before"
            raise DataError("frame numbers are out of order", where=path, found=where_row, expected=expected)
        if len(frames) and frames[-1] == len(frames) and not numbered:
            self._in_order[video.name] = len(frames)
        whole = _whole_rows(values, path)
        undetected = len(frames) - int(whole.sum())
        if undetected:
            if undetected == len(frames):
                self._never_whole[video.name] = _columns_of_nan(values, names)
            values, frames = values[whole], frames[whole]
        return Features(frames, {"embeddings": values}, undetected)

    def _npy(self, video: Video) -> Path:
        return inside(self.folder, video.name, ".npy")

    def _csv(self, video: Video) -> Path:
        return inside(self.folder, video.name, ".csv")

    def _hashes(self, files: Iterable[Path]) -> dict[str, str]:
        """Return the SHA-256 of each file by name; hashes are stored with size and time of the file."""
        try:
            content = load_json(self._known)
        except (OSError, ValueError):
            content = None
        known: dict[str, Any] = content if isinstance(content, dict) else {}
        now: dict[str, list[Any]] = {}
        for path in files:
            try:
                status = path.stat()
                match known.get(path.name):
                    case [status.st_size, status.st_mtime_ns, str(digest)]:
                        pass
                    case _:
                        digest = sha256_of(path)
            except OSError as error:
                raise DataError("can't read the features", where=path, found=error.strerror) from None
            now[path.name] = [status.st_size, status.st_mtime_ns, digest]
        if known | now != known:
            with contextlib.suppress(StorageError):  # a shared cache may be read-only
                write_text(self._known, json_text(known | now) + "\n")
        return {name: entry[2] for name, entry in now.items()}


def _from_npy(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    values = map_array(path, do=_AGAIN)
    if values.ndim != 2 or values.dtype.kind != "f" or not values.shape[1]:
        actual, expected = f"{values.dtype} {values.shape}", "float (frames, columns)"
        raise DataError("features of the wrong shape or type", where=path, found=actual, expected=expected)
    numbers = path.with_name(f"{path.stem}.frames.npy")
    if not is_taken(numbers):
        return values, np.arange(1, len(values) + 1)
    frames = map_array(numbers, do=_AGAIN)
    if frames.shape != (len(values),) or frames.dtype.kind not in "iu":
        actual, expected = f"{frames.dtype} {frames.shape}", f"integer ({len(values)},), one per row of {path.name}"
        raise DataError("frame numbers of the wrong shape or type", where=numbers, found=actual, expected=expected)
    return values, frames.astype(np.int64)


def _from_csv(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], str, list[str]]:
    """Read a table of features.

    Returns:
        Features, their frames, a text on the conversion of a known tool's table (else empty), names of the columns.

    Raises:
        DataError: the file breaks the layout.
    """
    import pandas as pd

    try:
        with open_file(path) as stream:
            table = pd.read_csv(stream, skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise DataError("not readable as a table", where=path, found=error) from None
    table.columns = [str(name).strip() for name in table.columns]
    tool, conversion = tool_of(list(table.columns)), ""
    if tool is not None:
        table, conversion = features_of(table, tool)
    if len(table.columns) < 2 or table.columns[0] != "frame":
        columns = ", ".join(map(str, table.columns[:4]))
        expected = "frame, then a column a feature"
        raise DataError("columns that can't be used", where=f"{path}:1", found=columns, expected=expected)
    wrong = [name for name in table.columns if table[name].dtype.kind not in "iuf"]
    if len(table) and wrong:
        name = wrong[0]
        bad = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()
        at = int(bad.to_numpy().argmax())
        raise DataError("not a number", where=f"{path}:{at + 2}", found=f"{table[name].iloc[at]!r} in column {name}")
    numbers = table["frame"].to_numpy(np.float64)
    whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
    if not whole.all():
        at = int(whole.argmin())
        raise DataError("not a frame number", where=f"{path}:{at + 2}", found=numbers[at])
    return table.iloc[:, 1:].to_numpy(np.float32), numbers.astype(np.int64), conversion, list(table.columns[1:])


def _columns_of_nan(values: npt.NDArray[Any], names: Sequence[str]) -> str:
    """Return a text on the columns that hold NaN in every row."""
    empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column).all()]
    if not empty:
        return f"NaN in one or another column of each of {counted(len(values), 'row')}"
    shown = ", ".join(empty[:_SHOWN]) + (f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else "")
    return f"NaN in {len(empty)} of {counted(len(names), 'column')} in all of {counted(len(values), 'row')} ({shown})"


def _whole_rows(values: npt.NDArray[Any], path: Path) -> npt.NDArray[np.bool_]:
    """Return True for each row without NaN; blocks are read one by one, so that a mapped file may exceed memory.

    Raises:
        DataError: a value is infinite.
    """
    whole = np.ones(len(values), bool)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        whole[start : start + _BLOCK] = ~np.isnan(block).any(1)
        infinite = np.isinf(block).any(1)
        if infinite.any():
            actual = f"infinity in row {start + int(infinite.argmax()) + 1}"
            raise DataError("features out of range", where=path, found=actual, expected="finite values, or NaN")
    return whole
