"""The import of paths that a user names: their runs are merged into the folder of the runs, then recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import AbawError
from harness.importing.merge import HERE, NEW, PASSED_OVER, REFUSED, REPLACED, Merge, Outcome
from harness.importing.notes import Notes
from harness.importing.source import open_source
from harness.store.store import Store
from harness.store.sync import Due


def take(paths: Iterable[Path], out: Path, *, replace: bool = False, dry: bool = False) -> Iterator[Outcome]:
    """Merge the runs in folders and zips with those below ``out``: see :class:`harness.importing.merge.Merge`.

    Args:
        paths: folders and zips.
        out: folder of the runs.
        replace: let runs replace those of the same id that are here.
        dry: check all runs, but change no file.

    Yields:
        The outcomes of each path: one for files that were passed over, one per run, one per note of a failed run; or a
        single one for a path that was refused as a whole.
    """
    runs, notes = Merge(out, replace=replace, dry=dry), Notes(out, dry=dry)
    for path in paths:
        try:
            with open_source(path) as source:
                if source.left_out:
                    yield Outcome(str(path), PASSED_OVER, left_out=source.left_out)
                yield from runs.take(source)
                yield from notes.take(source)
        except (AbawError, OSError) as error:
            yield Outcome(str(path), REFUSED, (str(error),))


def to_record(store: Store, outcomes: Sequence[Outcome]) -> Due:
    """Return the runs and failures to record: those that were taken, and those here that the store lacks.

    Raises:
        StoreError: the store can't be read. The runs are complete on disk: ``abaw sync`` records them.
    """
    known = store.folders() if any(outcome.state == HERE for outcome in outcomes) else {}
    fresh = (NEW, REPLACED)
    runs = {
        record.run_id: (record, folder)
        for outcome in outcomes
        if outcome.run is not None
        for record, folder in [outcome.run]
        if outcome.state in fresh or record.run_id not in known
    }
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None and outcome.state in fresh]
    return Due(tuple(runs.values()), tuple(failures))
