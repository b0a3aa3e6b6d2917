"""Command ``abaw export slots``: the ledger of submissions, with the filters of the page."""

from __future__ import annotations

from pathlib import Path

import click

from harness.settings import load_settings
from harness.slots import SLOTS, Ledger, task_names
from leaderboard.export.writing import open_store, write, writing_options


@click.command()
@click.option("--task", type=click.Choice(task_names(), case_sensitive=False), help="Of one task only.")
@click.option("--edition", type=int, help="Of one edition only.")
@click.option("--left", is_flag=True, help="How many slots are left, in place of what was sent.")
@click.option("--slots", "n_slots", default=SLOTS, show_default=True, type=click.IntRange(min=1), help="A task.")
@writing_options
def slots(
    task: str | None,
    edition: int | None,
    left: bool,
    n_slots: int,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
) -> None:
    """Write the ledger of submissions.

    Each row has the file that was sent, its official score, and the validation score of the same solution.

    \b
    Example: abaw export slots --task EXPR --format csv --to sent.csv
    """
    from harness.board.slots import read_rows, rows_of_view, slot_counts
    from harness.board.tables.slots import left_table, sent_table

    settings = load_settings(out=out, store=store)
    sent = Ledger(settings.out).read()
    if left:
        table = left_table(slot_counts(sent, task=task, edition=edition, slots=n_slots))
    else:
        table = sent_table(rows_of_view(read_rows(open_store(settings), sent, n_slots), task, edition))
    write(table, form=form, to=to, columns=columns)
