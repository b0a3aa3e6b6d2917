"""``abaw slots``: what was sent to the organisers, and which score came back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import format_options, json_option, out_options, print_json, print_tables
from harness.errors import AbawError, StoreError, SubmissionError
from harness.files.archives.fingerprint import Fingerprint, fingerprint
from harness.files.editions import BY_FRAME, BY_VIDEO, Evidence, common_editions, contradiction, in_words
from harness.records.run import RUN_FILE, RunRecord
from harness.settings import Settings, load_settings
from harness.slots import EDITIONS, SLOTS, Ledger, edition_of, newest_edition, of_slot, task_names
from harness.system.counts import counted
from harness.system.terminal import shown_notes
from harness.tasks import AH, AHV, OTHER_TASKS, TASKS, Task

if TYPE_CHECKING:
    from harness.files.template import Template

_TASK = click.Choice(task_names(), case_sensitive=False)
_out = click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs, and of slots.json.")
_slots = click.option(
    "--slots", "n_slots", default=SLOTS, show_default=True, type=click.IntRange(min=1),
    help="Submissions a task and edition.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@click.option("--task", type=_TASK, help="Of one task only.")
@click.option("--edition", type=click.IntRange(min=1), help="Of one edition only.")
@_slots
@out_options
@format_options
@click.pass_context
def slots(
    context: click.Context,
    task: str | None,
    edition: int | None,
    n_slots: int,
    out: Path | None,
    store: Path | None,
    form: str,
) -> None:
    """Show sent files, their scores, slots left.

    The ledger is OUT/slots.json, a plain file. It can't be rebuilt: keep it. The validation scores of submissions come
    from the results store.

    \b
    Example: abaw slots --task EXPR
    """
    if context.invoked_subcommand:
        return
    settings = load_settings(out=out, store=store)
    ledger = Ledger(settings.out)
    sent = ledger.read()
    chosen = [s for s in sent if task in (None, s.task) and edition in (None, s.edition)]
    left = {key: n_slots - len(of_slot(sent, *key)) for key in dict.fromkeys((s.task, s.edition) for s in chosen)}
    if form == "json":
        slots_left = [{"task": name, "edition": number, "left": max(n, 0)} for (name, number), n in left.items()]
        print_json(
            {"ledger": str(ledger.path), "sent": [{**asdict(s), "score": s.score} for s in chosen], "left": slots_left}
        )
        return
    if not chosen:
        state = f"nothing was sent for {_of(task, edition)}" if sent else "nothing was sent yet"
        hint = "Note what you send with: abaw slots send FILE --task TASK"
        click.echo(f"{ledger.path}: {state}. {hint}", err=form != "text")
        return
    from harness.board.slots import read_rows, rows_of_view, slot_counts
    from harness.board.tables.slots import left_table, sent_table
    from harness.store.store import Store

    try:
        entries = read_rows(Store(settings.store), sent, n_slots)
    except StoreError as error:
        click.echo(f"abaw: validation scores can't be read now: {error}", err=True)
        entries = read_rows(None, sent, n_slots)
    table = sent_table(rows_of_view(entries, task, edition))
    if form == "text":
        in_all = counted(n_slots, "slot")
        states = [
            f"{name}, edition {number}: {f'{n} of {in_all} left' if n > 0 else f'all {in_all} used'}"
            for (name, number), n in left.items()
        ]
        print_tables([replace(table, notes=(*states, *table.notes))], form)
    else:
        print_tables([table, left_table(slot_counts(sent, task=task, edition=edition, slots=n_slots))], form)


@slots.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--task", type=_TASK, help="Of FILE.  [default: its run's, or found out from the file]")
@click.option(
    "--edition",
    type=click.IntRange(min=1),
    help="Of the competition.  [default: the newest known that file, run and data set allow; ABAW_EDITION]",
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    help="Official list of rows to check FILE against.  [default: the newest below the data set's folder, ABAW_DATA; "
    "of EMI and AHV its test videos]",
)
@click.option("--data", "root", type=click.Path(path_type=Path), help="Data set with the template.  [ABAW_DATA]")
@click.option("--note", default="", help="What you want to remember of it.")
@click.option("--yes", is_flag=True, help="Note it even if something speaks against it.")
@_slots
@out_options
@json_option
def send(
    file: Path,
    task: str | None,
    edition: int | None,
    template: Path | None,
    root: Path | None,
    note: str,
    yes: bool,
    n_slots: int,
    out: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Note that FILE is sent to the organisers.

    The command uploads nothing: it checks FILE before you send it.

    FILE is a file, a folder, a zip, or a run (its folder, id, short id, or SOLUTION[@SEED], whose run on test is
    taken).

    The edition is the newest known of the task that the names in the file, the run and the data set allow; an edition
    that they contradict is refused.

    It asks for --yes if FILE is invalid, belongs to a run on another split than test, was sent before (in any packing,
    under any name), or if all slots of the task are used.

    \b
    Example: abaw slots send submissions/EXPR/tiny-test-s0-1a2b3c4d/predictions.txt --task EXPR --note "first try"
    """
    from harness.cli.official import expected_rows, official_path

    settings = load_settings(out=out, store=store)
    file = official_path(file, settings, split="test")
    mark = fingerprint(file)
    record, notes = _run_of(file, mark, settings)
    task = task or (record.task if record else _task_of(file))
    submitted_task = (TASKS | OTHER_TASKS)[task]
    by_default = edition is None and settings.edition is None
    expected = expected_rows(file, task, None, root)
    expected = expected if template is None else replace(expected, template=template, listed=None, notes=())
    evidence = [*expected.evidence, *_evidence_of(record)]
    edition = edition or settings.edition or edition_of(task, common_editions(evidence))
    notes += expected.notes
    problems, unchecked = check_file(file, submitted_task, expected.template, expected.listed)
    command = f"abaw slots send {shlex.quote(str(file))} --task {expected.task or task}"
    problems += filter(None, [contradiction(task, edition, evidence, command)])
    notes += _edition_note(task, edition, expected.template, evidence) if by_default else []
    if edition > newest_edition():
        notes += [f"edition {edition} is later than any that this version knows, {newest_edition()}; is it meant?"]
    if record and (record.task, record.split) != (submitted_task.name, "test"):
        problems = [*problems, f"run {record.run_id} is of {record.task} on {record.split}"]
    entry = Ledger(settings.out).send(
        file, submitted_task.name, edition, mark=mark, run_id=record.run_id if record else None, note=note,
        problems=problems, slots=n_slots, despite=yes,
    )  # fmt: skip
    left = n_slots - len(of_slot(Ledger(settings.out).read(), entry.task, entry.edition))
    if as_json:
        print_json({**asdict(entry), "left": max(left, 0), "notes": [*notes, *unchecked]})
        return
    for text in shown_notes((*notes, *unchecked)):
        click.echo(f"note: {text}", err=True)
    for text in entry.problems:
        click.echo(f"warning: {text}", err=True)
    click.echo(
        f"#{entry.number}: {file} for {entry.task}, edition {edition}; "
        f"{max(left, 0)} of {counted(n_slots, 'slot')} left"
    )
    click.echo(f"sha256 {entry.sha256}" + (f", run {entry.run_id}" if entry.run_id else ""))
    click.echo(f"When the score is there: abaw slots result {entry.number} VALUE")


