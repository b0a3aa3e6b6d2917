"""The Compare page's tables: scores side by side, the videos that matter, the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.differences import Beyond, Setting
from harness.metrics.by_video import measure_alone
from harness.metrics.compare import Comparison
from harness.metrics.metric import metric_for
from harness.metrics.several import SeveralComparisons, numbers_of
from harness.metrics.titles import score_title
from harness.system.counts import counted
from harness.tables.table import Column, Kind, Table, records

_ERROR_NOTE = (
    "Error: the mean absolute one of this video, predicted against labelled values. Pearson's correlation is undefined "
    "for a single video."
)
_A_MINUS_B = Column("difference", "A - B", "signed")


def scores_table(comparison: Comparison) -> Table:
    """Return one row per score of both runs, with the paired difference."""
    p = comparison.p_value
    notes = [
        f"{comparison.verdict}.",
        f"{comparison.unit.capitalize()}s drawn {comparison.replicates:,} times, the same ones for both; "
        f"{comparison.sizes}, {counted(comparison.n_frames, comparison.task.label_noun)}."
        + ("" if p is None else f" Official score: p = {p:.4f}."),
    ]
    return Table(
        title=f"A: {comparison.a}; B: {comparison.b}; {comparison.task.name}, {comparison.split}",
        columns=(
            Column("score", "Score"),
            Column("a", "A", "number"),
            Column("b", "B", "number"),
            _A_MINUS_B,
            Column("interval", f"95 % by {comparison.unit}", "interval"),
        ),
        rows=tuple(
            {**vars(row), "score": score_title(row.metric, row.target), "interval": (row.low, row.high)}
            for row in comparison.differences
        ),
        notes=tuple(notes),
    )


def verdict_table(comparison: Comparison) -> Table:
    """Return one row: the answer, the official score's difference with its interval, and the p-value."""
    head = comparison.headline
    columns = (
        Column("verdict", "Verdict"),
        Column("difference", "A - B", "signed"),
        Column("interval", f"95 % by {comparison.unit}", "interval"),
        Column("p_value", "p", "number", digits=4),
        Column("separable", "Separable"),
        Column("units", f"{comparison.unit.capitalize()}s", "whole"),
        Column("replicates", "Replicates", "whole"),
    )
    row = {
        "verdict": comparison.verdict,
        "difference": head.difference,
        "interval": (head.low, head.high),
        "p_value": comparison.p_value,
        "separable": "yes" if comparison.separable else "no",
        "units": comparison.n_units,
        "replicates": comparison.replicates,
    }
    return Table(f"Verdict, A: {comparison.a}; B: {comparison.b}", columns, (row,))


def several_table(several: SeveralComparisons, data_name: str = "") -> Table:
    """Return a row per run with its difference from the base, and a first row of the base itself.

    Args:
        several: of :func:`harness.metrics.several.compare_several`.
        data_name: of the base's data set, which the title then names.
    """
    first = several.compared[0]
    title = f"{score_title(first.headline.metric)}, {first.task.name} {first.split}".rstrip()
    title += f" on {data_name}" if data_name else ""
    columns = (
        Column("name", "Run"),
        Column("run_ids", "Run ids", data_only=True),
        Column("score", "Score", "number", best=True),
        Column("difference", "Minus base", "signed"),
        Column("interval", f"95 % by {first.unit}", "interval"),
        Column("p_value", "p", "number", digits=4, spare=1),
        Column("corrected_p", "p (Holm)", "number", digits=4),
        Column("verdict", "Verdict"),
    )
    base = {"name": several.base, "run_ids": " ".join(several.base_ids), "score": first.headline.b, "verdict": "base"}
    rows = [base]
    for row in several.rows:
        numbers = numbers_of(row)
        interval = None if numbers["low"] is None else (numbers["low"], numbers["high"])
        text = {"name": row.name, "run_ids": " ".join(row.run_ids), "verdict": row.verdict}
        rows.append({**text, **numbers, "interval": interval})
    sizes = f"{first.sizes}, {counted(first.n_frames, first.task.label_noun)}"
    notes = (
        f"{first.unit.capitalize()}s drawn {first.replicates:,} times, the same ones for a run and the base; {sizes}.",
        several.correction,
    )
    return Table(f"Against {several.base}: {title}", columns, tuple(rows), notes=notes)


def videos_table(comparison: Comparison) -> Table:
    """Return one row per video, the largest effect on the difference first."""
    measure = measure_alone(metric_for(comparison.task))
    alone: str = {"mean_absolute_error": " error", "accuracy": " right"}.get(measure, " alone")
    kind: Kind = "whole" if measure == "accuracy" else "number"
    notes = (_ERROR_NOTE,) if measure == "mean_absolute_error" else ()
    return Table(
        title=f"Videos, A: {comparison.a}; B: {comparison.b}",
        columns=(
            Column("video", "Video"),
            *([Column("frames", "Frames", "whole")] if comparison.task.level == "frame" else []),
            *(Column(key, f"{key.upper()}{alone}", kind) for key in "ab"),
            Column("moves", "Moves A - B by", "signed", digits=4),
        ),
        rows=tuple(map(vars, comparison.movers)),
        notes=notes,
    )


def settings_table(a: str, b: str, settings: Sequence[Setting]) -> Table:
    """Return one row per setting that differs.

    Args:
        a: id of the first run.
        b: id of the second run.
        settings: the settings.
    """
    columns = (Column("kind", "Of"), Column("name", "Setting"), Column("a", "A"), Column("b", "B"))
    return Table(f"What differs, A: {a}; B: {b}", columns, tuple(map(vars, settings)))


def beyond_table(a: str, b: str, comparison: Beyond) -> Table:
    """Return the scores of a run beside a published number's, without an interval.

    Args:
        a: name of the first side.
        b: name of the second side.
        comparison: scores and differences of both sides.
    """
    columns = (Column("score", "Score"), Column("a", "A", "number"), Column("b", "B", "number"), _A_MINUS_B)
    notes = ("A published number comes without its predictions, so there is no interval.",)
    objection = (comparison.objection,) if comparison.objection else ()
    return Table(f"A: {a}; B: {b}", columns, records(comparison.rows), notes=(*objection, *notes))
