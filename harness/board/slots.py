"""Submissions sent to the organisers, one row each, with their scores on val and test; and the slots that are left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.slots import EDITIONS, SLOTS, Sent, edition_of, of_slot
from harness.store.sql import has_seen_val, listed, without_final
from harness.store.store import Store
from harness.tables.table import records
from harness.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "number", "task", "edition", "slot", "time", "name", "seed", "trained_on", "val", "low", "high", "test", "shift",
    "beside", "earlier", "note", "problems", "file", "sha256", "run_id", "val_run_id",
)  # fmt: skip


@dataclass(frozen=True)
class SlotCount:
    """The used slots of a task of an edition.

    Attributes:
        task: name of the task.
        edition: number of the edition.
        sent: number of submissions.
        slots: number of slots.
        best: highest score that came back; ``None`` before the first.
    """

    task: str
    edition: int
    sent: int
    slots: int
    best: float | None

    @property
    def left(self) -> int:
        """Number of slots that are left."""
        return max(self.slots - self.sent, 0)


def slot_counts(
    sent: Sequence[Sent], *, task: str | None = None, edition: int | None = None, slots: int = SLOTS
) -> list[SlotCount]:
    """Return the used slots of every task's latest edition, and of all tasks and editions with a submission.

    Args:
        sent: submissions in the ledger.
        task: name of a task, to return its slots only.
        edition: number of an edition, to return its slots only.
        slots: number of slots per task and edition.
    """
    used = [(entry.task, entry.edition) for entry in sent]
    latest = [(name, edition_of(name) if edition is None else edition) for name in TASKS]
    held = [key for key in latest if key[1] in EDITIONS.get(key[0], (key[1],))]
    keys = dict.fromkeys([*held, *used])
    counts = []
    for name, number in sorted(keys, key=lambda key: -key[1]):
        if task in (None, name) and edition in (None, number):
            of_key = of_slot(sent, name, number)
            scores = [entry.score for entry in of_key if entry.score is not None]
            counts.append(SlotCount(name, number, len(of_key), slots, max(scores, default=None)))
    return counts


def sent_entries(sent: Sequence[Sent], runs: pd.DataFrame, promised: pd.DataFrame, slots: int = SLOTS) -> pd.DataFrame:
    """Return :func:`sent_rows` as a data frame.

    Args:
        sent: all submissions in the ledger.
        runs: rows of :meth:`Store.runs`; empty if the store can't be read.
        promised: rows of :func:`promised_by`.
        slots: number of slots per task and edition.
    """
    import pandas as pd

    val_of = {} if promised.empty else dict(zip(promised["sent"], promised["val"], strict=True))
    wanted_ids = {*run_ids_of(sent), *val_of.values()}
    of_ids = runs if runs.empty else runs[runs["run_id"].isin(wanted_ids)]
    known = {str(row["run_id"]): row for row in records(of_ids)}
    rows = sent_rows(sent, known, val_of, slots)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["seed", "val", "low", "high", "test", "shift"]
    table[numbers] = table[numbers].astype(float)
    for column in ("name", "trained_on", "run_id", "val_run_id", "beside"):  # not NaN, which would pass for a name
        table[column] = pd.Series([row[column] for row in rows], dtype=object)
    return table


def sent_rows(
    sent: Sequence[Sent], runs: Mapping[str, Mapping[str, Any]], val_of: Mapping[str, str], slots: int = SLOTS
) -> list[dict[str, Any]]:
    """Return a row for each submission, newest first.

    Args:
        sent: of one ledger, all of it.
        runs: ``name``, ``seed``, ``value``, ``low`` and ``high`` by run id, as far as they are known.
        val_of: run on validation of a run that was sent, see :func:`promised_by`.
        slots: that an edition gives a task.

    Returns:
        :data:`COLUMNS`: ``val`` with its interval is what the same solution, recipe and seed scores on validation with
        heads trained on train alone, whatever ``trained_on`` says of those that were sent,
        ``test`` what came back, ``shift`` test minus val, ``beside`` where test lies beside val's interval; ``earlier``
        holds scores that were noted before and count no more.
    """
    rows = []
    for entry in reversed(sent):
        run = runs.get(entry.run_id or "", {})
        val_id = val_of.get(entry.run_id or "")
        val = runs.get(val_id or "", {})
        place = of_slot(sent, entry.task, entry.edition).index(entry) + 1
        low, high, expected = (_number(val.get(key)) for key in ("low", "high", "value"))
        test = _number(entry.score)
        rows.append(
            {
                "number": entry.number,
                "task": entry.task,
                "edition": entry.edition,
                "slot": f"{place} of {slots}",
                "time": entry.time[:16].replace("T", " "),
                "name": run.get("name"),
                "seed": run.get("seed"),
                "trained_on": run.get("trained_on"),
                "val": expected,
                "low": low,
                "high": high,
                "test": test,
                "shift": test - expected,
                "beside": _beside(test, low, high),
                "earlier": ", ".join(f"{result['value']:.4f}" for result in entry.results[:-1]),
                "note": entry.note,
                "problems": "; ".join(entry.problems),
                "file": entry.file,
                "sha256": entry.sha256,
                "run_id": entry.run_id,
                "val_run_id": val_id if val else None,
            }
        )
    return rows


def _number(value: Any) -> float:
    """Return a number; NaN for none."""
    return math.nan if value is None else float(value)


def read_rows(store: Store | None, sent: Sequence[Sent], slots: int = SLOTS) -> list[dict[str, Any]]:
    """Return :func:`sent_rows` with the validation scores of a store; without a store, these are empty.

    Pandas, which takes half a second to load, has no part in it.

    Raises:
        StoreError: the store can't be read.
    """
    ids = run_ids_of(sent)
    if store is None or not ids:
        return sent_rows(sent, {}, {}, slots)
    with store.reading() as db:
        if db is None:
            return sent_rows(sent, {}, {}, slots)
        val_of = dict(db.execute(_promised_sql(ids)).fetchall())
        chosen = listed([*ids, *val_of.values()])
        rows = db.execute(
            f"""
            SELECT r.run_id, r.name, r.seed, r.trained_on, h.value, h.low, h.high
            FROM runs r
            LEFT JOIN scores c ON c.run_id = r.run_id AND c.estimate = 'constant' AND c.target = 'all'
            LEFT JOIN scores h ON h.run_id = r.run_id AND h.estimate = 'headline' AND h.target = 'all'
                 AND h.metric = c.metric
            WHERE r.run_id IN {chosen}
            """  # noqa: S608 - a literal that no text can end
        ).fetchall()
    names = ("name", "seed", "trained_on", "value", "low", "high")
    return sent_rows(sent, {run_id: dict(zip(names, row, strict=True)) for run_id, *row in rows}, val_of, slots)


def _beside(test: float, low: float, high: float) -> str | None:
    if math.isnan(test) or math.isnan(low):
        return None
    return "below" if test < low else "above" if test > high else "inside"


def promised_by(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the run on val behind each run on test: the newest scored one of the same solution, recipe and seed.

    Its heads were trained on train alone, even if those of the run on test have seen val. Both runs learned from the
    same labels. Runs of earlier versions lack the labels' hash: for these, the data sets have the same name.

    Returns:
        Ids of runs in columns ``sent`` and ``val``; runs on test without a run on val are left out.

    Raises:
        StoreError: the store can't be read.
    """
    import pandas as pd

    pairs = store.query(_promised_sql(run_ids))
    return pairs if len(pairs) else pd.DataFrame(columns=["sent", "val"])


