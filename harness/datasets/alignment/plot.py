"""Offsets of a data set as a chart: one row per cause, one mark per video."""

from __future__ import annotations

import io
from pathlib import Path

from harness.datasets.alignment.align import AlignmentReport
from harness.errors import UsageError
from harness.system.atomic import atomic_file
from harness.system.counts import counted, verb_for

ENDINGS = (".png", ".svg")
_COLOURS = {"problem": "#D55E00", "note": "#0072B2"}


def check_ending(path: Path) -> None:
    """Raise an error for a file whose name is not that of a chart.

    Raises:
        UsageError: the name ends otherwise than with ``.png`` or ``.svg``.
    """
    if path.suffix.lower() not in ENDINGS:
        what, do = "the chart's file format is unknown", "Name a file that ends with .png or .svg"
        raise UsageError(what, found=path.name, expected=" or ".join(ENDINGS), do=do)


def write_plot(report: AlignmentReport, path: Path) -> None:
    """Write the offsets of all videos, in frames, as a PNG or SVG file.

    Raises:
        StorageError: the file can't be written.
    """
    import altair as alt
    import pandas as pd

    rows = [
        {"cause": misfit.cause, "frames": misfit.frames, "level": misfit.level, "video": video.name}
        for video in report.videos
        for misfit in video.misfits
    ]
    table = pd.DataFrame(rows, columns=["cause", "frames", "level", "video"])
    order = [*report.by_cause()]
    levels = alt.Scale(domain=[*_COLOURS], range=[*_COLOURS.values()])
    zero = alt.Chart(pd.DataFrame({"frames": [0]})).mark_rule(color="#999999").encode(x="frames:Q")
    marks = (
        alt.Chart(table)
        .mark_tick(thickness=2, size=16, opacity=0.6)
        .encode(
            x=alt.X("frames:Q", title="offset in frames", scale=alt.Scale(type="symlog", constant=1)),
            y=alt.Y("cause:N", sort=order, title=None),
            color=alt.Color("level:N", scale=levels, title=None),
        )
    )
    misfitting = sum(bool(video.misfits) for video in report.videos)
    title = f"{misfitting:,} of {counted(len(report.videos), 'video')} {verb_for(misfitting, 'do')} not fit"
    chart = (zero + marks).properties(width=560, height=max(60, 26 * len(order)), title=title)
    ending = path.suffix.lower().removeprefix(".")
    with atomic_file(path) as stream:
        if ending == "svg":
            text = io.StringIO()
            chart.save(text, format="svg")
            stream.write(text.getvalue().encode())
        else:
            chart.save(stream, format="png", scale_factor=2)
