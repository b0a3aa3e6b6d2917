"""``abaw export``: its commands, one a page."""

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
    """Any table of the leaderboard as CSV, Markdown or LaTeX.

    The same bytes as the page's buttons give. The best is bold, what can't be told from it is marked, and every
    special character is escaped.

    \b
    Example: abaw export board --task EXPR --format latex --to board.tex
    """


for command in (board, run, compare, papers, slots, mlflow, huggingface):
    export.add_command(command)
