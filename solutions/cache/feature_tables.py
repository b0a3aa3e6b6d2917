"""Tables that face tools write, one per video: the tool, the columns that are features, the frame of each row.

The tools and their numbering stand in :mod:`harness.datasets.feature_tools`. Features are action units, gaze, pose and
emotions. Where a frame has several faces, the one with the highest confidence is taken. Times are not read: LibreFace's
``frame_time_in_ms`` holds seconds in some versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.feature_tools import FeatureTool
from harness.system.counts import counted

if TYPE_CHECKING:
    import pandas as pd


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
    if tool.detected:
        missing = rows[tool.detected].isna() | (rows[tool.detected] == 0)
        failed = int(missing.sum())
        features[missing] = np.nan
    features.insert(0, "frame", rows[tool.frame] + (1 - tool.first))
    n_features, n_columns = len(feature_columns), counted(len(table.columns), "column")
    text = (
        f"{tool.name}'s table: {n_features} of its {n_columns} {'is a feature' if n_features == 1 else 'are features'}"
    )
    text += f", {counted(failed, 'row')} found no face" if failed else ""
    text += f", of {counted(several, 'further face')} none was taken" if several else ""
    text += ", frames counted from 0 there" if tool.first == 0 else ""
    return features.reset_index(drop=True), text
