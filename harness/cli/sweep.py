"""``abaw sweep``: a run's score against its half width, filter threshold and weight."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import completion
from harness.cli.options import (
    data_options,
    format_options,
    open_given,
    out_options,
    print_json,
    print_tables,
    work_options,
)
from harness.settings import load_settings
from harness.system.counts import with_seed
from harness.system.slow_imports import announced_imports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from harness.records.curves import SweepPoint
    from harness.tables.table import Table

PICTURE = "sweep.svg"
TITLES = {
    "half_width": "half width of the window, frames",
    "filter_threshold": "threshold of the filter",
    "threshold": "threshold of violence",
    "weight": "weight of the first stream",
}


@click.command()
@click.argument("run", shell_complete=completion.runs)
@data_options
@work_options
@out_options
@format_options
@announced_imports()
def sweep(
    run: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    form: str,
    **work: Any,
) -> None:
    """Plot RUN's score against its constants.

    Each curve shows the score on validation at several values of one constant; the others are those chosen on all of
    validation. The constants are the half width, and, if the solution has them, the filter's threshold and the weight
    of two streams (abaw8, figures 2 to 5). Nothing is trained: the run's own heads are used. Points go into the run's
    folder (sweep.json, and an image, sweep.svg) and into the store. Each point was tuned on the videos that it is
    reported on: read the shape of the curve, not its height. With --engine ray, missing features are made on the
    cluster; this machine scores.

    \b
    Example: abaw sweep landmarks-mlp-smooth-val-s0-1a2b3c4d --data /data/Aff-Wild2
    """
    from harness.cli.results import run_folder
    from harness.plugins.registry import curves
    from harness.records.curves import write_sweep
    from harness.records.run import RunRecord
    from harness.runs.finished import MODEL_FOLDER
    from harness.store.store import Store
    from harness.system.atomic import write_text
    from harness.tasks import task_named

    settings = load_settings(data=root, out=out, store=store, **work)
    results = Store(settings.store)
    folder = run_folder(results, run, settings.out, split="val")
    record = RunRecord.read(folder)
    data = open_given(
        settings, task_named(record.task), crops=crops, annotations=annotations, ignore_lengths=ignore_lengths
    )
    if record.split == "val":  # else its points would stand beside a score that is not on these labels
        data.require_labels("val", record.data.get("fingerprint"), record.run_id)
    points = curves(record.name, folder / MODEL_FOLDER, data, settings)
    write_sweep(folder, points)
    title = f"{with_seed(record.name, record.seed)}, {data.name} val"
    write_text(folder / PICTURE, picture(points, title))
    results.record([(record, folder)])
    if form == "json":
        print_json([asdict(point) for point in points])
        return
    print_tables(_tables(points, title, record.unit), form)
    if form == "text":
        click.echo(f"\npicture        {folder / PICTURE}")


def _tables(points: Sequence[SweepPoint], title: str, unit: str) -> list[Table]:
    """Return one table per constant, with the score of each value; the best is bold."""
    from harness.metrics.titles import score_title
    from harness.tables.table import Column, Table

    tables = []
    for axis in dict.fromkeys(point.axis for point in points):
        curve = [point for point in points if point.axis == axis]
        columns = (
            Column("value", TITLES[axis]),
            Column("score", score_title(curve[0].metric), "number", best=True),
            Column("interval", f"95 % by {unit}", "interval"),
        )
        rows = [{"value": f"{p.value:g}", "score": p.score, "interval": (p.low, p.high)} for p in curve]
        tables.append(Table(title, columns, tuple(rows)))
    return tables


def picture(points: Sequence[SweepPoint], title: str) -> str:
    """Return the curves side by side, each with its band of 95 % intervals, as SVG."""
    import io

    import altair as alt
    import pandas as pd

    from harness.metrics.titles import score_title

    panels = []
    for axis in dict.fromkeys(point.axis for point in points):
        curve = pd.DataFrame([asdict(point) for point in points if point.axis == axis])
        # widths grow by factors; the square root keeps 0 on the axis
        scale = alt.Scale(type="sqrt") if axis == "half_width" else alt.Scale(zero=False)
        x = alt.X("value:Q", title=TITLES[axis], scale=scale)
        y = alt.Y("score:Q", title=score_title(curve.metric[0]), scale=alt.Scale(zero=False))
        line = alt.Chart(curve).mark_line(point=True, color="#0072B2").encode(x=x, y=y)
        low = alt.Y("low:Q", title="")
        band = alt.Chart(curve).mark_area(opacity=0.2, color="#0072B2").encode(x=x, y=low, y2="high:Q")
        panels.append((band + line if curve.low.notna().all() else line).properties(width=280, height=220))
    stream = io.StringIO()
    alt.hconcat(*panels, title=title).save(stream, format="svg")
    return stream.getvalue()
