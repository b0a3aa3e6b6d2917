"""Values as SQL literals."""

from __future__ import annotations

import json
from typing import Any


def literal(content: Any) -> str:
    """Plain data as an SQL text that holds its JSON: ASCII, and no quote inside that could end it."""
    return "'" + json.dumps(content, allow_nan=False, separators=(",", ":")).replace("'", "\\u0027") + "'"


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
