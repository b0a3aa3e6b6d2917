"""Two runs, or a run and a published number, side by side: what differs between them, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.board.entries import MARKS, View, published_entries
from harness.board.rankings import beside_published, comparable, rankings_in, why_apart
from harness.datasets.identity import PUBLISHED_ON
from harness.metrics.compare import Comparison
from harness.metrics.titles import score_title
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord, differing_settings
from harness.reference.papers import table_rows
from harness.store.store import TableRows
from harness.system.counts import with_seed
from harness.tables.table import short_text
from harness.tasks import TASKS, Task

# first part of a setting's name: how it is called on the screen
_KINDS = {"recipe": "recipe", "options": "recipe", "data": "data", "choices": "chosen on labels"}
_ALONE = ("name", "seed", "trained_on", "tuned_on")
# what the run's own settings say, too
_ONCE_MORE = ("recipe.name", "choices.tuned_on")
BY_FOLD, MACHINE = "chosen by fold", "code and machine"
_BY_FOLD_PARTS = {"per_fold", "folds"}


@dataclass(frozen=True)
class Printed:
    """A published number.

    Attributes:
        key: as in an address: that of the board's entry, or the paper's row, ``abaw10:table1:emotieffnet``.
        targets: by metric and class, or dimension, where they are printed.
        on: the data set.
        source: where it stands, and what is to be known of it.
    """

    key: str
    name: str
    task: Task
    split: str
    score: float
    on: str
    source: str
    targets: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """A run with all that its record says."""

    record: RunRecord
    folder: Path

    @property
    def key(self) -> str:
        """The run's id."""
        return self.record.run_id


Side = Ran | Printed


def run_choices(runs: pd.DataFrame, task: str) -> dict[str, str]:
    """Return texts for a list of the scored runs of a task, by run id, newest first."""
    if runs.empty:
        return {}
    scored_runs = runs[(runs["task"] == task) & runs["value"].notna()]
    columns = (scored_runs[name] for name in ("run_id", "name", "seed", "value", "split", "data_name"))
    return {
        str(run_id): f"{with_seed(name, None if pd.isna(seed) else int(seed))} · {value:.3f} · {split} · {data} · "
        f"{str(run_id)[-8:]}"
        for run_id, name, seed, value, split, data in zip(*columns, strict=True)
    }


def best_two(runs: pd.DataFrame, task: str) -> tuple[str, str] | None:
    """Return ids of the best run and of the best run of another solution, on the labels of the task's newest run.

    Runs on val go before those on test. If all runs are of one solution, the second best run is returned. ``None`` is
    for fewer than two runs.
    """
    if runs.empty:
        return None
    candidates = runs[(runs["task"] == task) & runs["value"].notna() & (runs["status"] == "complete")]
    candidates = candidates[candidates["split"] == "val"] if (candidates["split"] == "val").any() else candidates
    if len(candidates):  # they come newest first
        candidates = candidates[comparable(candidates, candidates["run_id"].iloc[0])].sort_values(
            ["value", "run_id"], ascending=[False, True]
        )
    if len(candidates) < 2:
        return None
    best, rest = candidates.iloc[0], candidates.iloc[1:]
    different = rest[rest["name"] != best["name"]]
    second = (different if len(different) else rest).iloc[0]
    return str(best["run_id"]), str(second["run_id"])


def printed_numbers(published: TableRows, task: Task, split: str) -> dict[str, Printed]:
    """Return published numbers of a task and split by key: the board's entries, then the papers' own systems."""
    on, numbers = PUBLISHED_ON[task.name], {}
    for entry in published_entries(published, View(task, split, on)):
        source = f"{MARKS[entry.kind][2:]}, edition {entry.edition}, evidence: {entry.evidence}. {entry.source}"
        numbers[entry.key] = Printed(entry.key, entry.label, task, split, entry.score or 0.0, on, source)
    for line in table_rows():
        if (line.task, line.split) == (task.name, split) and line.is_own and line.headline is not None:
            source = "; ".join([f"{line.row.paper}, table {line.row.table}, as printed", *line.notes])
            targets = {key: value for key, value in line.values.items() if key[1] in task.targets}
            name = f"{line.system} ({line.row.paper}, table {line.row.table})"
            numbers[str(line.row)] = Printed(str(line.row), name, task, split, line.headline, on, source, targets)
    return numbers


def printed_side(published: TableRows, key: str) -> Printed | None:
    """Return the published number of a key, of any task and split; ``None`` for an unknown key."""
    for task in TASKS.values():
        for split in ("val", "test"):
            number = printed_numbers(published, task, split).get(key)
            if number is not None:
                return number
    return None


@dataclass(frozen=True)
class Setting:
    """A setting in which two runs differ, as texts; a missing setting is ``–``."""

    kind: str
    name: str
    a: str
    b: str


def settings_that_differ(a: RunRecord, b: RunRecord) -> list[Setting]:
    """Return the settings that decide the result and differ, part by part for lists; those of the machine come last."""
    settings = []
    for name, of_a, of_b in differing_settings(a, b):
        if name in _ONCE_MORE:
            continue
        kind = "run" if name in _ALONE else _KINDS.get(name.split(".", 1)[0], MACHINE)
        if name.startswith("choices.") and _BY_FOLD_PARTS & set(name.split(".")):
            kind = BY_FOLD
        for part, one, other in _taken_apart(name, of_a, of_b):
            shown = part.removeprefix("recipe.").removeprefix("choices.")  # the kind names it
            settings.append(Setting(kind, shown, short_text(one), short_text(other)))
    order = ["run", *dict.fromkeys(_KINDS.values()), BY_FOLD, MACHINE]
    return sorted(settings, key=lambda setting: order.index(setting.kind))


