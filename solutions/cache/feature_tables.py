"""Tables that face tools write, one per video: the tool, the columns that are features, the frame of each row.

| tool | recognised by | frames | without a face | feature columns |
|---|---|---|---|---|
| OpenFace 2 | ``frame``, ``confidence``, ``success`` | from 1 | ``success`` 0 | AU (``_r``, ``_c``), gaze, pose |
| LibreFace 0.2 | ``frame_idx``, ``au_12_intensity`` | from 0 | row missing | AU, gaze, pitch, yaw, roll |
| py-feat 0.6 | ``frame``, ``FaceScore`` | from 0 | ``FaceScore`` empty | AU, emotions, pitch, roll, yaw |

Sources of the numbering: OpenFace's documentation; ``libreface/utils.py`` of 0.2.0; ``feat/detector.py`` of 0.6.2.
If a frame has several faces, the one with the highest confidence is used. Times are ignored: LibreFace's
``frame_time_in_ms`` holds seconds in some versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FeatureTool:
    """Tool that writes a table.

    Attributes:
        name: name of the tool.
        needs: columns by which the tool is recognised.
        frame: column of the frame's number.
        first: number of a video's first frame.
        confidence: column by which one of several faces is chosen; empty for tools without such a column.
        success: column that is 0 or empty in frames without a face; empty for tools that leave such frames out.
        columns: names of the feature columns.
    """

    name: str
    needs: tuple[str, ...]
    frame: str
    first: int
    confidence: str
    success: str
    columns: re.Pattern[str]


TOOLS = (
    FeatureTool(
        "OpenFace",
        ("frame", "confidence", "success"),
        "frame",
        1,
        "confidence",
        "success",
        re.compile(r"AU[0-9]+_[rc]|gaze_.*|pose_.*"),
    ),
    FeatureTool(
        "LibreFace",
        ("frame_idx", "au_12_intensity"),
        "frame_idx",
        0,
        "",
        "",
        re.compile(r"au_[0-9]+(_intensity)?|gaze_.*|pitch|yaw|roll"),
    ),
    FeatureTool(
        "py-feat",
        ("frame", "FaceScore"),
        "frame",
        0,
        "FaceScore",
        "FaceScore",
        re.compile(r"AU[0-9]+|anger|disgust|fear|happiness|sadness|surprise|neutral|Pitch|Roll|Yaw"),
    ),
)


def tool_of(columns: list[str]) -> FeatureTool | None:
    """Return the tool that writes these columns, ``None`` for any other table."""
    return next((tool for tool in TOOLS if set(tool.needs) <= set(columns)), None)


def features_of(table: pd.DataFrame, tool: FeatureTool) -> tuple[pd.DataFrame, str]:
    """Convert a tool's table.

    Args:
        table: the table as the tool writes it.
        tool: the tool.

    Returns:
        A table with ``frame`` (from 1) and float32 features, NaN in rows without a face; and a text on the conversion.
    """
    feature_columns = [str(name) for name in table.columns if tool.columns.fullmatch(str(name))]
    rows = table.sort_values(tool.confidence, ascending=False, kind="stable") if tool.confidence else table
    several = int(rows.duplicated(tool.frame).sum())
    rows = rows.drop_duplicates(tool.frame).sort_values(tool.frame, kind="stable")
    features = rows[feature_columns].astype(np.float32)
    failed = 0
    if tool.success:
        missing = rows[tool.success].isna() | (rows[tool.success] == 0)
        failed = int(missing.sum())
        features[missing] = np.nan
    features.insert(0, "frame", rows[tool.frame] + (1 - tool.first))
    text = f"{tool.name}'s table: {len(feature_columns)} of its {len(table.columns)} columns are features"
    text += f", {failed:,} rows found no face" if failed else ""
    text += f", of {several:,} further faces none was taken" if several else ""
    text += ", frames counted from 0 there" if tool.first == 0 else ""
    return features.reset_index(drop=True), text
