"""Formats with one file per video: violence detection, and EXPR, VA and AU of the 3rd edition (line k is frame k).

Sources: the HSEmotion team's public notebook of the 3rd edition; for VD the public code of two teams, of which the
10th edition's copies the organisers' ``Expected_Output_Files``. The 9th wrote ``Frame_Num``.
"""

from __future__ import annotations

from harness import tasks
from harness.files.format import FRAME_NUMBER, Column, Format
from harness.files.formats.frames import columns_of

EXPR_VIDEOS = Format("EXPR-videos", "EXPR", (3,), tasks.EXPR.header, columns_of(tasks.EXPR), row=None, per_video=True)
VA_VIDEOS = Format("VA-videos", "VA", (3,), tasks.VA.header, columns_of(tasks.VA), row=None, per_video=True)
AU_VIDEOS = Format("AU-videos", "AU", (3,), tasks.AU.header, columns_of(tasks.AU), row=None, per_video=True)
VD = Format(
    "VD",
    "VD",
    (9, 10),
    tasks.VD.header,
    (Column("label", 0, 1, whole=True),),
    row=FRAME_NUMBER,
    also=("Frame_Num,Label",),
    per_video=True,
    suffix=".csv",
)
