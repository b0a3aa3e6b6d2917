"""Finished runs as parts of a blend: their records, and the scores that they were decided on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import SolutionError, problem
from harness.plugins.interface import BlendPart
from harness.records.options import OF_RUN, flags_of
from harness.records.run import ON_BOTH, RunRecord
from harness.system.terminal import one_line
from harness.tasks import Task


def blend_parts(folders: Sequence[Path], task: Task) -> list[BlendPart]:
    """Return runs on val as parts of a blend.

    Raises:
        DataError: a record can't be read.
        SolutionError: a run is of another task or split, on other labels than the first one, or of heads that have
            seen val.
    """
    parts = [BlendPart(RunRecord.read(folder), {"val": folder}) for folder in folders]
    for part in parts:
        record = part.record
        if (record.task, record.split) != (task.name, "val"):
            raise SolutionError(
                f"{record.run_id} can't be part of this blend",
                found=f"a run of {record.task} on {record.split}",
                expected=f"a run of {task.name} on val",
            )
        if record.has_seen_its_split:
            raise SolutionError(
                f"{record.run_id} can't be part of a blend: on val its weights mean nothing",
                found=f"heads trained on {record.trained_on}",
                expected="heads that have not seen val",
                do="Name the run of the heads trained on train alone",
            )
        check_labels(record, parts[0].record)
    return parts


def check_labels(record: RunRecord, other: RunRecord) -> None:
    """Raise an error if two runs were scored on different labels.

    Raises:
        SolutionError: the labels differ, and so do the labels that constants of the runs were chosen on.
    """
    here, there = (str(run.data.get("fingerprint", "")) for run in (record, other))
    if here != there:
        raise SolutionError(
            f"{record.run_id} can't be blended with {other.run_id}: they are on different labels",
            found=f"labels {here[:8]}",
            expected=f"labels {there[:8]}",
            do="Make both runs on the same data",
        )


def with_test_runs(parts: Sequence[BlendPart], runs: Iterable[Path], trained_on: str | None = None) -> list[BlendPart]:
    """Add to each part the newest run on test of the same solution, seed and recipe that learned from the same labels.

    Args:
        parts: runs on val.
        runs: folders of all runs.
        trained_on: splits that the heads of the runs on test were trained on; by default those of the part's recipe.

    Raises:
        SolutionError: a part has no such run; the message holds the commands that make the missing runs.
    """
    read = ((RunRecord.read(folder), folder) for folder in runs)
    tests = [(record, folder) for record, folder in read if record.split == "test"]
    tests.sort(key=lambda pair: pair[0].created, reverse=True)
    complete, missing = [], []
    for part in parts:
        record = part.record
        twins = (
            (test, folder)
            for test, folder in tests
            if (record.learned_as(test) if trained_on is None else record.chose_for(test))
            and trained_on in (None, test.trained_on)
        )
        test, twin = next(twins, (None, None))
        if test is None or twin is None:
            on = [] if trained_on is None else ["--train-on", trained_on]
            what = f"{record.run_id} has no twin on test" + (f" that was trained on {trained_on}" if on else "")
            root = str(record.data.get("root") or "ROOT")
            options = ["--seed", str(record.seed), "--data", root, *flags_of(record.options, OF_RUN)]
            command = one_line(shlex.join(["abaw", "submit", record.name, *options, *on]))
            missing.append(problem(what, do=f"Make it with: {command}"))
            continue
        complete.append(BlendPart(record, {**part.folders, "test": twin}, test.trained_on))
    if missing:
        raise SolutionError("\n".join(missing))
    return complete


def trained_on_of(parts: Sequence[BlendPart]) -> str | None:
    """Return ``train+val`` if the heads of any part's run on test were trained on both splits, else ``None``."""
    return ON_BOTH if any(part.trained_on == ON_BOTH for part in parts) else None
