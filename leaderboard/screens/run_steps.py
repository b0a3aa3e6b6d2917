"""Part of the page Run: the effect of each step of post-processing, and frames that it corrected or worsened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from harness.board.tables.run import STEPS_NOT_KNOWN, step_table, step_title
from harness.errors import AbawError
from harness.metrics.steps import StepTrace
from harness.records.run import RunRecord
from harness.records.steps import STEPS_FILE, read_traces
from harness.system.counts import counted
from harness.tasks import TASKS, Task
from leaderboard import words
from leaderboard.data.frames import Split, picture_address, thumbnails_of
from leaderboard.data.reach import require_own_file
from leaderboard.data.steps import Example, examples
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.frames import FRESH_FOR, signature, split_key, split_of

_FILTER = "filter"
# the first columns after the step are those that fit a phone's screen
_ORDER = (
    "step", "corrected", "worsened", "net", "overridden_right", "overridden_wrong", "overridden", "changed",
    "decisions",
)  # fmt: skip
_WIDTHS = {"step": 138, "corrected": 88, "worsened": 88, "net": 70}
_MOST, _SIDE, _WIDTH = 8, 120, 168
_PLAIN = re.compile("[A-Za-z][A-Za-z0-9 -]{0,59}")


def show_steps(record: RunRecord, folder: Path) -> None:
    """Show counts of all steps, then images of corrected and worsened frames for the step that the user chooses."""
    if record.steps is None:
        st.subheader("Effect of each step", anchor=False, help=words.STEPS)
        st.text(STEPS_NOT_KNOWN)
        return
    if not record.steps:
        return
    table = step_table(record)
    heading("Effect of each step", table, f"{record.run_id}-steps", help=words.STEPS)
    keys = [key for key in _ORDER if key in {column.key for column in table.columns}]
    grid.show_grid(table, _WIDTHS, words.STEP_COLUMNS, keys=keys, rows=len(table.rows), pinned=["step"])
    labelled = any("corrected" in row for row in record.steps)
    if TASKS[record.task].kind == "classes" and TASKS[record.task].level == "frame" and labelled:
        _show_examples(record, folder)


@st.fragment  # a change of the step redraws this part alone
def _show_examples(record: RunRecord, folder: Path) -> None:
    steps = {str(row["step"]): row for row in record.steps or ()}
    names = [name for name, row in steps.items() if row["changed"]]
    if not names:
        st.text("No step changed the class of a labelled frame.")
        return
    first = _FILTER if _FILTER in names else max(names, key=lambda name: steps[name]["changed"])
    step = st.segmented_control(
        "Frames that were changed by",
        names,
        default=first,
        required=True,
        format_func=lambda name: _label(name, list(steps).index(name)),
        key="step",
    )
    try:
        traces = _read_traces(record, folder)
        split, key = split_of(record, folder), split_key(record, folder)
    except AbawError as error:
        st.text(f"Not shown: {error}")
        return
    if split.same is False:
        st.warning("The labels on disk are not those that this run was scored on: no frames are shown.")
        return
    for kind in ("corrected", "worsened"):
        n_frames = steps[step].get(kind, 0)
        st.text(f"{kind.capitalize()}: {counted(n_frames, 'frame')}")
        if n_frames:
            cache_key = (str(folder), signature(folder, [STEPS_FILE]), key)
            _show_kind(record, cache_key, list(steps).index(step), step, kind, traces, split)


def _label(step: str, number: int) -> str:
    """Return the name of a step for a control, which reads labels as Markdown; names with markup become a number."""
    title = step_title(step)
    return title if _PLAIN.fullmatch(title) else f"step {number + 1}"


def _show_kind(
    record: RunRecord,
    cache_key: tuple[Any, ...],
    number: int,
    step: str,
    kind: str,
    traces: Mapping[str, StepTrace],
    split: Split,
) -> None:
    """Show some corrected or worsened frames, with label and both probabilities."""
    task = TASKS[record.task]
    try:
        chosen = _chosen(cache_key, number, kind, record, traces, split)
    except AbawError as error:
        st.text(f"Not shown: {error}")
        return
    if not chosen:
        st.text(f"None of these frames has a {task.noun}.")
        return
    with st.container(horizontal=True, gap="small", key=f"step-{kind}"):
        for example, address in chosen:
            with st.container(width=_WIDTH, gap=None):
                st.image(address, width=_SIDE)
                st.text(_caption(task, step, example))


# arguments that begin with _ are no part of the key, see leaderboard.screens.frames
@st.cache_resource(max_entries=16, ttl=FRESH_FOR, show_spinner=False)
def _chosen(
    cache_key: tuple[Any, ...],
    number: int,
    kind: str,
    _record: RunRecord,
    _traces: Mapping[str, StepTrace],
    _split: Split,
) -> list[tuple[Example, str]]:
    """Return examples of frames that a step corrected or worsened, each with its image as an address.

    Args:
        cache_key: the run's folder, the signature of its steps, and the key of its split.
        number: number of the step, from 0.
        kind: ``corrected`` or ``worsened``.

    Raises:
        AbawError: the images are unreadable.
    """
    chosen_examples = examples(
        TASKS[_record.task],
        _traces,
        _split.labels,
        number,
        corrected=kind == "corrected",
        most=_MOST,
        frames_of=lambda video: _split.videos[video].images.frames,
    )
    addresses = {}
    for name in dict.fromkeys(example.video for example in chosen_examples):
        frames = sorted(example.frame for example in chosen_examples if example.video == name)
        for image in thumbnails_of(_split.videos[name], frames):
            addresses[name, image.frame] = picture_address(image.image)
    places = ((example, (example.video, example.frame)) for example in chosen_examples)
    return [(example, addresses[place]) for example, place in places if place in addresses]


def _caption(task: Task, step: str, example: Example) -> str:
    """Return video and frame, the label, and both classes with their probabilities, one per line."""
    names = [name.replace("_", " ") for name in task.targets]
    who = ("head", "classifier") if step == _FILTER else ("before", "after")
    lines = [f"{example.video}, {example.frame:,}", f"label {names[example.label]}"]
    for name, (value, probability) in zip(who, (example.before, example.after), strict=True):
        lines.append(f"{name} {names[value]} {probability:.2f}")
    return "\n".join(lines)


def _read_traces(record: RunRecord, folder: Path) -> Mapping[str, StepTrace]:
    """Return the trace of each step, by video.

    Raises:
        AbawError: the file is missing or unreadable.
    """
    require_own_file(record, folder, STEPS_FILE, "steps are")
    return _traces(str(folder), signature(folder, [STEPS_FILE]), record)


# arguments that begin with _ are no part of the key, see leaderboard.screens.frames
@st.cache_resource(max_entries=4, show_spinner="Reading the steps …")
def _traces(folder: str, signature: tuple[tuple[str, int, int], ...], _record: RunRecord) -> Mapping[str, StepTrace]:
    return read_traces(Path(folder), TASKS[_record.task].n_outputs, len(_record.steps or ()))