# a score may be negative, which must not be taken for an option
@slots.command(context_settings={"ignore_unknown_options": True})
@click.argument("number", type=int)
@click.argument("value", type=float)
@_out
@json_option
def result(number: int, value: float, out: Path | None, as_json: bool) -> None:
    """Note the score of submission NUMBER.

    VALUE, a fraction, is the score that came back. If a score is noted again, the last one counts.

    \b
    Example: abaw slots result 3 0.386
    """
    entry = Ledger(load_settings(out=out).out).result(number, value)
    if as_json:
        print_json({**asdict(entry), "score": entry.score})
        return
    before = f" (before: {entry.results[-2]['value']:.4f})" if len(entry.results) > 1 else ""
    click.echo(f"#{number}: {entry.task}, edition {entry.edition}, scored {value:.4f}{before}")


@slots.command()
@click.argument("number", type=int, required=False)
@_out
@json_option
def undo(number: int | None, out: Path | None, as_json: bool) -> None:
    """Take back the last note on submission NUMBER.

    That is the last score that came back; of a submission without one, the submission itself, whose slot is free
    again. The ledger keeps what was taken back. By default NUMBER is the last submission's.

    \b
    Example: abaw slots undo 3
    """
    entry, score = Ledger(load_settings(out=out).out).undo(number)
    if as_json:
        print_json({**asdict(entry), "score": entry.score, "taken_back": score})
        return
    what = f"the score {score:.4f}" if score is not None else f"the submission of {entry.file}"
    click.echo(f"#{entry.number}: {entry.task}, edition {entry.edition}, {what} was taken back")


