"""Format of emotional mimicry intensity: six intensities per clip.

``Empathic Pain`` has a space (source: HSEmotion's public notebook).
"""

from __future__ import annotations

from harness import tasks
from harness.files.format import CLIP_NUMBER, Column, Format

EMI = Format(
    "EMI",
    "EMI",
    (6, 8, 10),
    f"Filename,{tasks.EMI.header}",
    tuple(Column(name, tasks.EMI.low, tasks.EMI.high) for name in tasks.EMI.targets),
    row=CLIP_NUMBER,
)
