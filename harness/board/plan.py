"""A plan for the submissions of a task: which runs on val to make again for test, what to expect, and the commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.board.entries import Entries, Entry, View, data_with_entries, labels, run_entries, unit_of, versions
from harness.board.forecast import (
    ON_BOTH_SPLITS,
    Candidate,
    Forecast,
    Pick,
    choose_submissions,
    forecast,
    luck_of_choice,
)
from harness.board.rankings import Ranking, of_board
from harness.board.seeds import by_setup
from harness.board.slots import promised_by, run_ids_of
from harness.errors import DataError, UsageError
from harness.plugins.registry import solution_entries
from harness.records.options import OF_DATA, OF_RUN, flags_of
from harness.records.run import ON_BOTH, TRAIN
from harness.slots import EDITIONS, SLOTS, Sent, edition_of, of_slot
from harness.store.store import Replicates, Store, TableRows
from harness.system.counts import counted, verb_for
from harness.tasks import Task


@dataclass(frozen=True)
class Submission:
    """A submission that the plan proposes.

    Attributes:
        why: its role in the plan.
        name: the solution, or the blend.
        label: the name with the seed.
        seed: of the training.
        trained_on: splits that the heads which predict test are trained on.
        val_run_id: the run on val, of heads trained on train alone, whose score is forecast.
        val: what that run scores, cross-fitted; the mean over seeds where there are several.
        seeds: number of seeds in that mean.
        commands: lines that make the official file, in order.
    """

    why: str
    name: str
    label: str
    seed: int | None
    trained_on: str
    val_run_id: str
    val: float
    seeds: int
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Submissions of a task for the slots that are left in an edition.

    Attributes:
        view: data set and labels that the runs are on.
        ranking: these labels.
        edition: number of the competition.
        slots: number of slots of the task in this edition.
        left: number of slots that are left.
        submissions: up to so many that differ.
        outlook: what to expect of them; ``None`` where nothing can be proposed.
        unit: what the intervals draw, ``video`` or ``person``.
        notes: sentences that a reader needs.
        counted_before: number of submissions sent in this edition whose runs on val count towards the best of all.
    """

    view: View
    ranking: Ranking
    edition: int
    slots: int
    left: int
    submissions: tuple[Submission, ...]
    outlook: Forecast | None
    unit: str
    notes: tuple[str, ...] = ()
    counted_before: int = 0


@dataclass(frozen=True)
class Places:
    """Flags that the commands repeat, as they were given; empty where settings come from the environment or a file."""

    data: str = ""
    out: str = ""
    store: str = ""

    def of_results(self) -> list[str]:
        """Return the flags of the folders where results go."""
        pairs = (("--out", self.out), ("--store", self.store))
        return [part for flag, value in pairs if value for part in (flag, value)]


def load_plan(
    store: Store,
    task: Task,
    sent: Sequence[Sent],
    places: Places,
    *,
    data_name: str = "",
    labels_name: str = "",
    edition: int | None = None,
    slots: int = SLOTS,
) -> Plan:
    """Return the plan for a task, from the runs on val of one data set and version of its labels.

    Args:
        store: the results store.
        task: task of the submissions.
        sent: content of the slot ledger.
        places: flags for the commands.
        data_name: name of the data set; by default that of the newest run on val.
        labels_name: version of its labels; by default that of the newest run.
        edition: of the competition; the task's latest by default.
        slots: that the edition gives the task.

    Raises:
        DataError: the task has no run on val.
        UsageError: the edition lacks the task, or its slots are used.
        UnknownNameError: there are no such labels.
        StoreError: the store can't be read.
    """
    number = edition_of(task.name) if edition is None else edition
    left = _slots_left(sent, task, number, slots)
    with store.at_once() as held:
        every = {row["run_id"]: row for row in held.run_rows(hidden=True)}
        runs = [row for row in every.values() if not row["hidden"]]
        view, rankings = _view(runs, held, task, data_name, labels_name)
        entries = [entry for entry in run_entries(runs, view) if entry.score is not None]
        by_run = held.replicates([entry.key for entry in entries])
        setups, by_key = by_setup(entries, by_run)
        makers = _Makers(held, places)
        makable = _newest(setups, makers)
        differing = _differing(makable, by_run)
        of_edition = of_slot(sent, task.name, number)
        sent_before = _sent_before(held, every, of_edition)
        pool = _pool(differing, makers, sent_before)
        before = _scores_before(setups, by_key, sent_before)
        share, of_test = _videos_per_test_video(runs, view)
        submissions, outlook = _planned(pool, by_key, by_run, makers, left, share, before)
        shift = _shift_note(held, every, [entry for entry in sent if entry.task == task.name])
    notes = [
        f"The test set is taken to have as many videos as {of_test}.",
        *_pool_notes(pool, len(setups), left, len(makable) - len(differing)),
        *_blend_note(makable, makers, task),
        *_before_note(len(of_edition), len(before)),
        *(f"Left out, on other labels: {counted(len(r.run_ids), 'run')} on {r.title}." for r in rankings[1:]),
        *shift,
        *makers.missing_roots(),
    ]
    return Plan(
        view,
        rankings[0],
        number,
        slots,
        left,
        submissions,
        outlook,
        unit_of(entry.persons for entry in entries),
        tuple(notes),
        len(before),
    )


