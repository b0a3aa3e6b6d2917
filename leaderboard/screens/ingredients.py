"""Part of the page Papers: the gain of each ingredient from plain to full, and every pair that shows it."""

from __future__ import annotations

import textwrap
from typing import Any

import streamlit as st

from harness.board.gains import Ingredients, OwnGain, stages
from harness.board.ingredients import INGREDIENTS
from harness.board.tables.papers import ingredient_name, ingredient_table, step_table
from harness.tables.table import Table
from leaderboard import words
from leaderboard.charts.colours import PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.ingredients import Stage, waterfall_chart
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link

_LABEL_WIDTH = 26
_WIDTHS = {
    "ingredient": 250, "what": 130, "before": 270, "after": 270, "pairs": 55, "paper": 80, "least": 80, "most": 80,
    "ours": 80, "interval": 145, "own_pairs": 80,
}  # fmt: skip
_HELP = {
    "pairs": words.INGREDIENT_GAIN, "paper": words.INGREDIENT_GAIN, "ours": words.OWN_GAIN, "interval": words.OWN_GAIN,
    "own_pairs": words.OWN_GAIN,
}  # fmt: skip


def show_ingredients(ingredients: Ingredients, title: str, score_title: str, data_name: str) -> None:
    """Show the section.

    Args:
        ingredients: gains of at least one ingredient.
        title: title of the exported tables.
        score_title: title of the score's axis.
        data_name: name of the data set that our runs are on.
    """
    gains = ingredient_table(title, ingredients)
    heading("What each ingredient adds", gains, "ingredients", help=words.INGREDIENT_GAIN)
    _say_what_helped(ingredients)
    _show_way(ingredients, score_title, data_name)
    grid.show_grid(gains, _WIDTHS, {**_HELP, "ingredient": _glossary()}, width="content")
    pairs, what = sum(len(gain.steps) for gain in ingredients.listed), _what(ingredients)
    with st.expander(
        f"The one pair of {what}" if pairs == 1 else f"All {pairs} pairs of {what}, the largest gain first"
    ):
        _show_pairs(step_table(title, ingredients), comparable=bool(ingredients.ours))


def _show_pairs(pairs: Table, *, comparable: bool) -> None:
    select: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row", "key": "pairs"}
    event = grid.show_grid(
        pairs, _WIDTHS, {**_HELP, "ingredient": _glossary()}, width="content", **(select if comparable else {})
    )
    if not comparable:
        return
    chosen = event["selection"]["rows"]
    runs = pairs.rows[chosen[0]]["runs"] if chosen and chosen[0] < len(pairs.rows) else None
    if runs:
        link("compare", "Compare our runs of these two", a=runs[0], b=runs[1])
    else:
        st.caption("Select a pair (its left edge) to compare our runs of it.")


def _say_what_helped(ingredients: Ingredients) -> None:
    """Show the ingredient with the largest mean gain, in one line for the paper and one for our runs."""
    candidates = [gain for gain in ingredients.listed if not gain.removed] or list(ingredients.listed)
    if ingredients.printed:
        best = max(candidates, key=lambda gain: gain.mean)
        pairs = _pairs(len(best.steps), ingredients)
        st.text(f"Helped the paper most: {ingredient_name(best.added, best.removed)}, {best.mean:+.4f} {pairs}.")
    our_gains = [(gain, gained) for gain in candidates if (gained := ingredients.own(gain.steps)) is not None]
    if our_gains:
        gain, gained = max(our_gains, key=lambda pair: pair[1].gain)
        name = ingredient_name(gain.added, gain.removed)
        sure = f"{_interval(gained)} {_pairs(gained.pairs, ingredients)}.{_sure(gained)}"
        st.text(f"Helped us most: {name}, {gained.gain:+.4f}{sure}", help=words.OWN_GAIN)


def _what(ingredients: Ingredients) -> str:
    return "rows" if ingredients.printed else "solutions"


def _pairs(count: int, ingredients: Ingredients) -> str:
    what = _what(ingredients)
    return f"in one pair of {what}" if count == 1 else f"on average over {count} pairs of {what}"


def _interval(gain: OwnGain) -> str:
    return "" if gain.interval is None else f" [{gain.interval[0]:+.4f}, {gain.interval[1]:+.4f}]"


def _sure(gain: OwnGain) -> str:
    if gain.interval is None or gain.interval[0] > 0:
        return ""
    return " Its interval does not leave out 0: these videos can't tell whether it helps."


def _show_way(ingredients: Ingredients, score_title: str, data_name: str) -> None:
    charts = []
    if ingredients.printed:
        charts.append(("the paper", PUBLISHED_COLOUR, _stages(ingredients, printed=True)))
    our_stages = _stages(ingredients, printed=False)
    if any(stage.score is not None for stage in our_stages):
        charts.append((f"ours, on {data_name}", RUN_COLOUR, our_stages))
    if not ingredients.way or not charts:
        return
    for column, (whose, colour, rows) in zip(st.columns(len(charts), gap="large"), charts, strict=True):
        with column:
            st.text(f"From plain to full, {whose}", help=words.WATERFALL)
            show_chart(waterfall_chart(rows, colour, score_title))


def _stages(ingredients: Ingredients, *, printed: bool) -> list[Stage]:
    rows: list[Stage] = []
    for k, system in enumerate(stages(ingredients)):
        ours = ingredients.ours.get(system.key)
        score = system.score if printed else ours.mean if ours else None
        if not k:
            rows.append(Stage(_wrapped(system.name), system.name, score, None))
            continue
        step = ingredients.way[k - 1]
        gain = None if printed else ingredients.own([step])
        interval = f"{gain.interval[0]:+.4f} to {gain.interval[1]:+.4f}" if gain and gain.interval else ""
        name = ("" if step.removed else "+ ") + ingredient_name(step.added, step.removed)
        rows.append(Stage(_wrapped(name), system.name, score, rows[-1].score, interval))
    return rows


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _LABEL_WIDTH) or [text])


def _glossary() -> str:
    return "\n".join(f"- {name}: {text}" for name, text in dict(INGREDIENTS.values()).items() if text)
