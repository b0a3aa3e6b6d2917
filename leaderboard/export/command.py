"""Group of the commands ``abaw export``: one command per page, and two for other programs."""

from __future__ import annotations

import click

from leaderboard.export.board import board
from leaderboard.export.mlflow_runs import mlflow
from leaderboard.export.model_card import huggingface
from leaderboard.export.papers import papers
from leaderboard.export.runs import compare, run
from leaderboard.export.slots import slots


@click.group()
def export() -> None:
    """Export tables as CSV, Markdown or LaTeX.

    The pages' export buttons give the same bytes. The best entry is bold, entries tied with the best are marked, and
    every special character is escaped.

    \b
    Example: abaw export board --task EXPR --format latex --to board.tex
    """


for command in (board, run, compare, papers, slots, mlflow, huggingface):
    export.add_command(command)
