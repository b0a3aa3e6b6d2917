"""The merge of runs that others made with the runs here: each run is taken completely or refused with its problems."""

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
    """A merge of runs from any number of sources into the folder of the runs.

    Attributes:
        out: folder of the runs.
        replace: let runs replace those of the same id that are here.
        dry: check all runs, but change no file.
        dry_taken: runs that a dry merge would have taken, by id.
    """

    out: Path
    replace: bool = False
    dry: bool = False
    dry_taken: dict[str, RunRecord] = field(default_factory=dict, repr=False)

    def take(self, source: Source) -> Iterator[Outcome]:
        """Take the runs of a source one after the other, and yield the outcome of each."""
        for place in source.runs:
            where = source.where(place)
            try:
                with source.run(place) as bundle:
                    yield self._run(source, place, bundle)
            except _Refused as refused:
                yield Outcome(where, REFUSED, refused.problems)
            except (AbawError, OSError) as error:
                yield Outcome(where, REFUSED, (str(error),))
            except Exception as error:  # a foreign run may fail in any way, and must not stop the next one
                what = "the run can't be read"
                yield Outcome(where, REFUSED, (problem(what, where=where, found=f"{type(error).__name__}: {error}"),))

    def _run(self, source: Source, place: PurePosixPath, bundle: Bundle) -> Outcome:
        claimed = _record(bundle)
        _refuse(record_problems(claimed) or place_problems(claimed, place), bundle.where)
        folder = self.out / claimed.task / claimed.run_id
        state = self._state(claimed, folder, source.path / place)
        if state == HERE:
            return Outcome(bundle.where, HERE, run=(claimed, folder))
        try:
            return self._new(source, bundle, claimed, folder, state)
        except StorageError:
            if state != NEW or self._state(claimed, folder, source.path / place) != HERE:
                raise
            return Outcome(bundle.where, HERE, run=(claimed, folder))  # another process has imported it meanwhile

    def _new(self, source: Source, bundle: Bundle, claimed: RunRecord, folder: Path, state: str) -> Outcome:
        taken = [name for name in bundle.names if belongs(name, claimed)]
        with self._staging(folder, replace=state == REPLACED) as staged:
            bundle.copy(taken, staged, nested=[name for name in taken if name.endswith(ARCHIVED)])
            record = RunRecord.read(staged)
            if _differing(record, claimed):
                raise DataError("the run changed while it was read", where=bundle.where)
            _refuse(record_problems(record) or run_problems(staged, record), bundle.where, staged)
            Origin.now(source.path).write(staged)
            keep_marks(folder, staged)  # the user's marks of the run that this one replaces
        if self.dry:
            self.dry_taken[record.run_id] = record
        else:  # a complete run has no note of a failure
            identity = failure_id(record.task, record.split, record.name, record.seed, record.data["name"])
            failure_file(self.out, record.task, identity).unlink(missing_ok=True)
        left_out = tuple(name for name in bundle.names if name not in taken)
        return Outcome(bundle.where, state, left_out=left_out, run=(record, folder))

    def _state(self, record: RunRecord, folder: Path, origin: Path) -> str:
        """Return the state that a run would have here: ``NEW``, ``REPLACED`` or ``HERE``.

        Raises:
            DataError: another run, or another result of this run, has its place.
        """
        earlier = self.dry_taken.get(record.run_id)
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
                "a different run with this id is here",
                where=record.run_id,
                found=f"other {', '.join(differing)}",
                do=f"Compare it with {folder}; to have this one in its place: --replace",
            )
        return HERE

    @contextlib.contextmanager
    def _staging(self, folder: Path, *, replace: bool) -> Iterator[Path]:
        """Yield a temporary folder; it is renamed to ``folder`` when the block succeeds, unless the merge is dry."""
        if self.dry:
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary)
            return
        sweep_partials(folder.parent)
        with atomic_folder(folder, replace=replace) as staged:
            yield staged


class _Refused(DataError):
    """The refusal of a run, with all its problems."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the problems to the error's message, one per line."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _refuse(problems: Sequence[str], where: str, staged: Path | None = None) -> None:
    """Raise an error if there are problems. Paths in the temporary copy are replaced by the place in the source."""
    if problems:
        raise _Refused([text.replace(str(staged), where) if staged else text for text in problems])


def _record(bundle: Bundle) -> RunRecord:
    """Return a run's record, which is read first, because it decides which other files are read."""
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
    """Return the parts in which two runs of one id differ; time, place and speed of the runs are not compared."""
    parts = ("run_id", "task", "split", "name", "seed", "recipe", "choices", "files", "scores", "statistics")
    # compared as JSON: a choice may be NaN, which is unequal to itself
    return [name for name in parts if json.dumps(getattr(a, name)) != json.dumps(getattr(b, name))]


@dataclass(frozen=True)
class Outcome:
    """The outcome for a run, for a note of a failed run, or for a source as a whole.

    Attributes:
        where: place in the source.
        state: ``new``; ``replaced`` for a run that replaced an earlier one; ``here`` for a run that is here already,
            with the same result; ``refused``; ``passed over`` for files that belong to no run.
        problems: reasons of a refusal.
        left_out: files that were not taken.
        run: record of the run and its folder here; ``None`` for a refused run.
        failure: the note of a failed run and its file here.
    """

    where: str
    state: str
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    run: tuple[RunRecord, Path] | None = field(default=None, repr=False)
    failure: tuple[Failure, Path] | None = field(default=None, repr=False)