def _slots_left(sent: Sequence[Sent], task: Task, edition: int, slots: int) -> int:
    """Return how many slots are left.

    Raises:
        UsageError: none, or the edition lacks the task.
    """
    if edition not in EDITIONS.get(task.name, (edition,)):
        had = ", ".join(map(str, EDITIONS[task.name]))
        raise UsageError(f"edition {edition} has no {task.name}", expected=f"edition {had}")
    used = len(of_slot(sent, task.name, edition))
    if used >= slots:
        do = f"If the edition gives more: --slots {used + 1}; for another edition: --edition"
        raise UsageError(
            f"all {counted(slots, 'slot')} of {task.name}, edition {edition}, {verb_for(slots, 'are')} used",
            do=do,
        )
    return slots - used


def _view(
    runs: TableRows, store: Store, task: Task, data_name: str, labels_name: str
) -> tuple[View, tuple[Ranking, ...]]:
    """Return the runs' data set and labels, and all versions of its labels, those that count first.

    Raises:
        DataError: no run on val has a score.
    """
    names = data_with_entries(runs, (), task, "val")
    view = View(task, "val", data_name or (names[0] if names else ""), labels_name)
    of_view = versions(runs, view)
    if of_view.shown is None:
        do = f"Make runs with: abaw run SOLUTION --data ROOT  (see: abaw solutions --task {task.name})"
        what = f"no scored run of {task.name} on val" + (f" of {data_name}" if data_name else "")
        raise DataError(what, where=store.place, found=f"runs on {', '.join(names)}" if names else "no run", do=do)
    others = [ranking for ranking in of_view.rankings if ranking is not of_view.shown]
    return replace(view, labels=of_view.shown.labels), (of_view.shown, *others)


