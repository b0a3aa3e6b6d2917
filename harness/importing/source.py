"""Sources of an import: a run's folder, or a folder or zip with runs at any depth.

This module reads names only. It follows no link, and skips hidden folders such as ``.git``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from harness.errors import DataError
from harness.files.archives.limits import Limits, Meter
from harness.files.archives.read import OpenMembers, open_members
from harness.records.failure import FOLDER as FAILED
from harness.records.run import RUN_FILE
from harness.system.names import DEEPEST, TOO_DEEP
from harness.system.regular import broken_link

OF_A_RUN = Limits(members=5_000, member_bytes=4 << 30, total_bytes=8 << 30)
OF_A_ZIP = Limits(members=300_000, member_bytes=OF_A_RUN.member_bytes, total_bytes=OF_A_RUN.total_bytes)
"""Limits of a zip of many runs; those on bytes hold for each run."""
OF_A_RECORD = Limits(members=5_000, member_bytes=32 << 20, total_bytes=64 << 20)
"""Limits of files that are read as JSON, which takes many times their size in memory."""
RECORD_BYTES = 4 << 20
"""Largest size of ``run.json`` in bytes: a hundred times that of a run of many streams and folds."""

_TOP = PurePosixPath()


@dataclass(frozen=True)
class Bundle:
    """The files of a run in a source, before any check.

    Attributes:
        where: place of the run, for messages.
        names: names of its files, with ``/`` between folders.
        members: the open source.
        prefix: text before each name in ``members``.
    """

    where: str
    names: tuple[str, ...]
    members: OpenMembers = field(repr=False)
    prefix: str = ""

    def copy(
        self, names: Sequence[str], folder: Path, *, nested: Sequence[str] = (), limits: Limits = OF_A_RUN
    ) -> None:
        """Write some of the files below ``folder``, under their own names.

        Args:
            names: names of the files.
            folder: folder to write to.
            nested: names of files that may be archives.
            limits: limits on the files' bytes.

        Raises:
            SubmissionError: a file can't be read, or the files are too large.
        """
        meter = self.members.meter([self.prefix + name for name in names], limits)
        for name in names:
            write_member(self.members, self.prefix + name, folder / name, meter, nested=name in nested)


@dataclass(frozen=True)
class Source:
    """An open source of runs: a folder or a zip.

    Attributes:
        path: path of the folder or zip.
        runs: folders of runs, relative to the top.
        notes: files that note a failed run.
        left_out: names of all other files in a zip; messages on parts of a folder that can't be read.
        archive: members of the zip; ``None`` for a folder.
        of_runs: names of the members of each run in a zip.
    """

    path: Path
    runs: tuple[PurePosixPath, ...]
    notes: tuple[PurePosixPath, ...]
    left_out: tuple[str, ...] = ()
    archive: OpenMembers | None = field(default=None, repr=False)
    of_runs: Mapping[PurePosixPath, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def where(self, place: PurePosixPath) -> str:
        """Return a place in the source for messages; control characters are replaced by ``?``."""
        between = "!" if self.archive else os.sep
        text = str(self.path) if place == _TOP else f"{self.path}{between}{place}"
        return "".join(c if c.isprintable() else "?" for c in text)

    @contextlib.contextmanager
    def run(self, place: PurePosixPath) -> Iterator[Bundle]:
        """Open the files of a run.

        Raises:
            SubmissionError: a file is a link, or has a deceptive name.
        """
        if self.archive is not None:
            prefix = "" if place == _TOP else f"{place}/"
            names = tuple(name.removeprefix(prefix) for name in self.of_runs[place])
            yield Bundle(self.where(place), names, self.archive, prefix)
            return
        with open_members(self.path / place, OF_A_RUN) as members:
            yield Bundle(self.where(place), members.names, members)

    def copy_note(self, place: PurePosixPath, path: Path) -> None:
        """Write a note of a failed run to ``path``.

        Raises:
            SubmissionError: the note can't be read, is a link, or is too large.
        """
        if self.archive is not None:
            write_member(self.archive, str(place), path, self.archive.meter([str(place)], OF_A_RECORD))
            return
        with open_members(self.path / place.parent, OF_A_RECORD) as members:
            write_member(members, place.name, path, members.meter())


def write_member(members: OpenMembers, name: str, path: Path, meter: Meter, *, nested: bool = False) -> None:
    """Write one member to ``path``, which must be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        for part in members.chunks(name, meter, nested=nested):
            stream.write(part)


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a folder or a zip, and find the runs in it.

    Raises:
        DataError: the path is missing, or holds no run.
        SubmissionError: the file is not a zip, or its names are deceptive.
    """
    if not path.exists():
        raise DataError("no such file or folder", where=path, found=broken_link(path))
    with contextlib.ExitStack() as stack:
        source = _in_folder(path) if path.is_dir() else _in_zip(path, stack.enter_context(open_members(path, OF_A_ZIP)))
        if not source.runs and not source.notes:
            expected = f"a run's folder, or a folder or zip of these, as TASK/RUN_ID/{RUN_FILE}"
            raise DataError("no runs in it", where=path, expected=expected)
        yield source


def _in_zip(path: Path, members: OpenMembers) -> Source:
    named = [PurePosixPath(name) for name in members.names]
    runs = {name.parent for name in named if name.name == RUN_FILE}
    runs = {place for place in runs if not runs & set(place.parents)}  # a run.json inside a run is no run of its own
    of_runs: dict[PurePosixPath, list[str]] = {place: [] for place in sorted(runs)}
    notes, others = [], []
    for name in named:
        place = next((above for above in name.parents if above in runs), None)
        if place is not None:
            of_runs[place].append(str(name))
        elif _is_note(name):
            notes.append(name)
        else:
            others.append(str(name))
    names_by_run = {place: tuple(names) for place, names in of_runs.items()}
    return Source(path, tuple(names_by_run), tuple(notes), (*others, *members.warnings), members, names_by_run)


def _in_folder(path: Path) -> Source:
    runs, notes, left_out = [], [], []

    def unreadable(error: OSError) -> None:
        left_out.append(f"{error.filename}: {error.strerror}")

    for folder, below, files in os.walk(path, onerror=unreadable):
        place = PurePosixPath(Path(folder).relative_to(path).as_posix())
        if len(place.parts) >= DEEPEST:
            left_out.append(f"{folder}: {TOO_DEEP}")
            below.clear()
            continue
        if RUN_FILE in files:
            runs.append(place)
            below.clear()
            continue
        links = [name for name in below if Path(folder, name).is_symlink()]
        left_out += [f"{Path(folder, name)}: a symbolic link" for name in links]
        below[:] = sorted(name for name in below if name not in links and not name.startswith("."))
        notes += [place / name for name in sorted(files) if _is_note(place / name)]
    return Source(path, tuple(runs), tuple(notes), tuple(left_out))


def _is_note(name: PurePosixPath) -> bool:
    return name.parent.name == FAILED and name.suffix == ".json" and not name.name.startswith(".")
