"""A run as tables: by class, what is taken for what, by video, and every setting that made it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.rankings import labels_name
from harness.board.run import ROW_PARTS, confusion_rows, target_rows, unit_rows, video_rows
from harness.metrics.titles import score_title
from harness.records.origin import notes_of
from harness.records.run import (
    CONSTANT,
    HEADLINE,
    TUNED_ON_ALL,
    UNKNOWN,
    RunRecord,
    frames_without,
    submission_of,
)
from harness.records.scores import SCORES_FILE
from harness.records.steps import STEPS_FILE
from harness.system.counts import counted, with_seed
from harness.tables.table import Column, Table, records, short_text
from harness.tasks import TASKS, Task

if TYPE_CHECKING:
    import pandas as pd

_INTERVAL_NOTE = "Intervals: 95 %, whole videos drawn with replacement."
_BY_PERSON_NOTE = "Intervals: 95 %, persons drawn with replacement, all videos of a person at once."
_VIDEO_NOTE = (
    "Score: the official metric on this video alone. Possible: what perfect answers get there; a class that the "
    "video's labels don't have counts 0. Pulls: what the run's score loses without this video."
)
_VALUES_NOTE = (
    "Pearson's correlation is undefined for a single video, so that each has its mean absolute error: predicted "
    "against labelled values, mean of the six. Pearson is blind to scale and offset of the predictions, this error is "
    "not. Pulls: what the run's score loses without this video."
)
_CLASSES_NOTE = "One decision per video. Pulls: what the run's score loses without this video."
_TUNED_ON = {"nothing": "nothing was chosen on labels", UNKNOWN: "what it was tuned on is not known"}
_MORE = {
    "precision": Column("precision", "Precision", "number"),
    "recall": Column("recall", "Recall", "number"),
    "labelled": Column("labelled", "Frames labelled", "whole"),
    "decided": Column("decided", "Frames decided", "whole"),
    "pearson": Column("pearson", "Pearson", "number"),
    "mean_label": Column("mean_label", "Mean of labels", "signed"),
    "mean": Column("mean", "Mean of values", "signed"),
    "sd_label": Column("sd_label", "Spread of labels", "number"),
    "sd": Column("sd", "Spread of values", "number"),
}


STEPS = {
    "gla": "GLA",
    "smoothing": "smoothing",
    "filter": "confidence filter",
    "video_filter": "filter of whole videos",
    "thresholds": "thresholds",
}
"""Steps of post-processing, as a reader calls them."""
STEPS_NOT_KNOWN = (
    "What each step of post-processing did is not recorded: an earlier version made this run, or a solution that does "
    "not report its steps. To count, make the run again with --fresh."
)
_STEPS_NOTE = (
    "Each step is compared with the decisions right before it, in this order, cross-fitted where its constants were "
    "chosen on validation labels. Corrected: wrong before, right after. Worsened: right before, wrong after."
)
_OVERRIDDEN_NOTE = (
    "Overridden: frames in which the pretrained classifier's class was taken, be it the head's or another."
)
_UNITS_NOTE = "Every action unit of a frame counts as a decision."


def run_tables(record: RunRecord) -> dict[str, Table]:
    """Return the run's tables by name; empty tables are left out."""
    tables = {
        "classes": class_table(record),
        "confusion": confusion_table(record),
        "videos": video_table(record),
        "steps": step_table(record),
        "settings": settings_table(record),
    }
    return {name: table for name, table in tables.items() if table.rows}


def shown_tables(record: RunRecord, folder: Path | None = None) -> list[Table]:
    """Return a run's scores, what was chosen on labels, and what steps did; tables without rows are left out.

    Args:
        record: of the run.
        folder: of the run; with it a table of facts follows, which hold what :func:`run_facts` does.
    """
    facts = [facts_table(record, folder)] if folder else []
    tables = [score_table(record), choice_table(record), step_table(record), *facts]
    return [table for table in tables if table.rows]