class _Makers:
    """Commands that make official test files of runs on val: of solutions that are installed, and of their blends."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store, self._places = store, places
        self._records: dict[str, Mapping[str, Any]] = {}
        self._roots: dict[str, None] = {}

    def record(self, run_id: str) -> Mapping[str, Any]:
        """Return the record of a run; empty if the store has no such run."""
        if run_id not in self._records:
            rows = self._store.query("SELECT record FROM runs WHERE run_id = ?", [run_id])
            self._records[run_id] = json.loads(rows["record"].iloc[0]) if len(rows) else {}
        return self._records[run_id]

    def parts(self, run_id: str) -> list[str]:
        """Return the runs that a blend is made of; empty for any other run."""
        parts = self.record(run_id).get("recipe", {}).get("parts", [])
        known = isinstance(parts, list) and all(isinstance(part, dict) for part in parts)
        return [str(part.get("run_id", "")) for part in parts] if known else []

    def can_make(self, run_id: str) -> bool:
        """Tell whether commands of this installation make the test file of a run."""
        record, parts = self.record(run_id), self.parts(run_id)
        if parts:
            return "plan" in record["recipe"] and all(map(self.can_make, parts))
        return record.get("name") in solution_entries() and record.get("seed") is not None

    def options(self, run_id: str) -> Mapping[str, Any]:
        """Return the options that a run was made with and a command repeats; the parts of a blend count as such."""
        recorded = self.record(run_id).get("options", {})
        options = {name: recorded[name] for name in OF_RUN if recorded.get(name)}
        return options | ({"parts": parts} if (parts := self.parts(run_id)) else {})

    def trained_on(self, run_id: str) -> str:
        """Return the splits that heads for test are trained on where nothing else is asked for."""
        parts = self.parts(run_id)
        if parts:
            return ON_BOTH if ON_BOTH in map(self.trained_on, parts) else TRAIN
        return solution_entries()[self.record(run_id)["name"]].trained_on

    def can_train_on_both(self, run_id: str) -> bool:
        """Tell whether all heads of a run can be trained on train and val for test."""
        parts = self.parts(run_id)
        if parts:
            return all(map(self.can_train_on_both, parts))
        return solution_entries()[self.record(run_id)["name"]].create_on_both is not None

    def commands(self, run_id: str, *, on_both: bool) -> tuple[str, ...]:
        """Return the lines that make the test file of a run, in order."""
        record, parts = self.record(run_id), self.parts(run_id)
        train_on = ["--train-on", ON_BOTH] if on_both else []
        root = self._places.data or str(record["data"].get("root") or "ROOT")
        self._roots[root] = None
        if not parts:
            flags = flags_of(self.options(run_id), OF_RUN)
            line = ["abaw", "submit", record["name"], "--seed", str(record["seed"]), "--data", root, *flags, *train_on]
            return (shlex.join([*line, *self._places.of_results()]),)
        of_parts = [line for part in parts for line in self.commands(part, on_both=on_both)]
        plan, (first, *_) = record["recipe"]["plan"], parts
        weights = plan.get("blend", {}).get("weights")
        shares = ["--weights", ",".join(map(str, weights))] if isinstance(weights, list) else []
        line = ["abaw", "blend", *parts, "--task", record["task"], "--data", root, "--split", "test"]
        line += [
            "--name",
            str(record["name"]).partition("/")[2],
            *shares,
            *(["--smooth"] if "smoothing" in plan else []),
        ]
        line += [*flags_of(self.options(first), OF_DATA), *train_on, *self._places.of_results()]
        return (*dict.fromkeys(of_parts), shlex.join(line))

    def missing_roots(self) -> list[str]:
        """Return a note for each data set of the commands that is elsewhere."""
        return [
            f"The data set of these runs is not at {root} on this machine: name its place with --data."
            for root in self._roots
            if not Path(root).is_dir()
        ]


@dataclass(frozen=True)
class _Known:
    """A candidate, and the entry of the board that it comes from."""

    candidate: Candidate
    entry: Entry


def _sent_before(store: Store, runs: Mapping[str, Mapping[str, Any]], sent: Sequence[Sent]) -> set[tuple[str, str]]:
    """Return the run on val behind each submission, and the splits that its heads were trained on."""
    if not sent or not runs:
        return set()
    promised = promised_by(store, run_ids_of(sent))
    return {
        (str(val), str(runs[test]["trained_on"])) for test, val in zip(promised["sent"], promised["val"], strict=True)
    }


def _scores_before(
    setups: Entries, by_key: Replicates, sent: set[tuple[str, str]]
) -> list[tuple[float, npt.NDArray[Any]]]:
    """Return score on val and replicates of each submission that was sent, where its run on val is on the board."""
    before = []
    for entry in setups:
        times = sum(val in (entry.members or ()) for val, _ in sent)
        if entry.key in by_key and entry.score is not None:
            before += [(entry.score, by_key[entry.key])] * times
    return before


def _before_note(n_sent: int, n_counted: int) -> list[str]:
    """Return notes on what was sent already in this edition."""
    notes = []
    if n_counted:
        what = counted(n_counted, "submission")
        notes.append(f"The best of all includes {what} sent already, by the score on val, whatever came back.")
    if n_sent > n_counted:
        what = counted(n_sent - n_counted, "submission")
        notes.append(f"Not counted: {what} sent already, whose run on val is not on this board.")
    return notes


def _newest(setups: Entries, makers: _Makers) -> list[Entry]:
    """Return the entries that commands can make again, single solutions first.

    Of one solution with the same options the newest entry alone counts: a command makes it by today's code.
    """
    makable = [entry for entry in setups if makers.can_make(entry.key)]
    makable.sort(key=lambda entry: str(entry.created), reverse=True)
    newest: dict[tuple[str, str], Entry] = {}
    for entry in makable:
        options = json.dumps(makers.options(entry.key), sort_keys=True)
        newest.setdefault((entry.name, options), entry)
    return sorted(newest.values(), key=lambda entry: bool(makers.parts(entry.key)))


def _differing(entries: Entries, by_run: Replicates) -> list[Entry]:
    """Return the entries without those that answer as an earlier one does, such as a blend that one part decides."""
    by_answers: dict[bytes, Entry] = {}
    for entry in entries:
        answers = by_run[entry.key].tobytes() if entry.key in by_run else entry.key.encode()
        by_answers.setdefault(answers, entry)
    return list(by_answers.values())


def _pool(entries: Entries, makers: _Makers, sent: set[tuple[str, str]]) -> list[_Known]:
    """Return what can be submitted and was not; of several seeds the lowest is made, the mean counts."""
    pool = []
    for name, entry in zip(labels(entries), entries, strict=True):
        key = entry.key
        usual = makers.trained_on(key)
        sent_on = {trained for member in entry.members or () for val, trained in sent if val == member}
        candidate = Candidate(
            key,
            entry.score or 0.0,
            frozenset(str(entry.encoder).split(" + ")),
            is_blend=bool(makers.parts(key)),
            on_both=usual != ON_BOTH and ON_BOTH not in sent_on and makers.can_train_on_both(key),
            as_it_is=usual not in sent_on,
        )
        if candidate.on_both or candidate.as_it_is:
            pool.append(_Known(candidate, replace(entry, label=name)))
    return pool


def _planned(
    pool: Sequence[_Known],
    by_key: Replicates,
    by_run: Replicates,
    makers: _Makers,
    left: int,
    share: float,
    before: Sequence[tuple[float, npt.NDArray[Any]]],
) -> tuple[tuple[Submission, ...], Forecast | None]:
    """Return the submissions and what to expect of them."""
    candidates = [known.candidate for known in pool]
    scores = np.array([candidate.score for candidate in candidates])
    picks = choose_submissions(candidates, scores, left)
    if not picks:
        return (), None
    luck = np.zeros(len(picks))
    if all(candidate.key in by_key for candidate in candidates):
        drawn = np.stack([by_key[candidate.key] for candidate in candidates])
        luck = luck_of_choice(candidates, drawn.astype(np.float64), left)
    replicates = [by_run.get(candidates[pick.index].key) for pick in picks]
    outlook = forecast(scores[[pick.index for pick in picks]], luck, replicates, share, before)
    return tuple(_submission(pick, pool[pick.index], makers) for pick in picks), outlook


def _submission(pick: Pick, known: _Known, makers: _Makers) -> Submission:
    key, entry, on_both = known.candidate.key, known.entry, pick.why == ON_BOTH_SPLITS
    record = makers.record(key)
    return Submission(
        pick.why,
        entry.name,
        entry.label,
        record["seed"],
        ON_BOTH if on_both else makers.trained_on(key),
        key,
        known.candidate.score,
        entry.seeds or 1,
        makers.commands(key, on_both=on_both),
    )


def _videos_per_test_video(runs: TableRows, view: View) -> tuple[float, str]:
    """Return videos of val per video of test, and where the size of test is known from."""
    tests = of_board(runs, view.task.name, "test", view.data_name)
    if not tests:
        return 1.0, "val: no run on test says how many it has"
    newest = tests[0]
    on_val = of_board(runs, view.task.name, "val", view.data_name)
    of_val = next(int(row["videos"]) for row in on_val if row["value"] is not None)
    return of_val / int(newest["videos"]), f"run {newest['run_id']}, {newest['videos']}; val has {of_val}"


def _pool_notes(pool: Sequence[_Known], n_setups: int, left: int, n_alike: int) -> list[str]:
    """Return notes on runs that can't be submitted, and on slots that stay empty."""
    n = sum(known.candidate.as_it_is + known.candidate.on_both for known in pool)
    notes = []
    if n < left:
        notes.append(
            f"{counted(n, 'submission')} can differ, for {counted(left, 'slot')}: "
            "more solutions, or blends, would fill them."
        )
    if n_alike:
        notes.append(f"Left out: {counted(n_alike, 'solution')} that on val answer as another one does, to the bit.")
    if n_setups > len(pool) + n_alike:
        gone = counted(n_setups - len(pool) - n_alike, "solution")
        notes.append(f"Left out: {gone} of the board, sent already, of earlier code, or made by no command here.")
    return notes


def _blend_note(entries: Entries, makers: _Makers, task: Task) -> list[str]:
    """Return a hint where two families could be blended and no blend was run."""
    if len({entry.encoder for entry in entries}) < 2 or any(makers.parts(entry.key) for entry in entries):
        return []
    command = f"abaw blend RUN_A RUN_B --task {task.name} --data ROOT"
    return [f"No blend is on the board; one of two families may be better than either: {command}"]


def _shift_note(store: Store, runs: Mapping[str, Mapping[str, Any]], sent: Sequence[Sent]) -> list[str]:
    """Return a note on how far test scores that came back lay from validation."""
    scored = {entry.run_id: entry.score for entry in sent if entry.score is not None and entry.run_id}
    if not scored:
        return []
    promised = promised_by(store, list(scored))
    shifts = [scored[test] - runs[val]["value"] for test, val in zip(promised["sent"], promised["val"], strict=True)]
    if not shifts:
        return []
    mean = float(np.mean(shifts))
    return [
        f"Scores that came back differ from val by {mean:+.3f} (mean of {len(shifts)}); nothing is corrected for it."
    ]
