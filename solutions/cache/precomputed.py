"""``precomputed:<name>``: features that a team made itself, with LibreFace or anything else, one file a video.

    <cache>/precomputed/<name>/<video>.npy          float (k, d): the rows of frames 1 to k, or of those named in
    <cache>/precomputed/<name>/<video>.frames.npy   integer (k,), optional: 1-based frame numbers, increasing
    <cache>/precomputed/<name>/<video>.csv          instead of .npy: a header, its first column ``frame``, then d more

Tables of OpenFace, LibreFace and py-feat are taken as they are: see :mod:`solutions.cache.feature_tables`.
``<video>`` is the official name, ``_left`` and ``_right`` included. A row that holds NaN (in .csv, an empty field)
says that nothing was found in that frame. All files have the same ``d``. There are embeddings only, no logits.
Where each file holds a single row, it describes the whole video, as an embedding of its words does.
Arrays are read from where they lie, and never copied; .csv is parsed each time, so .npy is better for much data.
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
from harness.errors import DataError, StorageError, UsageError
from harness.files.checking.patterns import find_pattern
from harness.records.document import json_text, load_json
from harness.settings import Settings
from harness.system.arrays import map_array
from harness.system.atomic import write_text
from harness.system.names import inside
from harness.system.provenance import digest_of, sha256_of
from harness.system.regular import is_taken, open_file
from solutions.cache.feature_tables import features_of
from solutions.cache.features_file import Features
from solutions.encoders.registry import PRECOMPUTED

FORMAT = 2

WIDTHS = {"openai-small": 1536, "gigachat": 1024}
"""Columns of text embeddings that come out of a service alone, by the names of the papers' rows: OpenAI's
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
_MOST, _MANY = 0.8, 0.2  # of the videos that have crops