def facts_table(record: RunRecord, folder: Path) -> Table:
    """Return one row per fact about a run: its data, duration, notes, files."""
    rows = [{"fact": fact, "value": value} for fact, value in run_facts(record, folder)]
    return Table(_title(record, "facts"), (Column("fact", "Fact"), Column("value", "Value")), tuple(rows))


def run_facts(record: RunRecord, folder: Path) -> list[tuple[str, str]]:
    """Return names and texts of what every form shows of a run beside its scores: data, duration, notes, files."""
    data = record.data
    bare = frames_without(data)
    without = f", {bare[1]:,} without a {bare[0]} (predicted all the same)" if bare else ""
    labels = f", labels {labels_name(data)}" if record.score() else ""
    files, official = len(record.files.keys() - {SCORES_FILE, STEPS_FILE}), submission_of(record.files, folder)
    return [
        ("data", f"{counted(data['videos'], 'video')}, {counted(data['frames'], 'frame')}{without}{labels}"),
        ("made", _made(record.timings)),
        *(("part", text) for text in blended_parts(record)),
        *(("note", note) for note in notes_of(record.notes, folder)),
        ("official file", f"{official}" + (f"{os.sep} ({counted(files, 'file')})" if files > 1 else "")),
        ("run", record.run_id),
    ]


def blended_parts(record: RunRecord) -> list[str]:
    """Return one line per part of a blend: solution, seed, run, weight; empty for any other run."""
    parts, blend = record.recipe.get("parts"), record.recipe.get("plan")
    if not isinstance(parts, list):
        return []
    chosen = record.choices.get("weights")
    of_plan = blend.get("blend") if isinstance(blend, Mapping) else None
    weights = chosen.get("on_all") if isinstance(chosen, Mapping) else None
    if weights is None and isinstance(of_plan, Mapping):
        weights = of_plan.get("weights")
    known = weights if isinstance(weights, list | tuple) and len(weights) == len(parts) else [None] * len(parts)
    return [_part(part, weight) for part, weight in zip(parts, known, strict=True) if isinstance(part, Mapping)]


def _part(part: Mapping[str, Any], weight: Any) -> str:
    weighs = "" if weight is None else f"weight {short_text(weight)}: "
    return f"{weighs}{with_seed(str(part.get('name')), part.get('seed'))} ({part.get('run_id')})"


def _made(timings: Mapping[str, Any]) -> str:
    """Return how long a run took, and what of it was computed."""
    rate, encoded = timings.get("frames_per_second"), timings.get("frames_encoded")
    if encoded is None:
        return "a file that was scored: how it was made is not known here"
    reused = timings.get("frames_reused")
    counts = [f"{encoded:,} encoded, {rate:,.0f} per second"] if rate else []
    if reused or (reused is not None and not rate):
        counts.append(f"{reused:,} out of the cache")
    speed = f"rows of features: {', '.join(counts)}" if counts else "features cached"
    seconds, fit, predict = (timings.get(key) for key in ("total", "fit", "predict"))
    parts = "" if fit is None or predict is None else f" (fitting {fit:.1f} s, predicting {predict:.1f} s)"
    return speed if seconds is None else f"made in {seconds:.1f} s{parts}; {speed}"


def shown_content(record: RunRecord, folder: Path) -> dict[str, Any]:
    """Return what is shown of a run as plain data: its record, all notes, its folder and its official file."""
    official = str(submission_of(record.files, folder))
    shown = replace(record, notes=tuple(notes_of(record.notes, folder)))
    return {**shown.plain(), "folder": str(folder), "official_file": official}


