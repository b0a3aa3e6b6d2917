"""What was sent to the organisers, and what validation had said of it; one row each, and the slots that are left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.slots import EDITIONS, SLOTS, Sent, edition_of, of_slot
from harness.store.store import Store
from harness.tasks import TASKS

COLUMNS = (
    "number", "task", "edition", "slot", "time", "name", "seed", "val", "low", "high", "test", "shift", "beside",
    "earlier", "note", "problems", "file", "sha256", "run_id", "val_run_id",
)  # fmt: skip


@dataclass(frozen=True)
class SlotCount:
    """How many slots of a task of an edition are used; ``best``: the highest score that came back."""

    task: str
    edition: int
    sent: int
    slots: int
    best: float | None

    @property
    def left(self) -> int:
        """Slots that are left."""
        return max(self.slots - self.sent, 0)


def slot_counts(
    sent: Sequence[Sent], *, task: str | None = None, edition: int | None = None, slots: int = SLOTS
) -> list[SlotCount]:
    """Slots of every task of the latest edition, and of all that anything was sent for, as far as they were asked for.

    Args:
        task, edition: of one only.
        slots: that an edition gives a task.
    """
    used = [(entry.task, entry.edition) for entry in sent]
    latest = [(name, edition_of(name) if edition is None else edition) for name in TASKS]
    held = [key for key in latest if key[1] in EDITIONS.get(key[0], (key[1],))]
    keys = dict.fromkeys([*held, *used])
    found = []
    for name, number in sorted(keys, key=lambda key: -key[1]):
        if task in (None, name) and edition in (None, number):
            of_key = of_slot(sent, name, number)
            scores = [entry.score for entry in of_key if entry.score is not None]
            found.append(SlotCount(name, number, len(of_key), slots, max(scores, default=None)))
    return found


def sent_entries(sent: Sequence[Sent], runs: pd.DataFrame, promised: pd.DataFrame, slots: int = SLOTS) -> pd.DataFrame:
    """A row for each submission, newest first.

    Args:
        sent: of one ledger, all of it.
        runs: of :meth:`Store.runs`; empty where the store can't be read.
        promised: of :func:`promised_by`.

    Returns:
        :data:`COLUMNS`: ``val`` with its interval is what the same solution, recipe and seed scores on validation,
        ``test`` what came back, ``shift`` test minus val, ``beside`` where test lies beside val's interval; ``earlier``
        holds scores that were noted before and count no more.
    """
    val_of = {} if promised.empty else dict(zip(promised["sent"], promised["val"], strict=True))
    wanted = {*run_ids_of(sent), *val_of.values()}
    known = {} if runs.empty else runs[runs["run_id"].isin(wanted)].set_index("run_id").to_dict("index")
    rows = []
    for entry in reversed(sent):
        run = known.get(entry.run_id or "", {})
        val_id = val_of.get(entry.run_id)
        val = known.get(val_id or "", {})
        place = of_slot(sent, entry.task, entry.edition).index(entry) + 1
        rows.append(
            {
                "number": entry.number,
                "task": entry.task,
                "edition": entry.edition,
                "slot": f"{place} of {slots}",
                "time": entry.time[:16].replace("T", " "),
                "name": run.get("name"),
                "seed": run.get("seed"),
                "val": val.get("value"),
                "low": val.get("low"),
                "high": val.get("high"),
                "test": entry.score,
                "earlier": ", ".join(f"{result['value']:.4f}" for result in entry.results[:-1]),
                "note": entry.note,
                "problems": "; ".join(entry.problems),
                "file": entry.file,
                "sha256": entry.sha256,
                "run_id": entry.run_id,
                "val_run_id": val_id if val else None,
            }
        )
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["seed", "val", "low", "high", "test"]
    found[numbers] = found[numbers].astype(float)
    found["shift"] = found["test"] - found["val"]
    for column in ("name", "run_id", "val_run_id"):  # not NaN, which would pass for a name
        found[column] = pd.Series([row[column] for row in rows], dtype=object)
    ends = zip(found["test"], found["low"], found["high"], strict=True)
    found["beside"] = pd.Series([_beside(*row) for row in ends], dtype=object)
    return found


def read_entries(store: Store | None, sent: Sequence[Sent], slots: int = SLOTS) -> pd.DataFrame:
    """Return :func:`sent_entries` with the validation scores of a store; without a store, these are empty.

    Raises:
        StoreError: the store can't be read.
    """
    runs = store.runs(hidden=True) if store else pd.DataFrame()
    promised = promised_by(store, run_ids_of(sent)) if store and len(runs) else pd.DataFrame()
    return sent_entries(sent, runs, promised, slots)


def _beside(test: float, low: float, high: float) -> str | None:
    if math.isnan(test) or math.isnan(low):
        return None
    return "below" if test < low else "above" if test > high else "inside"


def promised_by(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """The validation run behind each run on test: the newest scored one of the same solution, recipe and seed.

    Both learned from the same labels. Runs of earlier versions do not say from which: there both data sets have one
    name.

    Returns:
        Ids: columns ``sent`` and ``val``. Runs without one are left out.

    Raises:
        StoreError: the store can't be read.
    """
    found = store.query(
        """
        SELECT t.run_id AS sent, v.run_id AS val
        FROM runs t
        JOIN runs v ON v.task = t.task AND v.name = t.name AND v.seed IS NOT DISTINCT FROM t.seed
             AND json_extract(v.record, '$.recipe') = json_extract(t.record, '$.recipe')
             AND coalesce(
                 json_extract_string(v.record, '$.data.learned_from')
                     = json_extract_string(t.record, '$.data.learned_from'),
                 v.data_name = t.data_name
             )
        JOIN scores s ON s.run_id = v.run_id AND s.estimate = 'headline' AND s.target = 'all'
        WHERE t.run_id IN (SELECT unnest(?::VARCHAR[])) AND t.split = 'test' AND v.split = 'val'
              AND v.status = 'complete'
        QUALIFY row_number() OVER (PARTITION BY t.run_id ORDER BY v.created DESC, v.run_id) = 1
        """,
        [list(run_ids)],
    )
    return found if len(found) else pd.DataFrame(columns=["sent", "val"])


def of_view(entries: pd.DataFrame, task: str | None, edition: int | None) -> pd.DataFrame:
    """Entries of one task, of one edition, or of all."""
    keep = pd.Series(True, index=entries.index)
    for column, value in {"task": task, "edition": edition}.items():
        if value is not None:
            keep &= entries[column] == value
    return entries[keep].reset_index(drop=True)


def run_ids_of(sent: Sequence[Sent]) -> list[str]:
    """Ids of the runs that were sent, each once, as far as they are known."""
    return list(dict.fromkeys(entry.run_id for entry in sent if entry.run_id))
