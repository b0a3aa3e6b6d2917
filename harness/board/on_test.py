"""How far each run is on the way to a submission: no file for test yet, made, sent, or scored by the organisers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.slots import Sent, of_slot
from harness.store.sql import has_seen_val, without_final
from harness.store.store import Store

NONE, MADE, SENT, SCORED = range(4)
"""Steps of the way, in order."""


@dataclass(frozen=True)
class OnTest:
    """State of the test file of a run.

    Attributes:
        step: :data:`NONE`, :data:`MADE`, :data:`SENT` or :data:`SCORED`.
        run_id: of the run on test; empty where there is none.
        slot: place of the submission among those of its task and edition, from 1; 0 where it was not sent.
        number: of the submission in the ledger; 0 where it was not sent.
        score: the official one; ``None`` where none came back.
        edition: of the competition, where the ledger has submissions of the task to several; else 0.
    """

    step: int = NONE
    run_id: str = ""
    slot: int = 0
    number: int = 0
    score: float | None = None
    edition: int = 0

    @property
    def words(self) -> str:
        """State in words: ``none``, ``made``, ``sent as slot 2``, or ``0.386 (slot 2)``.

        >>> OnTest(SCORED, "x-test-s0-1a2b3c4d", slot=2, number=7, score=0.386).words
        '0.386 (slot 2)'
        """
        slot = f"slot {self.slot}" + (f" of edition {self.edition}" if self.edition else "")
        if self.step == SCORED and self.score is not None:
            return f"{self.score:.3f} ({slot})"
        return {NONE: "none", MADE: "made"}.get(self.step, f"sent as {slot}")


def states_on_test(store: Store, sent: Sequence[Sent]) -> dict[str, OnTest]:
    """Return the state of each run that has a run on test, and of each run on test itself, by id.

    A run on test belongs to a run on validation of the same solution, recipe and seed that learned from the same
    labels, as :func:`harness.board.slots.promised_by` has it the other way round; of several the one that is furthest,
    then the newest.

    Args:
        store: that holds the runs.
        sent: of the ledger.

    Raises:
        StoreError: the store can't be read.
    """
    pairs = store.rows(
        f"""
        WITH of_test AS (
            SELECT run_id, task, name, seed, data_name, created,
                   json_extract(record, ['$.recipe', '$.data.learned_from']) AS parts
            FROM runs WHERE split = 'test' AND status = 'complete'
        ), of_val AS (
            SELECT run_id, task, name, seed, data_name,
                   json_extract(record, ['$.recipe', '$.data.learned_from']) AS parts
            FROM runs r
            WHERE split = 'val' AND (task, name) IN (SELECT (task, name) FROM of_test) AND NOT {has_seen_val("r")}
        )
        SELECT t.run_id AS test, v.run_id AS val
        FROM of_test t
        LEFT JOIN of_val v ON v.task = t.task AND v.name = t.name AND v.seed IS NOT DISTINCT FROM t.seed
             AND {without_final("v.parts[1]")} = {without_final("t.parts[1]")}
             AND coalesce(v.parts[2] = t.parts[2], v.data_name = t.data_name)
        ORDER BY t.created, t.run_id
        """  # noqa: S608 - conditions that no text of others is part of
    )
    states: dict[str, OnTest] = {}
    by_run = {entry.run_id: _state_of(entry, sent) for entry in sent if entry.run_id}
    for pair in pairs:
        test, val = pair["test"], pair["val"]
        state = by_run.get(test, OnTest(MADE, test))
        states[test] = state
        if val is not None and states.get(val, OnTest()).step <= state.step:
            states[val] = state
    return {**by_run, **states}


def _state_of(entry: Sent, sent: Sequence[Sent]) -> OnTest:
    slot = of_slot(sent, entry.task, entry.edition).index(entry) + 1
    step = SENT if entry.score is None else SCORED
    editions = {other.edition for other in sent if other.task == entry.task}
    edition = entry.edition if len(editions) > 1 else 0
    return OnTest(step, entry.run_id or "", slot, entry.number, entry.score, edition)


def state_of_entry(members: Iterable[str], states: Mapping[str, OnTest]) -> OnTest:
    """Return the state of an entry of a board: that of its run that is furthest.

    Args:
        members: ids of its runs.
        states: of :func:`states_on_test`.
    """
    return max((states.get(run_id, OnTest()) for run_id in members), key=lambda state: state.step, default=OnTest())