def score_table(record: RunRecord) -> Table:
    """Return one row per score: the official one, what tuning and a constant give, then other metrics and classes."""
    tuned_on = "cross-fitted" if "cross-fitted" in record.tuned_on else _TUNED_ON.get(record.tuned_on, record.tuned_on)
    if record.has_seen_its_split:
        tuned_on = f"on videos that its heads were trained on; {tuned_on}"
    head, tuned, constant = record.score(), record.score(TUNED_ON_ALL), record.score(CONSTANT)
    rows = []
    if head:
        rows.append(_score_row(head, score_title(head["metric"]), tuned_on))
    if head and tuned:
        optimism = f"chosen and reported on the same videos; optimism {tuned['value'] - head['value']:+.3f}"
        rows.append(_score_row(tuned, "tuned on val", optimism))
    if head and constant:
        rows.append(_score_row(constant, "constant", record.constant))
    for row in record.scores if head else ():
        if row["estimate"] == CONSTANT and row["target"] != "all":
            rows.append(_score_row(row, f"always {row['target']}", ""))
    for row in record.scores if head else ():
        if row["estimate"] == HEADLINE and row is not head:
            rows.append(_score_row(row, score_title(row["metric"], row["target"]), ""))
    columns = (
        Column("score", "Score"),
        Column("value", "Value", "number"),
        Column("interval", f"95 % by {record.unit}", "interval"),
        Column("about", "How it came about"),
    )
    return Table(_title(record, "scores"), columns, tuple(rows))


def _score_row(row: Mapping[str, Any], title: str, about: str) -> Mapping[str, Any]:
    return {"score": title, "value": row["value"], "interval": (row.get("low"), row.get("high")), "about": about}


def choice_table(record: RunRecord) -> Table:
    """Return what was chosen on labels, one row per choice: on all videos of val, by fold, and out of which values."""
    rows = [
        {"what": name.replace("_", " "), "on_all": short_text(value["on_all"])}
        | {key: short_text(value[key]) for key in ("per_fold", "candidates") if value.get(key)}
        for name, value in record.choices.items()
        if isinstance(value, Mapping) and "on_all" in value
    ]
    columns = (
        Column("what", "Chosen on labels"),
        Column("on_all", "on all of val"),
        Column("per_fold", "by fold", spare=1),
        Column("candidates", "out of", spare=2),
    )
    filled = tuple(column for column in columns if any(column.key in row for row in rows))
    return Table(_title(record, "choices"), filled, tuple(rows))


def step_title(step: str) -> str:
    """Return the name of a step as a reader calls it."""
    return STEPS.get(step, step.replace("_", " "))


def step_table(record: RunRecord) -> Table:
    """Return one row per step of post-processing: the decisions that it changed, corrected and worsened."""
    rows = []
    for row in record.steps or ():
        known = {"corrected", "worsened"} <= row.keys()
        net = {"net": row["corrected"] - row["worsened"]} if known else {}
        overrides = {"overridden", "overridden_right"} <= row.keys()
        wrong = {"overridden_wrong": row["overridden"] - row["overridden_right"]} if overrides else {}
        rows.append({**row, **net, **wrong, "step": step_title(row["step"])})
    units = record.task in TASKS and TASKS[record.task].kind == "binaries"
    what = (
        "Decisions" if units else "Rows" if record.task in TASKS and TASKS[record.task].level == "video" else "Frames"
    )
    labelled = any("corrected" in row for row in rows)
    columns = [
        Column("step", "Step"),
        Column("decisions", f"{what} labelled" if labelled else what, "whole"),
        Column("changed", "Changed", "whole"),
        Column("corrected", "Corrected", "whole"),
        Column("worsened", "Worsened", "whole"),
        Column("net", "Net", "signed", digits=0),
        Column("overridden", "Overridden", "whole"),
        Column("overridden_right", "Overridden, right", "whole"),
        Column("overridden_wrong", "Overridden, wrong", "whole"),
    ]
    filled = tuple(column for column in columns if any(column.key in row for row in rows)) or tuple(columns[:3])
    overridden = any("overridden" in row for row in rows)
    notes = (_STEPS_NOTE, *((_OVERRIDDEN_NOTE,) if overridden else ()), *((_UNITS_NOTE,) if units else ()))
    return Table(_title(record, "effect of each step"), filled, tuple(rows), notes=notes)


