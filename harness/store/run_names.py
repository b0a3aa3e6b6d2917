"""Names of runs: an id, the beginning of one, its short hash, or ``SOLUTION[@SEED]``. One function decides them all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UnknownNameError, UsageError, problem
from harness.records.run import RUN_FILE
from harness.store.folders import run_folders, written_record
from harness.store.store import Store
from harness.system.regular import is_taken
from harness.system.terminal import one_line

_HASH = re.compile(r"-([0-9a-f]{8})$")
_SHORTEST = 4
_LISTED = 10


@dataclass(frozen=True)
class NamedRun:
    """The facts about a run that identify it by name.

    Attributes:
        run_id: id of the run.
        folder: the run's folder, on this machine or on the one that recorded the run.
        task: name of the task.
        split: split that was predicted.
        name: name of the solution.
        seed: seed of the training; ``None`` where it is unknown.
        created: date and time in UTC, ``2026-11-29 01:30``; empty where it is unknown.
        data_name: name of the data set; empty where it is unknown.
    """

    run_id: str
    folder: Path
    task: str = ""
    split: str = ""
    name: str = ""
    seed: int | None = None
    created: str = ""
    data_name: str = ""

    @property
    def words(self) -> str:
        """One line for a list of candidates."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        moment = f", {self.created}" if self.created else ""
        place = f"{one_line(self.data_name)} {self.split}".strip()
        return f"{short_id(self.run_id)}  {one_line(self.name)}{seed}, {place}{moment}  {one_line(self.run_id)}"


class AmbiguousNameError(UsageError):
    """A name that several runs answer to."""

    def __init__(self, name: str, candidates: Sequence[NamedRun]) -> None:
        """Compose the error's message from the runs that have this name."""
        self.candidates = tuple(candidates)
        lines = [f"  {run.words}" for run in self.candidates[:_LISTED]]
        if len(self.candidates) > _LISTED:
            lines.append(f"  and {len(self.candidates) - _LISTED} more")
        what = problem(f"{one_line(name)!r} names {len(candidates)} runs", do="Name one of them by its short id")
        super().__init__("\n".join([what, *lines]))


def short_id(run_id: str) -> str:
    """Return the hash at the end of a run's id; the whole id of a run that has none.

    >>> short_id("tiny-mlp-val-s0-1a2b3c4d")
    '1a2b3c4d'
    """
    matching = _HASH.search(run_id)
    return matching[1] if matching else run_id


def known_runs(results: Store, out: Path | None) -> list[NamedRun]:
    """Return the runs of a store and those below ``out``, newest first; a folder below ``out`` goes before the store's.

    Raises:
        StoreError: the store can't be read.
    """
    folders = {folder.name: folder for folder in run_folders(out)} if out else {}
    with results.reading() as db:
        sql = "SELECT run_id, folder, task, split, name, seed, strftime(created, '%Y-%m-%d %H:%M'), data_name FROM runs"
        rows = [] if db is None else db.execute(sql).fetchall()
    runs = {
        run_id: NamedRun(
            run_id, folders.get(run_id, Path(folder)), task, split, name, seed, created or "", data_name or ""
        )
        for run_id, folder, task, split, name, seed, created, data_name in rows
    }
    for run_id, folder in folders.items():
        if run_id not in runs:
            runs[run_id] = _of_folder(run_id, folder)
    return sorted(runs.values(), key=lambda run: (run.created, run.run_id), reverse=True)


def _of_folder(run_id: str, folder: Path) -> NamedRun:
    """Return a run that no store knows, from the record in its folder."""
    content: Mapping[str, object] = written_record(folder)
    task, split, name, created = (str(content.get(key, "")) for key in ("task", "split", "name", "created"))
    seed, data = content.get("seed"), content.get("data")
    data_name = str(data.get("name", "")) if isinstance(data, Mapping) else ""
    moment = created[:16].replace("T", " ")
    return NamedRun(run_id, folder, task, split, name, seed if isinstance(seed, int) else None, moment, data_name)


def runs_named(runs: Sequence[NamedRun], text: str, *, split: str | None = None) -> list[NamedRun]:
    """Return the runs that a name fits: by id, else short hash, else solution and seed, else the beginning of either.

    Args:
        runs: runs of :func:`known_runs`.
        text: name; ``expr/tiny-mlp``, ``tiny-mlp@1``, ``1a2b``, ``tiny-mlp-val-s0-1a2b3c4d``.
        split: preferred split, where a solution has runs on several; ``None`` for runs on any.
    """
    for of_id in (
        [run for run in runs if run.run_id == text],
        [run for run in runs if short_id(run.run_id) == text.casefold()],
    ):
        if of_id:
            return of_id
    solution, seed = _solution_and_seed(text)
    named = [run for run in runs if _is_called(run, solution) and seed in (None, run.seed)]
    if not named:
        solution, seed = text, None
        named = [run for run in runs if _is_called(run, solution)]
    if named:
        on_split = [run for run in named if run.split == split]
        return on_split or named
    if len(text) < _SHORTEST:
        return []
    return [run for run in runs if run.run_id.startswith(text) or short_id(run.run_id).startswith(text.casefold())]


def _solution_and_seed(text: str) -> tuple[str, int | None]:
    name, at, seed = text.rpartition("@")
    return (name, int(seed)) if at and name and re.fullmatch("[0-9]{1,18}", seed) else (text, None)


def _is_called(run: NamedRun, solution: str) -> bool:
    return bool(run.name) and solution in (run.name, run.name.partition("/")[2])


def named_run(results: Store, text: str, out: Path | None, *, split: str | None = None) -> NamedRun:
    """Return the one run that a name means; see :func:`runs_named`. A path of a run's folder is a name, too.

    Raises:
        UnknownNameError: no run has that name.
        AmbiguousNameError: several have; the message lists them.
        StoreError: the store, which alone may know the name, can't be read.
    """
    matching = named_runs(results, text, out, split=split)
    if len(matching) > 1:
        raise AmbiguousNameError(text, matching)
    return matching[0]


def named_runs(results: Store, text: str, out: Path | None, *, split: str | None = None) -> list[NamedRun]:
    """Return every run that a name means, at least one; see :func:`named_run`.

    Raises:
        UnknownNameError: no run has that name.
        StoreError: the store, which alone may know the name, can't be read.
    """
    if is_run_folder(Path(text)):
        folder = Path(text)
        return [_of_folder(str(written_record(folder).get("run_id") or folder.resolve().name), folder)]
    folder_below = next((folder for folder in run_folders(out) if folder.name == text), None) if out else None
    if folder_below is not None:  # no store is needed, whatever state it is in
        return [_of_folder(text, folder_below)]
    runs = known_runs(results, out)
    matching = runs_named(runs, text, split=split)
    if not matching:
        names = {run.name for run in runs} if "/" in text else {run.run_id for run in runs}
        raise UnknownNameError("run", text, names, hint="See all with: abaw runs")
    return matching


def is_run_folder(path: Path) -> bool:
    """Return whether a path is the folder of a run."""
    try:
        return is_taken(path / RUN_FILE)
    except (OSError, ValueError):
        return False
