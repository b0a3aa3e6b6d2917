"""Part of the page Compare: the choice of the two sides. The address names them; the lists change the address."""

from __future__ import annotations

import streamlit as st

from harness.board.differences import (
    Printed,
    Ran,
    Side,
    best_two,
    printed_numbers,
    printed_side,
    run_choices,
)
from harness.board.rankings import comparable
from harness.errors import AbawError
from harness.tasks import TASKS
from leaderboard.screens.reading import Contents, read_record
from leaderboard.screens.run_videos import FRAMES, VIDEO

_BOTH = ("a", "b")
_MARK = "◆ "


def choose_sides(contents: Contents, tasks: list[str]) -> tuple[Side | None, Side | None]:
    """Show lists for task and both sides, and return the sides in the address, by default the two best runs."""
    linked = [_side(contents, st.query_params.get(letter)) for letter in _BOTH]
    task = next((name for side in linked if side and (name := _task_of(side)) in tasks), tasks[0])
    if linked == [None, None]:
        linked = [_side(contents, key) for key in _first_choice(contents, task)]
        if all(linked):
            st.caption("The two best solutions of the newest run's data. Choose any others.")
    a, b = linked
    st.session_state["compare-task"] = task
    if len(tasks) > 1:
        st.segmented_control("Task", tasks, required=True, key="compare-task", on_change=_change_task, args=(contents,))
    mine, theirs = _options(contents, task, a, b)
    left, middle, right = st.columns([10, 2, 10], vertical_alignment="bottom")
    with left:
        _pick("a", "A", mine, a)
    with middle:
        st.button("Swap", on_click=_swap, help="A becomes B.", disabled=not (a and b), width="stretch")
    with right:
        _pick("b", "B", theirs, b)
    return a, b


def _first_choice(contents: Contents, task: str) -> tuple[str | None, str | None]:
    """Return the keys of the two best runs; a single run comes with ``None``."""
    return best_two(contents.runs, task) or (next(iter(run_choices(contents.runs, task)), None), None)


def _side(contents: Contents, key: str | None) -> Side | None:
    """Return the run or published number of a key; show a warning and return ``None`` if there is neither."""
    if not key:
        return None
    trouble = ""
    try:
        stored = read_record(contents, key) if (contents.runs["run_id"] == key).any() else None
    except AbawError as error:
        stored, trouble = None, str(error)
    side = Ran(*stored) if stored else printed_side(contents.published, key)
    if side is None:
        st.warning("**Nothing of this name is in the store, or it can't be read now.**")
        st.text(trouble or key)
    return side


def _task_of(side: Side) -> str:
    return side.task.name if isinstance(side, Printed) else side.record.task


def _options(contents: Contents, task: str, a: Side | None, b: Side | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the options of the lists for A and B; those for B can be compared with A. Linked sides are added."""
    runs, published = contents.runs, contents.published
    every = run_choices(runs, task)
    split = a.split if isinstance(a, Printed) else a.record.split if a else "val"
    fitting = run_choices(runs[comparable(runs, a.key)], task) if isinstance(a, Ran) else every
    printed = printed_numbers(published, TASKS[task], split)
    other = {key: f"{_MARK}{number.name} · {number.score:.3f}" for key, number in printed.items()}
    own_key = a.key if a else None
    mine, theirs = dict(every), {key: text for key, text in (fitting | other).items() if key != own_key}
    for options, side in ((mine, a), (theirs, b)):
        if side is not None and side.key not in options:
            options[side.key] = f"{_MARK}{side.name}" if isinstance(side, Printed) else every.get(side.key, side.key)
    return mine, theirs


def _pick(letter: str, label: str, options: dict[str, str], side: Side | None) -> None:
    # the address decides: each run of the page's script sets the widget from it
    st.session_state[f"compare-{letter}"] = side.key if side else None
    st.selectbox(
        label,
        list(options),
        index=0 if side else None,
        format_func=lambda key: options.get(key, key),
        key=f"compare-{letter}",
        on_change=_picked,
        placeholder="a run, or a published number",
    )


def _picked() -> None:
    for letter in _BOTH:
        _put(letter, st.session_state.get(f"compare-{letter}"))
    _forget_video()


def _swap() -> None:
    a, b = (st.session_state.get(f"compare-{letter}") for letter in _BOTH)
    _put("a", b)
    _put("b", a)


def _change_task(contents: Contents) -> None:
    task = st.session_state["compare-task"]
    for letter, key in zip(_BOTH, _first_choice(contents, task), strict=True):
        _put(letter, key)
    _forget_video()


def _forget_video() -> None:
    for key in (VIDEO, FRAMES):
        st.query_params.pop(key, None)


def _put(key: str, value: str | None) -> None:
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)