class PrecomputedFeatures:
    """A folder of features, one file a video.

    Args:
        encoder: ``precomputed:<name>``.

    Raises:
        UsageError: the name can't be a folder's.
        DataError: there is no such folder.
    """

    def __init__(self, encoder: str, settings: Settings) -> None:
        self.name = encoder
        self.notes: tuple[str, ...] = ()  # on what was read last
        self.vectors = False  # what was read last has one row per video
        self._in_order: dict[str, int] = {}  # rows of videos whose rows are numbered 1, 2, 3 and so on, by no file
        self._never_whole: dict[str, str] = {}  # columns with NaN in every row of a video without a whole row
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
            raise DataError(
                f"no features for {encoder}",
                where=self.folder,
                found=f"folders {', '.join(there)}" if there else "no such folder",
                expected=f"{ABOUT[folder]}: {_LAYOUT}" if folder in ABOUT else _LAYOUT,
            )

    def identity(self) -> dict[str, Any]:
        """A hash of the folder's files, by name and content. Files whose size and time are known aren't read."""
        files = sorted(path for path in self.folder.iterdir() if path.suffix in (".npy", ".csv"))
        return {"encoder": self.name, "format": FORMAT, "files": digest_of(self._hashes(files))}

    def read(self, videos: Sequence[Video]) -> dict[str, Features]:
        """Features of videos by name, memory-mapped where they lie in ``.npy`` and nothing is to be left out.

        Raises:
            DataError: a video has no file, or two; a file does not follow the layout; files differ in their columns.
        """
        missing = [v.name for v in videos if not (is_taken(self._npy(v)) or is_taken(self._csv(v)))]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise DataError(
                f"{self.name} lacks {len(missing)} of {len(videos)} videos",
                where=self.folder,
                found=f"nothing for {', '.join(missing[:_SHOWN])}{more}",
                expected=_LAYOUT,
                do="For a video in which nothing was found, write rows of NaN",
            )
        self.notes = ()
        self._in_order, self._never_whole = {}, {}
        features = {video.name: self._of(video) for video in videos}
        columns = {name: own.values.shape[1] for name, own in features.items()}
        if len(set(columns.values())) > 1:
            first = videos[0].name
            other = next(name for name, n in columns.items() if n != columns[first])
            found = f"{columns[first]} for {first}, {columns[other]} for {other}"
            raise DataError("videos differ in their number of columns", where=self.folder, found=found)
        self._check_width(columns)
        self._check_found(features)
        self.vectors = self._are_vectors(videos, features)
        if self.vectors:
            return features
        self._check_crops(videos)
        self._check_lengths(videos, features)
        return features

    def _check_width(self, columns: Mapping[str, int]) -> None:
        """Raise DataError if the name is that of a published embedding, and the columns are not.

        LibreFace has several outputs: a note tells where they are others than those of the paper's authors.
        """
        expected = WIDTHS.get(self.name.removeprefix(PRECOMPUTED))
        first = next(iter(columns), None)
        if self.folder.name == LIBREFACE and first is not None and columns[first] != LIBREFACE_WIDTH:
            note = f"{self.name}: {columns[first]:,} columns, where abaw10's row has {ABOUT[LIBREFACE]}"
            self.notes = (*self.notes, note)
        if expected is not None and first is not None and columns[first] != expected:
            actual = f"{columns[first]:,} columns for {first}"
            do = "Bring the vectors that this name stands for, or give the folder another name"
            raise DataError(f"not {self.name}", where=self.folder, found=actual, expected=f"{expected:,}", do=do)

    def _are_vectors(self, videos: Sequence[Video], features: Mapping[str, Features]) -> bool:
        """Return True if each file holds one row, of a whole video, such as an embedding of its words."""
        if any(
            len(rows.frames) + rows.undetected != 1 or self._in_order.get(name) != 1 for name, rows in features.items()
        ):
            return False
        if all(video.n_rows == 1 for video in videos):
            return True
        if len(videos) == 1 or all(video.n_frames == 1 for video in videos):  # one short video can't tell
            return False
        self.notes = (*self.notes, f"{self.name}: one row per video, taken for all of its frames")
        return True

    def _check_found(self, features: Mapping[str, Features]) -> None:
        """Raise DataError if no video has a row without NaN: all would be predicted as if it had no face."""
        if not self._never_whole or any(len(own.frames) for own in features.values()):
            return
        first, columns = next(iter(self._never_whole.items()))
        raise DataError(
            "every row of every video holds NaN, so that nothing counts as found",
            where=self.folder,
            found=f"{columns} in {first}",
            do="Compute the missing values: a row with NaN in any column is a frame in which nothing was found",
        )

    def _check_crops(self, videos: Sequence[Video]) -> None:
        """Hold numbers of rows against those of crops, which tools that read images number one after the other.

        Raises:
            DataError: most videos have a row a crop, and crops are missing between others.
        """
        cropped = [video for video in videos if video.image_folder is not None and has_images(video)]
        as_many = [video for video in cropped if self._in_order.get(video.name) == len(video.images)]
        gaps = [video for video in as_many if video.images.frames[-1] > len(video.images)]
        if not gaps or len(as_many) < _MANY * len(cropped):
            return
        rows = sum(len(video.images) for video in gaps)
        first = gaps[0]
        found = (
            f"rows 1 to {len(first.images):,} for {first.name}, which has as many {first.noun}s, numbered up to "
            f"{int(first.images.frames[-1]):,}"
        )
        if len(as_many) >= _MOST * len(cropped):
            raise DataError(
                f"features have a row per {first.noun}, not per frame: {rows:,} rows of {len(gaps)} videos would "
                f"get too low a number behind the first {first.noun} that is missing",
                where=self.folder,
                found=found,
                expected="the frame's number with each row",
                do=f"Write the numbers in the names of the {first.noun}s, in the order of the rows, into "
                "<video>.frames.npy beside each <video>.npy, or into the column frame of each <video>.csv; or give "
                f"frames without a {first.noun} rows of NaN",
            )
        note = f"{self.name}: {len(gaps)} videos may have a row per {first.noun}, not per frame: {found}"
        self.notes = (*self.notes, note)

    def _check_lengths(self, videos: Sequence[Video], features: Mapping[str, Features]) -> None:
        """Hold numbers of frames against the videos', and note what does not fit.

        Raises:
            DataError: all videos have rows for another rate, or with an offset.
        """
        have = {name: np.sort(own.frames) for name, own in features.items()}
        pattern = find_pattern(have, {video.name: np.arange(1, video.n_frames + 1) for video in videos})
        if pattern is not None and pattern.kind in ("rate", "shift"):
            do = "Compute them for every frame, numbered from 1"
            raise DataError(f"features: {pattern.message}", where=self.folder, do=do)
        if pattern is not None:
            self.notes = (*self.notes, f"{self.name}: {pattern.message}")
            return
        longer = [video.name for video in videos if len(have[video.name]) and have[video.name][-1] > video.n_frames]
        if longer:
            text = f"{self.name}: {len(longer)} videos have rows beyond their last frame, left out: {longer[:3]}"
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
            values, frames, said, names = _from_csv(path)
            numbered = False
            if said and not any(said.split(":")[0] in note for note in self.notes):
                self.notes = (*self.notes, f"{self.name}: {path.name} is {said}")
        rising = np.diff(frames, prepend=0) > 0
        if not rising.all():
            at = int(rising.argmin())
            found, expected = f"{frames[at]} in row {at + 1}", "1-based numbers, each higher than the one before"
            raise DataError("frame numbers are out of order", where=path, found=found, expected=expected)
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
        """sha256 of each file, remembered with its size and time."""
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
        found, expected = f"{values.dtype} {values.shape}", "float (frames, columns)"
        raise DataError("features of the wrong shape or type", where=path, found=found, expected=expected)
    numbers = path.with_name(f"{path.stem}.frames.npy")
    if not is_taken(numbers):
        return values, np.arange(1, len(values) + 1)
    frames = map_array(numbers, do=_AGAIN)
    if frames.shape != (len(values),) or frames.dtype.kind not in "iu":
        found, expected = f"{frames.dtype} {frames.shape}", f"integer ({len(values)},), a number a row of {path.name}"
        raise DataError("frame numbers of the wrong shape or type", where=numbers, found=found, expected=expected)
    return values, frames.astype(np.int64)


