"""Two runs, or a run and a published number, side by side: what differs between them, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.board.entries import MARKS, View, published_entries
from harness.board.rankings import beside_published, rankings, same_labels, why_apart
from harness.datasets.identity import PUBLISHED_ON
from harness.metrics.compare import Comparison
from harness.metrics.titles import score_title
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord, differing_settings
from harness.reference.papers import table_rows
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
    """Scored runs of a task, newest first: what they are called in a list, by id."""
    if runs.empty:
        return {}
    own = runs[(runs["task"] == task) & runs["value"].notna()]
    columns = (own[name] for name in ("run_id", "name", "seed", "value", "split", "data_name"))
    return {
        str(run_id): f"{name}{'' if pd.isna(seed) else f', seed {int(seed)}'} · {value:.3f} · {split} · {data} · "
        f"{str(run_id)[-8:]}"
        for run_id, name, seed, value, split, data in zip(*columns, strict=True)
    }


def comparable(runs: pd.DataFrame, run_id: str) -> pd.Series[bool]:
    """Return which runs can be compared with this one in pairs."""
    return same_labels(runs, run_id)


def best_two(runs: pd.DataFrame, task: str) -> tuple[str, str] | None:
    """The best run on the labels of the task's newest one, validation first, and the best of another solution.

    Runs of one solution under other seeds are passed over where there is any other; ``None`` below two runs.
    """
    if runs.empty:
        return None
    own = runs[(runs["task"] == task) & runs["value"].notna() & (runs["status"] == "complete")]
    own = own[own["split"] == "val"] if (own["split"] == "val").any() else own
    if len(own):  # they come newest first
        own = own[comparable(own, own["run_id"].iloc[0])].sort_values(["value", "run_id"], ascending=[False, True])
    if len(own) < 2:
        return None
    best, rest = own.iloc[0], own.iloc[1:]
    different = rest[rest["name"] != best["name"]]
    second = (different if len(different) else rest).iloc[0]
    return str(best["run_id"]), str(second["run_id"])


def printed_numbers(published: pd.DataFrame, task: Task, split: str) -> dict[str, Printed]:
    """Published numbers of a task and split, by key: the board's entries, then the own rows of the papers' tables."""
    on, found = PUBLISHED_ON[task.name], {}
    entries = published_entries(published, View(task, split, on))
    for row in entries.to_dict("records"):
        source = f"{MARKS[row['kind']][2:]}, edition {row['edition']:.0f}, evidence: {row['evidence']}. {row['source']}"
        found[row["key"]] = Printed(row["key"], row["label"], task, split, float(row["score"]), on, source)
    for line in table_rows():
        if (line.task, line.split) == (task.name, split) and line.own and line.headline is not None:
            source = "; ".join([f"{line.row.paper}, table {line.row.table}, as printed", *line.notes])
            targets = {key: value for key, value in line.values.items() if key[1] in task.targets}
            name = f"{line.system} ({line.row.paper}, table {line.row.table})"
            found[str(line.row)] = Printed(str(line.row), name, task, split, line.headline, on, source, targets)
    return found


def printed_side(published: pd.DataFrame, key: str) -> Printed | None:
    """The published number of that key, whichever task and split it is of."""
    for task in TASKS.values():
        for split in ("val", "test"):
            found = printed_numbers(published, task, split).get(key)
            if found is not None:
                return found
    return None


@dataclass(frozen=True)
class Setting:
    """A setting in which two runs differ; texts, ``–`` where a run has no such setting."""

    kind: str
    name: str
    a: str
    b: str


def settings_that_differ(a: RunRecord, b: RunRecord) -> list[Setting]:
    """Everything that decides the result and differs, lists of parts taken apart; the machine's come last."""
    found = []
    for name, of_a, of_b in differing_settings(a, b):
        if name in _ONCE_MORE:
            continue
        kind = "run" if name in _ALONE else _KINDS.get(name.split(".", 1)[0], MACHINE)
        if name.startswith("choices.") and _BY_FOLD_PARTS & set(name.split(".")):
            kind = BY_FOLD
        for part, one, other in _taken_apart(name, of_a, of_b):
            shown = part.removeprefix("recipe.").removeprefix("choices.")  # the kind says so
            found.append(Setting(kind, shown, short_text(one), short_text(other)))
    order = ["run", *dict.fromkeys(_KINDS.values()), BY_FOLD, MACHINE]
    return sorted(found, key=lambda setting: order.index(setting.kind))


def _taken_apart(name: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs inside of lists and mappings; a missing part is ``None``."""
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
    """A row a score, the official one first.

    Returns:
        ``score, a, b, difference, low, high`` and ``clear``, whether the interval leaves out 0.
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
    """A row a video, what moves the difference most first: ``video, frames, a, b, moves``."""
    rows = [(mover.video, mover.frames, mover.a, mover.b, mover.moves) for mover in comparison.movers]
    return pd.DataFrame(rows, columns=["video", "frames", "a", "b", "moves"])


@dataclass(frozen=True)
class Beyond:
    """What can be said where one of two is a published number.

    Attributes:
        rows: ``score, a, b, difference``; the difference is NaN where the two are not comparable.
        objection: why they are not; empty if they are, as far as is known.
    """

    rows: pd.DataFrame
    objection: str


def beyond_runs(a: Side, b: Side, runs: pd.DataFrame | None = None) -> Beyond:
    """A run, or a published number, beside a published number: values, and differences where they are allowed.

    Args:
        runs: of :meth:`Store.runs`: they tell whether the labels of the run may be those of the published number;
            without them, the name of the data set alone decides.
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
    """Scores by metric and target; the official one also as tuned on val, which is what papers print."""
    if isinstance(side, Printed):
        return {(side.task.metric, "all"): side.score, **side.targets}
    record = side.record
    found = {(r["metric"], r["target"]): float(r["value"]) for r in record.scores if r["estimate"] == HEADLINE}
    tuned = record.score(TUNED_ON_ALL, TASKS[record.task].metric) if record.task in TASKS else None
    return found | ({(_TUNED, "all"): float(tuned["value"])} if tuned else {})


def _value(values: Mapping[tuple[str, str], float], key: tuple[str, str], task: Task) -> float | None:
    # a published score was tuned on the videos it reports, as a rule
    return values.get(key, values.get((task.metric, "all")) if key[0] == _TUNED else None)


def _title(key: tuple[str, str], task: Task) -> str:
    return f"{score_title(task.metric)}, tuned on val" if key[0] == _TUNED else score_title(*key)


def _objection(a: Side, b: Side) -> str:
    """Why a difference would mean nothing; empty if it does not."""
    (task_a, split_a, on_a), (task_b, split_b, on_b) = _about(a), _about(b)
    for what, of_a, of_b in (("tasks", task_a, task_b), ("splits", split_a, split_b), ("data", on_a, on_b)):
        if of_a != of_b:
            return f"They are on different {what}: A on {of_a}, B on {of_b}. No difference is formed."
    return ""


def _objection_to_labels(side: Side, runs: pd.DataFrame) -> str:
    """Return why a run on data of the official name may be on other labels than published numbers; else empty."""
    task, split, on = _about(side)
    found = [] if isinstance(side, Printed) else rankings(runs, task, split, on)
    joined = beside_published(found)
    if not found or (joined is not None and side.key in joined.run_ids):
        return ""
    return f"{why_apart(found, on)} No difference is formed."


def _about(side: Side) -> tuple[str, str, str]:
    if isinstance(side, Printed):
        return side.task.name, side.split, side.on
    return side.record.task, side.record.split, str(side.record.data.get("name", ""))
