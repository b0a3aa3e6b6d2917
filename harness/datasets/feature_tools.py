"""Face tools that write a table per video: columns that identify the tool, and its numbering of frames.

| tool | identified by | frames | frame without a face |
|---|---|---|---|
| OpenFace 2 | ``frame``, ``confidence``, ``success`` | from 1 | ``success`` 0 |
| LibreFace 0.2 | ``frame_idx``, ``au_12_intensity`` | from 0 | lacks a row |
| py-feat 0.6 | ``frame``, ``FaceScore`` | from 0 | ``FaceScore`` empty |

Sources of the numbering: OpenFace's documentation; ``libreface/utils.py`` of 0.2.0; ``feat/detector.py`` of 0.6.2.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureTool:
    """A tool that writes a table of features per video.

    Attributes:
        name: name of the tool.
        needs: columns that identify the tool.
        frame: column of the frame's number.
        first: number of a video's first frame.
        confidence: column by which one of several faces is taken; empty where there is none.
        detected: column that is 0 or empty for frames without a face; empty where such frames have no row.
        columns: names of the columns that are features.
        time: column of the frame's time, in seconds or milliseconds; empty where there is none.
    """

    name: str
    needs: tuple[str, ...]
    frame: str
    first: int
    confidence: str
    detected: str
    columns: re.Pattern[str]
    time: str = ""


TOOLS = (
    FeatureTool(
        "OpenFace",
        ("frame", "confidence", "success"),
        "frame",
        1,
        "confidence",
        "success",
        re.compile(r"AU[0-9]+_[rc]|gaze_.*|pose_.*"),
        "timestamp",
    ),
    FeatureTool(
        "LibreFace",
        ("frame_idx", "au_12_intensity"),
        "frame_idx",
        0,
        "",
        "",
        re.compile(r"au_[0-9]+(_intensity)?|gaze_.*|pitch|yaw|roll"),
        "frame_time_in_ms",
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


def tool_of(columns: Collection[str]) -> FeatureTool | None:
    """Return the tool that writes a table with these columns; ``None`` for any other table."""
    return next((tool for tool in TOOLS if set(tool.needs) <= set(columns)), None)
