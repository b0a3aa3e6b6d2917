"""Values as SQL literals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.records.run import FINAL, SEEN_VAL


def literal(content: Any) -> str:
    """Return plain data as an SQL string literal of its JSON. The JSON is ASCII, and its quotes are escaped."""
    return "'" + json.dumps(content, allow_nan=False, separators=(",", ":")).replace("'", "\\u0027") + "'"


def has_seen_val(run: str) -> str:
    """Return the condition that heads of a run were trained on val, as ``harness.records.run.splits_in`` reads it.

    Args:
        run: alias of the table ``runs`` in the query.
    """
    return f"regexp_matches(lower({run}.trained_on), {quoted(SEEN_VAL)})"


def without_final(recipe: str) -> str:
    """Return SQL for a recipe without its part that trains on train and val; see :mod:`harness.records.run`.

    Args:
        recipe: expression of a recipe as JSON.
    """
    return f"json_merge_patch({recipe}, CAST({literal({FINAL: None})} AS JSON))"


def listed(ids: Iterable[str]) -> str:
    """Return SQL for a list of ids, for ``IN``. It needs no bound parameter, for which DuckDB would import pandas."""
    return f"(SELECT unnest(from_json_strict({literal(list(ids))}, '[\"VARCHAR\"]')))"


def quoted(text: str) -> str:
    """Return a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
