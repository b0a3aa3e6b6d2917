"""``abaw plan``: which submissions to send for a task."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import format_options, out_options, print_json, print_tables
from harness.settings import load_settings
from harness.slots import SLOTS, Ledger
from harness.tasks import TASKS


@click.command()
@click.option("--task", required=True, type=click.Choice(list(TASKS), case_sensitive=False))
@click.option(
    "--edition",
    type=click.IntRange(min=1),
    help="Of the competition.  [default: ABAW_EDITION, else 10; of EMI, AH and AHV their latest]",
)
@click.option(
    "--slots", "n_slots", default=SLOTS, show_default=True, type=click.IntRange(min=1), help="Of the edition."
)
@click.option("--data-set", default="", help="Name of the data set of the runs.  [default: the newest run's]")
@click.option("--labels", default="", help="Version of its labels.  [default: the newest run's]")
@click.option("--data", "root", type=click.Path(path_type=Path), help="Root for the commands.  [default: the runs']")
@out_options
@format_options
def plan(
    task: str,
    edition: int | None,
    n_slots: int,
    data_set: str,
    labels: str,
    root: Path | None,
    out: Path | None,
    store: Path | None,
    form: str,
) -> None:
    """Propose test submissions and their commands.

    As many as slots are left, from the runs on val of one data set: the best solution, the best blend, the best trained
    on train and val, the best of other families. Each has its expected score on test; so has the best of them. How this
    is computed, and under which assumptions: docs/plan.md.

    \b
    Example: abaw plan --task EXPR
    """
    from harness.board.plan import Places, load_plan
    from harness.board.tables.plan import commands_table, plain_plan, plan_table
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    places = Places(*("" if place is None else str(place) for place in (root, out, store)))
    proposal = load_plan(
        Store(settings.store),
        TASKS[task.upper()],
        Ledger(settings.out).read(),
        places,
        data_name=data_set,
        labels_name=labels,
        edition=settings.edition if edition is None else edition,
        slots=n_slots,
    )
    if form == "json":
        print_json(plain_plan(proposal))
        return
    table, commands = plan_table(proposal), commands_table(proposal)
    if form != "text":
        print_tables((table, commands), form)
        return
    print_tables((table,), form)
    for number, submission in enumerate(proposal.submissions, start=1):
        click.echo(f"\n# {number}. {submission.why}: {submission.label}")
        for command in submission.commands:
            click.echo(command)
