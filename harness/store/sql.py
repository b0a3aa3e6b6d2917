"""Values as SQL literals."""

from __future__ import annotations

import json
from typing import Any

from harness.records.run import SEEN_VAL


def literal(content: Any) -> str:
    """Plain data as an SQL text that holds its JSON: ASCII, and no quote inside that could end it."""
    return "'" + json.dumps(content, allow_nan=False, separators=(",", ":")).replace("'", "\\u0027") + "'"


def has_seen_val(run: str) -> str:
    """Return the condition that heads of a run were trained on val, as ``harness.records.run.splits_in`` reads it.

    Args:
        run: alias of the table ``runs`` in the query.
    """
    return f"regexp_matches(lower({run}.trained_on), {quoted(SEEN_VAL)})"


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
