"""A plan for the submissions of a task as tables: what to expect of each, and the commands that make it."""

from __future__ import annotations

from typing import Any

from harness.board.plan import Plan
from harness.metrics.titles import interval_text, score_title
from harness.records.run import ON_BOTH
from harness.system.counts import counted
from harness.tables.table import Column, Table

_EXPECTED_NOTE = (
    "Expected: the score on test, which is that on val, cross-fitted, less the luck of having been chosen among many. "
    "The interval holds it in 95 of 100 cases if test is drawn as val is; whether the test set is of another kind, val "
    "can't tell. See docs/plan.md."
)
_ON_BOTH_NOTE = (
    "Heads trained on train+val have no validation score: shown is that of the same solution trained on train alone. "
    "They are expected to be neither better nor worse, so that they add nothing here to the expected best."
)


def plan_table(plan: Plan) -> Table:
    """Return one row per submission, in the order in which they are worth a slot."""
    outlook, rows = plan.outlook, []
    for k, submission in enumerate(plan.submissions):
        row: dict[str, Any] = {**vars(submission), "number": k + 1}
        if outlook is not None:
            row |= {"expected": float(outlook.expected[k]), "luck": -float(outlook.luck[k])}
            row |= {"interval": outlook.intervals[k]}
            row |= {"adds": outlook.adds[k] if outlook.adds and (k or plan.counted_before) else None}
            row |= {"best": 100 * outlook.best_share[k] if outlook.best_share else None}
        rows.append(row)
    columns = (
        Column("number", "No.", "whole"),
        Column("why", "Why"),
        Column("label", "Solution"),
        Column("trained_on", "Trained on", spare=2),
        Column("val", f"{score_title(plan.view.task.metric)} on val", "number", spare=4),
        Column("luck", "Luck", "signed", spare=5),
        Column("expected", "Expected", "number"),
        Column("interval", "95 %", "interval", spare=1),
        Column("adds", "Adds", "signed", spare=3),
        Column("best", "Best of all, %", "number", digits=0, spare=6),
        Column("seed", "Seed", "whole", data_only=True),
        Column("seeds", "Number of seeds", "whole", data_only=True),
        Column("val_run_id", "Run on val", data_only=True),
    )
    title = f"{plan.view.task.name}: plan for {plan.left} of {counted(plan.slots, 'slot')}, edition {plan.edition}"
    on = f"{plan.view.data_name}, {plan.ranking.title}"
    return Table(f"{title}; runs on {on}", columns, tuple(rows), notes=_notes(plan))


def commands_table(plan: Plan) -> Table:
    """Return the commands, one row per line to run."""
    rows = [
        {"number": k + 1, "command": command}
        for k, submission in enumerate(plan.submissions)
        for command in submission.commands
    ]
    return Table("Commands", (Column("number", "No.", "whole"), Column("command", "Command")), tuple(rows))


def plain_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data."""
    outlook = plan.outlook
    rows = plan_table(plan).rows
    return {
        "task": plan.view.task.name,
        "data_name": plan.view.data_name,
        "labels": plan.ranking.labels,
        "fingerprint": plan.ranking.fingerprint,
        "edition": plan.edition,
        "slots": plan.slots,
        "left": plan.left,
        "counted_before": plan.counted_before,
        "unit": plan.unit,
        "submissions": [{**row, "luck": abs(row.get("luck", 0.0))} for row in rows],
        "expected_maximum": outlook.maximum if outlook else None,
        "expected_maximum_interval": outlook.maximum_interval if outlook else None,
        "notes": list(plan.notes),
    }


def _notes(plan: Plan) -> tuple[str, ...]:
    outlook, notes = plan.outlook, []
    if outlook is not None and outlook.maximum is not None:
        n, (low, high) = len(plan.submissions), outlook.maximum_interval or (None, None)
        of_all = f"the best of these {n}" if n > 1 else "this one"
        if plan.counted_before:
            of_all = (
                f"the best of {'these ' + str(n) if n > 1 else 'this one'} and of {plan.counted_before} sent already"
            )
        notes.append(f"Expected score of {of_all}: {interval_text(outlook.maximum, low, high)}.")
    elif outlook is not None:
        notes.append(f"With one {plan.unit} there is no interval, and no expected score of the best.")
    notes.append(_EXPECTED_NOTE)
    if any(submission.trained_on == ON_BOTH for submission in plan.submissions):
        notes.append(_ON_BOTH_NOTE)
    return (*notes, *plan.notes)