def _task_of(file: Path) -> str:
    """Return the task of a file that no run is known to have written."""
    from harness.files.checking.submission import open_submission

    return open_submission(file, known=False).format.task


def _of(task: str | None, edition: int | None) -> str:
    """Return the task and edition that were asked for, in words."""
    number = f"edition {edition}" if edition is not None else ""
    return ", ".join(part for part in (task, number) if part)


def _evidence_of(record: RunRecord | None) -> list[Evidence]:
    """Return the editions that the data set of a run tells."""
    from harness.datasets.identity import BAH_8, BAH_10

    if record is None or record.task not in (AH.name, AHV.name):
        return []
    name = str(record.data.get("name", ""))
    known = {BAH_8: BY_FRAME, BAH_10: BY_VIDEO}
    return [Evidence(f"run {record.run_id} is on {real}", known[real]) for real in known if name.startswith(real)]


def _edition_note(task: str, edition: int, template: Path | None, evidence: Sequence[Evidence]) -> list[str]:
    """Return a note where another edition than the one that is taken by default can be meant.

    The template's name may tell another one; or several editions have the same files.
    """
    others = (common_editions(evidence) or frozenset()) & set(EDITIONS.get(task, ())) - {edition}
    if others:
        return [
            f"counted for edition {edition}, the newest known; {in_words(others)} had files like these, which "
            f"--edition {max(others)} would count it for"
        ]
    named = re.search(r"([0-9]+)(?:st|nd|rd|th)", template.name) if template else None
    if named is None or int(named[1]) == edition:
        return []
    return [
        f"counted for edition {edition}, the latest; the template's name says {named[1]}, which --edition {named[1]} "
        "would count it for"
    ]


_DOUBTS = frozenset({"dummy", "constant", "unknown-videos"})
"""Warnings that the user may have named the wrong file."""


def check_file(
    path: Path, task: Task, template: Path | None, listed: Template | None = None
) -> tuple[list[str], list[str]]:
    """Return the problems of a file, and notes on everything that stayed unchecked.

    Args:
        path: path of the file.
        task: task of the submission.
        template: the organisers' rows.
        listed: rows that follow from the test videos, for a task without a template.
    """
    from harness.files.checking.submission import validate

    try:
        report = validate(path, task=task.name, template=template, listed=listed)
    except SubmissionError as error:
        return [str(error)], []
    errors = [f"not valid, {report.n_errors:,} in all, the first: {report.errors[0]}"] if report.errors else []
    warnings = [str(one) for one in report.problems if one.severity == "warning" and one.code in _DOUBTS]
    return errors + warnings, report.assumed


def _run_of(path: Path, mark: Fingerprint, settings: Settings) -> tuple[RunRecord | None, list[str]]:
    """Return the run that wrote a file, or notes on the reason why it is unknown."""
    from harness.cli.results import run_folder
    from harness.store.store import Store

    try:
        if (path.parent / RUN_FILE).is_file():
            record = RunRecord.read(path.parent)
            if set(mark.files) <= set(record.files.values()):
                return record, []
        results = Store(settings.store)
        for run_id in results.runs_with_file(mark.files[0]):
            return RunRecord.read(run_folder(results, run_id, settings.out)), []
    except AbawError as error:
        return None, [f"which run wrote it can't be told: {error}"]
    return None, []
