"""Merge runs that others made with those that are here: each whole or not at all, each problem named."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from harness.errors import AbawError, DataError, StorageError, problem
from harness.importing.check import ARCHIVED, belongs, place_problems, record_problems, run_problems
from harness.importing.source import OF_A_RECORD, RECORD_BYTES, Bundle, Source
from harness.records.failure import Failure, failure_file, failure_id
from harness.records.marks import keep_marks
from harness.records.origin import Origin
from harness.records.run import RUN_FILE, STATISTICS_FILE, RunRecord
from harness.system.atomic import atomic_folder, sweep_partials
from harness.tasks import TASKS

NEW, REPLACED, HERE, REFUSED, PASSED_OVER = "new", "replaced", "here", "refused", "passed over"


@dataclass
class Merge:
    """Runs from any number of sources into the folder of the runs.

    Attributes:
        out: folder of the runs.
        replace: put runs in the place of those that are here.
        dry: check everything, change nothing.
        seen: what a dry merge would have taken, by id.
    """

    out: Path
    replace: bool = False
    dry: bool = False
    seen: dict[str, RunRecord] = field(default_factory=dict, repr=False)

    def take(self, source: Source) -> Iterator[Outcome]:
        """Take the runs of a source, one after the other."""
        for place in source.runs:
            where = source.where(place)
            try:
                with source.run(place) as bundle:
                    yield self._run(source, place, bundle)
            except _Refused as refused:
                yield Outcome(where, REFUSED, refused.problems)
            except (AbawError, OSError) as error:
                yield Outcome(where, REFUSED, (str(error),))
            except Exception as error:  # whatever a run of others' is, the next one is another
                what = "a run that can't be read"
                yield Outcome(where, REFUSED, (problem(what, where=where, found=f"{type(error).__name__}: {error}"),))

    def _run(self, source: Source, place: PurePosixPath, bundle: Bundle) -> Outcome:
        said = _record(bundle)
        _refuse(record_problems(said) or place_problems(said, place), bundle.where)
        folder = self.out / said.task / said.run_id
        state = self._state(said, folder, source.path / place)
        if state == HERE:
            return Outcome(bundle.where, HERE, run=(said, folder))
        try:
            return self._new(source, bundle, said, folder, state)
        except StorageError:
            if state != NEW or self._state(said, folder, source.path / place) != HERE:
                raise
            return Outcome(bundle.where, HERE, run=(said, folder))  # another process has brought it meanwhile

    def _new(self, source: Source, bundle: Bundle, said: RunRecord, folder: Path, state: str) -> Outcome:
        taken = [name for name in bundle.names if belongs(name, said)]
        with self._staging(folder, replace=state == REPLACED) as staged:
            bundle.copy(taken, staged, nested=[name for name in taken if name.endswith(ARCHIVED)])
            record = RunRecord.read(staged)
            if _differing(record, said):
                raise DataError("the run changed while it was read", where=bundle.where)
            _refuse(record_problems(record) or run_problems(staged, record), bundle.where, staged)
            Origin.now(source.path).write(staged)
            keep_marks(folder, staged)  # the user's, of the run that this one replaces
        if self.dry:
            self.seen[record.run_id] = record
        else:  # what is complete now did not fail
            identity = failure_id(record.task, record.split, record.name, record.seed, record.data["name"])
            failure_file(self.out, record.task, identity).unlink(missing_ok=True)
        left_out = tuple(name for name in bundle.names if name not in taken)
        return Outcome(bundle.where, state, left_out=left_out, run=(record, folder))

    def _state(self, record: RunRecord, folder: Path, origin: Path) -> str:
        """What a run would be here.

        Raises:
            DataError: another run, or another result, has its place.
        """
        earlier = self.seen.get(record.run_id)
        places = (self.out / task / record.run_id for task in TASKS)
        other = next((place for place in places if (place / RUN_FILE).is_file()), None)
        if other is None and earlier is None:
            return NEW
        if other is not None and other.parent.name != record.task:
            raise DataError("a run of another task has this id", where=record.run_id, found=other)
        if other is not None and other.resolve() == origin.resolve():
            return HERE
        if self.replace and earlier is None:
            return REPLACED
        differing = _differing(record, earlier or RunRecord.read(folder))
        if differing:
            raise DataError(
                "a run of this id is here, and is another",
                where=record.run_id,
                found=f"other {', '.join(differing)}",
                do=f"Compare it with {folder}; to have this one in its place: --replace",
            )
        return HERE

    @contextlib.contextmanager
    def _staging(self, folder: Path, *, replace: bool) -> Iterator[Path]:
        """Where a run is put together; it becomes ``folder`` when the block ends well, unless the merge is dry."""
        if self.dry:
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary)
            return
        sweep_partials(folder.parent)
        with atomic_folder(folder, replace=replace) as staged:
            yield staged


class _Refused(DataError):
    """A run with all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _refuse(problems: Sequence[str], where: str, staged: Path | None = None) -> None:
    """Stop if there are problems; a place in the copy that was looked at is told as that in the source."""
    if problems:
        raise _Refused([text.replace(str(staged), where) if staged else text for text in problems])


def _record(bundle: Bundle) -> RunRecord:
    """A run's record, read alone: from it follows what else is read."""
    names = [name for name in (RUN_FILE, STATISTICS_FILE) if name in bundle.names]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in names:
            bytes_ = RECORD_BYTES if name == RUN_FILE else OF_A_RECORD.member_bytes
            bundle.copy([name], folder, limits=replace(OF_A_RECORD, member_bytes=bytes_))
        try:
            return RunRecord.read(folder)
        except DataError as error:
            raise _Refused([str(error).replace(str(folder), bundle.where)]) from None


def _differing(a: RunRecord, b: RunRecord) -> list[str]:
    """In what two runs of one id differ, other than when, where and how fast they were made."""
    parts = ("run_id", "task", "split", "name", "seed", "recipe", "choices", "files", "scores", "statistics")
    # as text: a choice that nobody could make is no number, and equal to none
    return [name for name in parts if json.dumps(getattr(a, name)) != json.dumps(getattr(b, name))]


@dataclass(frozen=True)
class Outcome:
    """What became of a run, of a note of a failed run, or of a source as a whole.

    Attributes:
        where: it lies in what was handed over.
        state: ``new``; ``replaced``, what was here before; ``here`` already, with the same result; ``refused``;
            ``passed over``, what is no run.
        problems: why it was refused.
        left_out: files that were not taken.
        run: record, and its folder here; ``None`` where it was refused.
        failure: the note, and its file here.
    """

    where: str
    state: str
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    run: tuple[RunRecord, Path] | None = field(default=None, repr=False)
    failure: tuple[Failure, Path] | None = field(default=None, repr=False)