_PROMISED = """
    SELECT t.run_id AS sent, v.run_id AS val
    FROM runs t
    JOIN runs v ON v.task = t.task AND v.name = t.name AND v.seed IS NOT DISTINCT FROM t.seed
         AND {of_val} = {of_test}
         AND NOT {seen}
         AND coalesce(
             json_extract_string(v.record, '$.data.learned_from')
                 = json_extract_string(t.record, '$.data.learned_from'),
             v.data_name = t.data_name
         )
    JOIN scores s ON s.run_id = v.run_id AND s.estimate = 'headline' AND s.target = 'all'
    WHERE t.run_id IN {ids} AND t.split = 'test' AND v.split = 'val' AND v.status = 'complete'
    QUALIFY row_number() OVER (PARTITION BY t.run_id ORDER BY v.created DESC, v.run_id) = 1
"""


def _promised_sql(ids: Sequence[str]) -> str:
    of_val, of_test = (without_final(f"json_extract({run}.record, '$.recipe')") for run in "vt")
    return _PROMISED.format(ids=listed(ids), of_val=of_val, of_test=of_test, seen=has_seen_val("v"))


def rows_of_view(rows: Sequence[dict[str, Any]], task: str | None, edition: int | None) -> list[dict[str, Any]]:
    """Return rows of one task, of one edition, or of all."""
    return [row for row in rows if task in (None, row["task"]) and edition in (None, row["edition"])]


def of_view(entries: pd.DataFrame, task: str | None, edition: int | None) -> pd.DataFrame:
    """Entries of one task, of one edition, or of all."""
    import pandas as pd

    keep = pd.Series(True, index=entries.index)
    for column, value in {"task": task, "edition": edition}.items():
        if value is not None:
            keep &= entries[column] == value
    return entries[keep].reset_index(drop=True)


def run_ids_of(sent: Sequence[Sent]) -> list[str]:
    """Ids of the runs that were sent, each once, as far as they are known."""
    return list(dict.fromkeys(entry.run_id for entry in sent if entry.run_id))
