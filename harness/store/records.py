"""A run's whole record as the store holds it: its folder need not be there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.store.store import Store


def stored_record(store: Store, run_id: str) -> tuple[RunRecord, Path] | None:
    """The record with its statistics, and the run's folder; ``None`` if the store has no such run.

    Raises:
        StoreError: the store can't be read.
    """
    with store.at_once() as held:
        found = held.query("SELECT record, folder FROM runs WHERE run_id = ?", [run_id])
        if found.empty:
            return None
        statistics = {name: held.statistics(run_id, name) for name in (HEADLINE, TUNED_ON_ALL)}
    content: dict[str, Any] = json.loads(found["record"].iloc[0])
    known = {field.name for field in dataclasses.fields(RunRecord)} - {"statistics"}
    record = RunRecord(
        **{key: value for key, value in content.items() if key in known},
        statistics={name: videos for name, videos in statistics.items() if videos},
    )
    return record, Path(found["folder"].iloc[0])