def class_table(record: RunRecord) -> Table:
    """Return one row per class, unit or dimension."""
    rows = target_rows(record)
    head = record.score() or {}
    score = {"mean_ccc": "ccc", "mean_pearson": "pearson"}.get(head.get("metric", ""), "f1")
    of_values = score != "f1"
    columns = [
        Column("target", "Dimension" if of_values else "Class"),
        Column("value", score_title(score), "number"),
        Column("interval", f"95 % by {record.unit}", "interval"),
        *(column for key, column in _MORE.items() if key in rows),
    ]
    task = TASKS.get(record.task)
    if task is not None and task.level == "video":
        columns = [replace(column, title=column.title.replace("Frames", "Videos")) for column in columns]
        columns[0] = Column("target", "Intensity") if of_values else columns[0]
    content = tuple({**row, "interval": (row["low"], row["high"])} for row in records(rows))
    note = _INTERVAL_NOTE if record.unit == "video" else _BY_PERSON_NOTE
    return Table(_title(record, "by class"), tuple(columns), content, notes=(note,))


def confusion_table(record: RunRecord) -> Table:
    """Return frames, or videos that are one row each, by label (rows) and decision (columns).

    Of units, frames found, missed, and seen where they are not.
    """
    rows = confusion_rows(record)
    if len(rows):
        wide, first = rows.pivot(index="label", columns="decision", values="frames"), "label"
        wide = wide.loc[list(dict.fromkeys(rows["label"])), list(dict.fromkeys(rows["decision"]))]
    else:
        rows = unit_rows(record)
        wide, first = rows.pivot(index="unit", columns="what", values="frames"), "unit"
        wide = wide.loc[list(dict.fromkeys(rows["unit"])), list(dict.fromkeys(rows["what"]))]
    columns = [Column(first, first.capitalize()), *(Column(str(name), str(name), "whole") for name in wide.columns)]
    counted = TASKS[record.task].level if record.task in TASKS else "frame"
    return Table(_title(record, f"{counted}s by label and decision"), tuple(columns), records(wide.reset_index()))


def video_table(record: RunRecord) -> Table:
    """Return one row per video, the worst first."""
    rows = video_rows(record)
    if len(rows) and record.task in TASKS and TASKS[record.task].level == "video":
        return _single_rows_table(record, rows, TASKS[record.task])
    columns = [
        Column("video", "Video"),
        Column("frames", "Frames", "whole"),
        Column("score", score_title(str((record.score() or {}).get("metric", "score"))), "number"),
        *([Column("possible", "Possible", "number")] if (rows["possible"] < 1).any() else []),
        *([Column("right", "Frames right", "number")] if rows["right"].notna().any() else []),
        Column("pulls", "Pulls", "signed", digits=4),
    ]
    return Table(_title(record, "by video"), tuple(columns), records(rows), notes=(_VIDEO_NOTE,))


def _single_rows_table(record: RunRecord, rows: pd.DataFrame, task: Task) -> Table:
    """Return one row per video, with the label and the answer to it."""
    pulls = Column("pulls", "Pulls", "signed", digits=4)
    if task.kind != "values":
        answer = [Column("label", "Labelled"), Column("decision", "Decided"), Column("right", "Right", "whole"), pulls]
        columns, note = [Column("video", "Video"), *answer], _CLASSES_NOTE
    else:
        sides = {"label": "labelled", "value": "predicted"}
        values = [Column(f"{part}:{name}", f"{name}, {sides[part]}", "number", digits=2)
                  for name in task.targets for part in ROW_PARTS]  # fmt: skip
        columns = [Column("video", "Video"), Column("error", "Mean absolute error", "number"), pulls, *values]
        note = _VALUES_NOTE
    return Table(_title(record, "by video"), tuple(columns), records(rows), notes=(note,))


def settings_table(record: RunRecord) -> Table:
    """Every setting that decides the result, by its full name."""
    rows = [{"setting": name, "value": setting_text(value)} for name, value in record.settings().items()]
    return Table(_title(record, "settings"), (Column("setting", "Setting"), Column("value", "Value")), tuple(rows))


def setting_text(value: Any) -> str:
    """Return a setting's value as text: a text unchanged, other values as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _title(record: RunRecord, what: str) -> str:
    return f"{with_seed(record.name, record.seed)} on {record.data.get('name', '')} {record.split}: {what}"
