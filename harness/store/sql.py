"""Values as SQL literals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.records.run import FINAL, SEEN_VAL


def literal(content: Any) -> str:
    """Plain data as an SQL text that holds its JSON: ASCII, and no quote inside that could end it."""
    return "'" + json.dumps(content, allow_nan=False, separators=(",", ":")).replace("'", "\\u0027") + "'"


def has_seen_val(run: str) -> str:
    """Return the condition that heads of a run were trained on val, as ``harness.records.run.splits_in`` reads it.

    Args:
        run: alias of the table ``runs`` in the query.
    """
    return f"regexp_matches(lower({run}.trained_on), {quoted(SEEN_VAL)})"


def without_final(recipe: str) -> str:
    """Return a recipe without what is trained on train and val, as ``harness.records.run.without_final`` does.

    Args:
        recipe: expression of a recipe as JSON.
    """
    return f"json_merge_patch({recipe}, CAST({literal({FINAL: None})} AS JSON))"


def listed(ids: Iterable[str]) -> str:
    """Return ids as a list for ``IN``, without a bound parameter, for which DuckDB would import pandas."""
    return f"(SELECT unnest(from_json_strict({literal(list(ids))}, '[\"VARCHAR\"]')))"


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
