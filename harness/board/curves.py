"""Scores of the papers against one constant, as abaw8's figures 2 to 5 show them: what was printed, and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from harness.board.papers import PaperTable, rankings_of_table, runs_of, solution_of
from harness.board.rankings import named
from harness.reference.curves import PrintedPoint, printed_points
from harness.reference.papers import PaperRow

ReadSweep = Callable[[str], pd.DataFrame]

PAPER_FIGURES = {
    2: "faces: the smoothing window",
    3: "faces: the filter's threshold",
    4: "faces and sound: the weight of faces",
    5: "faces and sound: the filter's threshold",
}
"""Subjects of the paper's figures, by number."""


@dataclass(frozen=True)
class Curve:
    """One curve of a figure, or of the authors' notebook.

    Attributes:
        figure: number in the paper; 0 for a curve of the notebook.
        axis: constant whose values the curve covers, see :class:`harness.records.curves.SweepPoint`.
        metric: name of the score.
        held: values of the paper's other constants.
        printed: the paper's points, columns ``value, score, evidence, source``.
        solution: solution of this project with the same curve.
        run_id: id of our run with this curve; may be empty.
        ours: our points, columns ``value, score, low, high``; empty without such a run.
    """

    figure: int
    axis: str
    metric: str
    held: str
    printed: pd.DataFrame
    solution: str
    run_id: str
    ours: pd.DataFrame


def curves_of(
    table: PaperTable, runs: pd.DataFrame, data_name: str, read_sweep: ReadSweep, *, labels: str = ""
) -> list[Curve]:
    """Return the printed curves of a table's rows, each with our curve on a data set.

    Args:
        table: the paper's table.
        runs: rows of :meth:`Store.runs`.
        data_name: name of the data set of our runs.
        read_sweep: :meth:`Store.sweep`, or a function like it.
        labels: name of a ranking of :func:`rankings_of_table`; the first by default.
    """
    rows_of_table = {row.row for row in table.rows}
    groups: dict[tuple[int, PaperRow, str], list[PrintedPoint]] = {}
    for point in printed_points():
        if point.row in rows_of_table:
            groups.setdefault((point.figure, point.row, point.axis), []).append(point)
    fitting = runs_of(table, runs)
    shown = named(rankings_of_table(table, runs, data_name), labels)
    fitting = fitting[fitting["run_id"].isin(shown.run_ids if shown else ())].sort_values("created", ascending=False)
    curves = []
    for (figure, row, axis), points in groups.items():
        solution = solution_of(row)
        run_id, ours = _ours(fitting.loc[fitting["name"] == solution, "run_id"].tolist(), axis, read_sweep)
        printed = pd.DataFrame([asdict(point) for point in points])[["value", "score", "evidence", "source"]]
        curves.append(Curve(figure, axis, points[0].metric, points[0].held, printed, solution, run_id, ours))
    return curves


def _ours(run_ids: list[str], axis: str, read_sweep: ReadSweep) -> tuple[str, pd.DataFrame]:
    """Return the id of the newest run that has a curve, and the curve."""
    columns = ["value", "score", "low", "high"]
    for run_id in run_ids:
        points = read_sweep(run_id)
        points = points[points["axis"] == axis] if len(points) else points
        if len(points):
            return run_id, points[columns].astype(float).reset_index(drop=True)
    return "", pd.DataFrame(columns=columns)