def _from_csv(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], str, list[str]]:
    """Features, their frames, what was done if the table is one of a known tool, and the names of the columns."""
    import pandas as pd

    try:
        with open_file(path) as stream:
            table = pd.read_csv(stream, skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise DataError("not readable as a table", where=path, found=error) from None
    table.columns = [str(name).strip() for name in table.columns]
    tool, said = tool_of(list(table.columns)), ""
    if tool is not None:
        table, said = features_of(table, tool)
    if len(table.columns) < 2 or table.columns[0] != "frame":
        found = ", ".join(map(str, table.columns[:4]))
        expected = "frame, then a column a feature"
        raise DataError("columns that can't be used", where=f"{path}:1", found=found, expected=expected)
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
    return table.iloc[:, 1:].to_numpy(np.float32), numbers.astype(np.int64), said, list(table.columns[1:])


def _columns_of_nan(values: npt.NDArray[Any], names: Sequence[str]) -> str:
    """The columns that hold NaN in every row, in words."""
    empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column).all()]
    if not empty:
        return f"NaN in one or another column of each of {len(values):,} rows"
    shown = ", ".join(empty[:_SHOWN]) + (f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else "")
    return f"NaN in {len(empty)} of {len(names)} columns in all of {len(values):,} rows ({shown})"


def _whole_rows(values: npt.NDArray[Any], path: Path) -> npt.NDArray[np.bool_]:
    """Which rows have no NaN; read in blocks, so that a mapped file need not fit into memory."""
    whole = np.ones(len(values), bool)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        whole[start : start + _BLOCK] = ~np.isnan(block).any(1)
        infinite = np.isinf(block).any(1)
        if infinite.any():
            found = f"infinity in row {start + int(infinite.argmax()) + 1}"
            raise DataError("features out of range", where=path, found=found, expected="finite values, or NaN")
    return whole
