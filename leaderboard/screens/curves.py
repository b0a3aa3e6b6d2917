"""Part of the page Papers: scores against one constant, as the papers' authors printed them, with ours beside them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from harness.board.curves import PAPER_FIGURES, Curve
from harness.cli.sweep import TITLES
from harness.metrics.titles import score_title
from leaderboard import words
from leaderboard.charts.sweep import sweep_chart
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link


def show_curves(curves: Sequence[Curve], data_name: str, *, comparable: bool) -> None:
    """Show the section.

    Args:
        curves: curves of the paper's constants.
        data_name: name of the data set that our runs are on.
        comparable: True if our runs are on the paper's data; else their curves get separate charts.
    """
    figures = sorted({curve.figure for curve in curves if curve.figure})
    span = f"Figures {figures[0]} to {figures[-1]}: the" if figures else "The"
    help_ = words.CURVES if figures else words.CURVES_OF_NOTEBOOK
    st.subheader(f"{span} score against each constant", anchor=False, help=help_)
    st.text(
        ("The paper's figures are pictures without numbers. " if figures else "The paper has no such figures. ")
        + "Diamonds: the paper's text and tables. Dotted: the same "
        "sweep as the authors' public notebook printed it. Line and band: ours, with its 95 % interval by video."
    )
    if not any(curve.run_id for curve in curves):
        st.info("**None of our runs has such a curve yet.** Nothing is trained for it; a run's own heads are used:")
        st.code("abaw sweep RUN --data ROOT", language="bash")
    # scores on different data may not share a chart
    apart = not comparable and any(curve.run_id for curve in curves)
    parts = [(True, False), (False, True)] if apart else [(True, True)]
    cells = [(curve, *part) for curve in curves for part in parts]
    for k in range(0, len(cells), 2):
        for column, (curve, printed, ours) in zip(st.columns(2, gap="large"), cells[k : k + 2], strict=False):
            with column:
                _show(curve, data_name, printed=printed, ours=ours)


def _show(curve: Curve, data_name: str, *, printed: bool, ours: bool) -> None:
    if printed:
        title = (
            f"Figure {curve.figure}: {PAPER_FIGURES[curve.figure]}" if curve.figure else TITLES[curve.axis].capitalize()
        )
        st.text(f"{title}; {curve.held}")
    else:
        st.text(f"Ours, on {data_name}; the other constants as chosen there")
        if not curve.run_id:
            st.text(f"No run of {curve.solution} has this curve yet.")
            return
    points = curve.ours if ours else curve.ours.iloc[:0]
    theirs = curve.printed if printed else None
    chart = sweep_chart(points, score_title(curve.metric), axis=curve.axis, printed=theirs)
    show_chart(chart)
    if ours and curve.run_id:
        link("run", "Our run", run=curve.run_id)
