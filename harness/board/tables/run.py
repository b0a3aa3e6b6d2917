"""A run as tables: by class, what is taken for what, by video, and every setting that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.board.run import confusion_rows, target_rows, unit_rows, video_rows
from harness.metrics.titles import score_title
from harness.records.run import RunRecord
from harness.tables.table import Column, Table

_INTERVAL_NOTE = "Intervals: 95 %, whole videos drawn with replacement."
_BY_PERSON_NOTE = "Intervals: 95 %, persons drawn with replacement, all videos of a person at once."
_VIDEO_NOTE = (
    "Score: the official metric on this video alone. Possible: what perfect answers get there; a class that the "
    "video's labels don't have counts 0. Pulls: what the run's score loses without this video."
)
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


def run_tables(record: RunRecord) -> dict[str, Table]:
    """The run's tables by name; those that the record has nothing for are left out."""
    tables = {
        "classes": class_table(record),
        "confusion": confusion_table(record),
        "videos": video_table(record),
        "settings": settings_table(record),
    }
    return {name: table for name, table in tables.items() if table.rows}


def class_table(record: RunRecord) -> Table:
    """A row a class, unit or dimension."""
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
    content = tuple({**row, "interval": (row["low"], row["high"])} for row in _plain(rows))
    note = _INTERVAL_NOTE if record.unit == "video" else _BY_PERSON_NOTE
    return Table(_title(record, "by class"), tuple(columns), content, notes=(note,))


def confusion_table(record: RunRecord) -> Table:
    """Frames by label (rows) and decision (columns); of units, frames found, missed, and seen where they are not."""
    rows = confusion_rows(record)
    if len(rows):
        wide, first = rows.pivot(index="label", columns="decision", values="frames"), "label"
        wide = wide.loc[list(dict.fromkeys(rows["label"])), list(dict.fromkeys(rows["decision"]))]
    else:
        rows = unit_rows(record)
        wide, first = rows.pivot(index="unit", columns="what", values="frames"), "unit"
        wide = wide.loc[list(dict.fromkeys(rows["unit"])), list(dict.fromkeys(rows["what"]))]
    columns = [Column(first, first.capitalize()), *(Column(str(name), str(name), "whole") for name in wide.columns)]
    return Table(_title(record, "frames by label and decision"), tuple(columns), _plain(wide.reset_index()))


def video_table(record: RunRecord) -> Table:
    """A row a video, the worst first."""
    rows = video_rows(record)
    columns = [
        Column("video", "Video"),
        Column("frames", "Frames", "whole"),
        Column("score", score_title(str((record.score() or {}).get("metric", "score"))), "number"),
        *([Column("possible", "Possible", "number")] if (rows["possible"] < 1).any() else []),
        *([Column("right", "Frames right", "number")] if rows["right"].notna().any() else []),
        Column("pulls", "Pulls", "signed", digits=4),
    ]
    return Table(_title(record, "by video"), tuple(columns), _plain(rows), notes=(_VIDEO_NOTE,))


def settings_table(record: RunRecord) -> Table:
    """Every setting that decides the result, by its full name."""
    rows = [{"setting": name, "value": setting_text(value)} for name, value in record.settings().items()]
    return Table(_title(record, "settings"), (Column("setting", "Setting"), Column("value", "Value")), tuple(rows))


def setting_text(value: Any) -> str:
    """A setting's value as text: plain where it is, JSON where it is a list."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(rows: pd.DataFrame) -> tuple[Mapping[str, Any], ...]:
    return tuple({str(key): value for key, value in row.items()} for row in rows.to_dict("records"))


def _title(record: RunRecord, what: str) -> str:
    seed = "" if record.seed is None else f", seed {record.seed}"
    return f"{record.name}{seed} on {record.data.get('name', '')} {record.split}: {what}"