def _taken_apart(name: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield name and both values of each differing part of lists and mappings; a missing part is ``None``."""
    if isinstance(a, Mapping | None) and isinstance(b, Mapping | None) and (a or b):
        one, other = dict(a or {}), dict(b or {})
        for key in dict.fromkeys([*one, *other]):
            yield from _taken_apart(f"{name}.{key}", one.get(key), other.get(key))
    elif _are_parts(a) and _are_parts(b) and (a or b):
        for k in range(max(len(a or ()), len(b or ()))):
            parts = [side[k] if side and k < len(side) else None for side in (a, b)]
            yield from _taken_apart(f"{name}.{k + 1}", parts[0], parts[1])
    elif a != b:
        yield name, a, b


def _are_parts(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value))


def score_rows(comparison: Comparison) -> pd.DataFrame:
    """Return one row per score, the official one first.

    Returns:
        Columns ``score, a, b, difference, low, high`` and ``clear``, True for an interval that excludes 0.
    """
    rows = pd.DataFrame(
        [
            (score_title(row.metric, row.target), row.a, row.b, row.difference, row.low, row.high)
            for row in comparison.differences
        ],
        columns=["score", "a", "b", "difference", "low", "high"],
    ).astype({"low": float, "high": float})
    return rows.assign(clear=(rows["low"] > 0) | (rows["high"] < 0))


def mover_rows(comparison: Comparison) -> pd.DataFrame:
    """Return one row per video, the largest effect on the difference first: ``video, frames, a, b, moves``."""
    rows = [(mover.video, mover.frames, mover.a, mover.b, mover.moves) for mover in comparison.movers]
    return pd.DataFrame(rows, columns=["video", "frames", "a", "b", "moves"])


@dataclass(frozen=True)
class Beyond:
    """A comparison in which at least one side is a published number.

    Attributes:
        rows: columns ``score, a, b, difference``; the difference is NaN if the sides are incomparable.
        objection: reason why the sides are incomparable; empty without a known reason.
    """

    rows: pd.DataFrame
    objection: str


def beyond_runs(a: Side, b: Side, runs: pd.DataFrame | None = None) -> Beyond:
    """Compare a run, or a published number, with a published number: values, and differences as far as allowed.

    Args:
        a: first side.
        b: second side; at least one of the sides is a published number.
        runs: rows of :meth:`Store.runs`, which show if the run's labels may be those of the published number; by
            default, the name of the data set alone decides.
    """
    rows = []
    of_a, of_b = _values(a), _values(b)
    objection = _objection(a, b)
    for side in (a, b):
        objection = objection or ("" if runs is None else _objection_to_labels(side, runs))
    task = (b if isinstance(b, Printed) else a).task  # type: ignore[union-attr]
    for key in of_a | of_b:
        one, other = _value(of_a, key, task), _value(of_b, key, task)
        if one is not None and other is not None:
            difference = float("nan") if objection else one - other
            rows.append((_title(key, task), one, other, difference))
    return Beyond(pd.DataFrame(rows, columns=["score", "a", "b", "difference"]), objection)


_TUNED = "tuned"


def _values(side: Side) -> dict[tuple[str, str], float]:
    """Return scores by metric and target, and the official score tuned on val, as papers print it."""
    if isinstance(side, Printed):
        return {(side.task.metric, "all"): side.score, **side.targets}
    record = side.record
    scores = {(r["metric"], r["target"]): float(r["value"]) for r in record.scores if r["estimate"] == HEADLINE}
    tuned = record.score(TUNED_ON_ALL, TASKS[record.task].metric) if record.task in TASKS else None
    return scores | ({(_TUNED, "all"): float(tuned["value"])} if tuned else {})


def _value(values: Mapping[tuple[str, str], float], key: tuple[str, str], task: Task) -> float | None:
    # a published score is usually tuned on the videos that it reports
    return values.get(key, values.get((task.metric, "all")) if key[0] == _TUNED else None)


def _title(key: tuple[str, str], task: Task) -> str:
    return f"{score_title(task.metric)}, tuned on val" if key[0] == _TUNED else score_title(*key)


def _objection(a: Side, b: Side) -> str:
    """Return the reason why a difference of two sides is meaningless; empty for comparable sides."""
    (task_a, split_a, on_a), (task_b, split_b, on_b) = _about(a), _about(b)
    for what, of_a, of_b in (("tasks", task_a, task_b), ("splits", split_a, split_b), ("data", on_a, on_b)):
        if of_a != of_b:
            return f"They are on different {what}: A on {of_a}, B on {of_b}. No difference is formed."
    return ""


def _objection_to_labels(side: Side, runs: pd.DataFrame) -> str:
    """Return the reason to doubt that a run is on the labels of published numbers; empty without a reason."""
    task, split, on = _about(side)
    rankings_of_data = [] if isinstance(side, Printed) else rankings_in(runs, task, split, on)
    joined = beside_published(rankings_of_data)
    if not rankings_of_data or (joined is not None and side.key in joined.run_ids):
        return ""
    return f"{why_apart(rankings_of_data, on)} No difference is formed."


def _about(side: Side) -> tuple[str, str, str]:
    if isinstance(side, Printed):
        return side.task.name, side.split, side.on
    return side.record.task, side.record.split, str(side.record.data.get("name", ""))
