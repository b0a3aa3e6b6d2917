"""The best score of each solution on validation, on the labels of its task's newest run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.datasets.identity import is_synthetic
from harness.store.sql import has_seen_val
from harness.store.store import Store


@dataclass(frozen=True)
class OwnBest:
    """The best run of a solution.

    Attributes:
        score: headline, cross-fitted.
        data_name: the data set; that of the newest scored run of the task on validation.
        labels: hash of its labels.
    """

    score: float
    run_id: str
    data_name: str
    labels: str

    @property
    def drawn(self) -> bool:
        """True where a program drew the data: the score says nothing of real data."""
        return is_synthetic(self.data_name)


def own_best(store: Store) -> dict[str, OwnBest]:
    """Return the best run on validation of each solution, by name; of each task on one version of the labels.

    Hidden runs, and those whose heads have seen val, are left out, as every board leaves them out.

    Raises:
        StoreError: the store can't be read.
    """
    with store.reading() as db:
        if db is None:
            return {}
        rows = db.execute(
            f"""
            SELECT r.task, r.name, r.run_id, r.data_name, r.data_fingerprint, h.value, h.metric_version
            FROM runs r
            JOIN scores c ON c.run_id = r.run_id AND c.estimate = 'constant' AND c.target = 'all'
            JOIN scores h ON h.run_id = r.run_id AND h.estimate = 'headline' AND h.target = 'all'
                 AND h.metric = c.metric
            WHERE r.split = 'val' AND r.status = 'complete' AND NOT {has_seen_val("r")}
                 AND NOT coalesce(TRY_CAST(json_extract_string(r.record, '$.marks.hidden') AS BOOLEAN), false)
            ORDER BY r.created DESC, r.run_id
            """  # noqa: S608 - a condition that no text of others is part of
        ).fetchall()
    newest: dict[str, tuple[str, str, int]] = {}
    best: dict[str, OwnBest] = {}
    for task, name, run_id, data_name, labels, score, version in rows:
        if newest.setdefault(task, (data_name, labels, version)) != (data_name, labels, version):
            continue
        if name not in best or score > best[name].score:
            best[name] = OwnBest(float(score), run_id, data_name, labels)
    return best
