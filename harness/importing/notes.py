"""Import of notes of failed runs that others left; notes of runs that are complete here are left out."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import AbawError, DataError, problem
from harness.importing.merge import HERE, NEW, REFUSED, Outcome
from harness.importing.source import Source
from harness.records.failure import Failure, failure_file, failure_id
from harness.records.run import RunRecord
from harness.store.folders import run_folders
from harness.system.atomic import atomic_path
from harness.tasks import SPLITS, TASKS


@dataclass
class Notes:
    """An import of notes from any number of sources into the folder of the runs, after the import of their runs.

    Attributes:
        out: folder of the runs.
        dry: check all notes, but change no file.
    """

    out: Path
    dry: bool = False

    def take(self, source: Source) -> Iterator[Outcome]:
        """Take the notes of a source one after the other, and yield the outcome of each. Existing notes stay."""
        for place in source.notes:
            where = source.where(place)
            try:
                yield self._note(source, place, where)
            except (AbawError, OSError) as error:
                yield Outcome(where, REFUSED, (str(error),))
            except Exception as error:  # a foreign note may fail in any way, and must not stop the next one
                what, cause = "the note can't be read", f"{type(error).__name__}: {error}"
                yield Outcome(where, REFUSED, (problem(what, where=where, found=cause),))

    def _note(self, source: Source, place: PurePosixPath, where: str) -> Outcome:
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / "note.json"
            source.copy_note(place, copy)
            try:
                failure = _checked(copy, place, where)
            except DataError as error:
                raise DataError(str(error).replace(str(copy), where)) from None
            file = failure_file(self.out, failure.task, failure.failure_id)
            if file.exists() or failure.failure_id in self._complete:
                return Outcome(where, HERE, failure=(failure, file))
            if not self.dry:
                with atomic_path(file) as temporary_file:
                    shutil.copyfile(copy, temporary_file)
        return Outcome(where, NEW, failure=(failure, file))

    @functools.cached_property
    def _complete(self) -> set[str]:
        """Ids of the failures that the complete runs here have mended."""
        ids = set()
        for folder in run_folders(self.out):
            with contextlib.suppress(DataError):  # abaw reindex reports it
                record = RunRecord.read(folder)
                ids.add(failure_id(record.task, record.split, record.name, record.seed, record.data["name"]))
        return ids


def _checked(path: Path, place: PurePosixPath, where: str) -> Failure:
    """Read a note, and check that its content agrees with its name and place.

    Raises:
        DataError: the content disagrees, or can't be read.
    """
    failure = Failure.read(path)
    identity = failure_id(failure.task, failure.split, failure.name, failure.seed, failure.data_name)
    if failure.task not in TASKS or failure.split not in SPLITS:
        actual = f"{failure.task!r}, {failure.split!r}"
        raise DataError("the note names an unknown task or split", where=where, found=actual)
    if not place.stem == failure.failure_id == identity:
        raise DataError("the note's file name does not match its run", where=where, expected=identity)
    above = place.parent.parent.name.upper()
    if above in TASKS and above != failure.task:
        raise DataError("in the folder of another task", where=where, found=above, expected=failure.task)
    return failure
