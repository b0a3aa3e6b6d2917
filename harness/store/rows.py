"""A run's record as rows of the store's tables: every value is checked before the store is opened.

Rows are inserted as one JSON text per table: thirty times as fast as row by row, exact to the last bit of a float, and
without bound parameters, for which DuckDB would import pandas (half a second).
"""

from __future__ import annotations

import base64
import datetime
import getpass
import json
import math
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.errors import DataError, problem
from harness.metrics.interface import Float, Metric
from harness.metrics.interval import bootstrap, units_of
from harness.metrics.metric import metric_for
from harness.records.curves import SWEEP_FILE, read_sweep
from harness.records.document import fault, in_utc
from harness.records.failure import Failure
from harness.records.marks import Marks, read_marks
from harness.records.origin import notes_of
from harness.records.run import HEADLINE, RUN_FILE, RunRecord
from harness.reference.published import PublishedResult
from harness.store.interface import Connection
from harness.store.sql import listed, literal
from harness.tasks import TASKS

Row = dict[str, Any]

TEXT, WHOLE, NUMBER = "VARCHAR", "BIGINT", "DOUBLE"
_PUBLISHED_TYPES = {"edition": WHOLE, "rank": WHOLE, "value": NUMBER}
COLUMNS: dict[str, dict[str, Any]] = {
    "runs": {
        "run_id": TEXT, "created": "TIMESTAMP", "status": TEXT, "task": TEXT, "split": TEXT, "name": TEXT,
        "seed": WHOLE, "encoder": TEXT, "head": TEXT, "postprocess": TEXT, "trained_on": TEXT, "tuned_on": TEXT,
        "data_name": TEXT, "data_fingerprint": TEXT, "videos": WHOLE, "frames": WHOLE, "frames_per_second": NUMBER,
        "seconds": NUMBER, "folder": TEXT, "record": TEXT, "setup": TEXT, "labelled_frames": WHOLE,
    },
    "files": {"run_id": TEXT, "name": TEXT, "sha256": TEXT, "bytes": WHOLE},
    "scores": {
        "run_id": TEXT, "estimate": TEXT, "metric": TEXT, "metric_version": WHOLE, "target": TEXT, "value": NUMBER,
        "low": NUMBER, "high": NUMBER,
    },
    "video_statistics": {"run_id": TEXT, "estimate": TEXT, "video": TEXT, "statistics": [NUMBER]},
    "draws": {"run_id": TEXT, "scores": TEXT},
    "sweep_points": {
        "run_id": TEXT, "axis": TEXT, "value": NUMBER, "metric": TEXT, "score": NUMBER, "low": NUMBER, "high": NUMBER,
    },
    "failures": {
        "failure_id": TEXT, "created": "TIMESTAMP", "task": TEXT, "split": TEXT, "name": TEXT, "seed": WHOLE,
        "data_name": TEXT, "kind": TEXT, "reason": TEXT, "file": TEXT,
    },
    "recordings": {"moment": "TIMESTAMP", "made_by": TEXT, "runs": WHOLE},
    "published": {field.name: _PUBLISHED_TYPES.get(field.name, TEXT) for field in fields(PublishedResult)},
}  # fmt: skip
BYTES = {"draws": " REPLACE (from_base64(scores) AS scores)"}
"""Conversions for tables with columns of bytes, which are base64 in the JSON.

A list of numbers would be simpler, but DuckDB would compress the whole column again at every commit.
"""

DRAWN = np.dtype("<f4")
OF_A_RUN = ("runs", "files", "scores", "video_statistics", "draws", "sweep_points")


def run_rows(record: RunRecord, folder: Path, *, draws: bool = True) -> dict[str, list[Row]]:
    """Return the rows of a run, by table.

    Args:
        record: the run's record.
        folder: the run's folder; the sizes of its files are read there.
        draws: False leaves out the bootstrap replicates, which take most of the time and can't fail.

    Raises:
        DataError: a value of the record is invalid; the message names the file and the value.
    """
    try:
        record.check()
        rows = {
            "runs": [_run_row(record, folder)],
            "files": list(file_rows(record.run_id, folder, record.files)),
            "scores": list(_score_rows(record)),
            "video_statistics": list(_statistics_rows(record)),
            "sweep_points": list(_sweep_rows(record.run_id, folder)),
        }
        msgspec.json.encode(rows)  # half a surrogate pair is no text
    except (TypeError, ValueError) as error:
        do = "Make the run again with --fresh, or remove its folder"
        what = "the store can't take a run's record"
        raise DataError(problem(what, where=folder / RUN_FILE, **fault(error), do=do)) from None
    statistics = record.statistics.get(HEADLINE, {}) if draws else {}
    return rows | {"draws": list(draw_rows(record.run_id, record.task, statistics, record.groups))}


def draw_rows(
    run_id: str, task: str, statistics: Mapping[str, Sequence[float]], groups: Mapping[str, str] | None = None
) -> Iterator[Row]:
    """Yield the row of table ``draws``: the official score of each bootstrap replicate.

    Videos are resampled in order of their names and with the same seed for every run: two runs on the same videos are
    compared in pairs by their replicates alone. Where the persons are known, persons are resampled instead of videos.

    Args:
        run_id: id of the run.
        task: name of the task.
        statistics: statistics of the headline, by video. There is no row for fewer than two videos or persons, for
            statistics of another metric than the task's, and where a score is infinite or NaN.
        groups: person of each video, as far as the persons are known.
    """
    units = units_of(sorted(statistics), groups or {})
    if units.number < 2 or (metric_and_table := _table_of_videos(task, statistics)) is None:
        return
    metric, table = metric_and_table
    with np.errstate(all="ignore"):  # another program's file may hold numbers so large that their sum overflows
        scores = bootstrap(lambda weights: {"": metric.headline(weights @ table)}, units)[""]
    if np.isfinite(scores).all():
        yield {"run_id": run_id, "scores": base64.b64encode(scores.astype(DRAWN).tobytes()).decode()}


def labelled_frames(task: str, statistics: Mapping[str, Sequence[float]]) -> int | None:
    """Return the number of frames that a run was scored on; ``None`` where its statistics lack it.

    Args:
        task: name of the task.
        statistics: statistics of the headline, by video.
    """
    metric_and_table = _table_of_videos(task, statistics) if statistics else None
    if metric_and_table is None:
        return None
    metric, table = metric_and_table
    with np.errstate(all="ignore"):
        total = float(metric.n_frames(table).sum())
    return int(total) if 0 <= total < 2**53 else None


def _table_of_videos(task: str, statistics: Mapping[str, Sequence[float]]) -> tuple[Metric, Float] | None:
    """Return the task's metric and the statistics, float64 ``(n_videos, k)`` in order of the videos' names.

    ``None`` is for statistics that belong to another metric.
    """
    if task not in TASKS:
        return None
    metric = metric_for(TASKS[task])
    try:
        table = np.array([statistics[video] for video in sorted(statistics)], np.float64)
        with np.errstate(all="ignore"):
            metric.label_part(table)
    except ValueError:
        return None
    return metric, table


def failure_row(failure: Failure, file: Path) -> Row:
    """Return the row of table ``failures`` for a failure that is noted in ``file``."""
    content = {key: value for key, value in asdict(failure).items() if key in COLUMNS["failures"]}
    row: Row = _plain({**content, "created": in_utc(failure.created), "file": str(file.resolve())})
    return row


def recording_row(runs: int) -> Row:
    """Return the row of table ``recordings``: this user of this machine records so many runs now."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = ""
    moment = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat()
    return {"moment": moment, "made_by": _clean(f"{user}@{socket.gethostname()}"), "runs": runs}


def file_rows(run_id: str, folder: Path, files: Mapping[str, str] | str) -> Iterator[Row]:
    """Yield the rows of table ``files``.

    Args:
        run_id: id of the run.
        folder: folder of the run, from which sizes in bytes are read.
        files: sha256 by name of the file, as a mapping or as JSON.
    """
    for name, digest in (json.loads(files) if isinstance(files, str) else files).items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        yield {"run_id": run_id, "name": name, "sha256": digest, "bytes": size}


def insertion(table: str, rows: Sequence[Row]) -> list[str]:
    """Return the statement that appends rows, whose keys are the table's columns; an empty list for no rows."""
    if not rows:
        return []
    return [
        f"INSERT INTO {table} BY NAME SELECT *{BYTES.get(table, '')} FROM (SELECT row.* FROM "  # noqa: S608 - ours
        f"(SELECT unnest(from_json_strict({literal(rows)}, {literal([COLUMNS[table]])})) AS row))"
    ]


def transaction(statements: Sequence[str]) -> str:
    """Join statements into one transaction. Close the connection after an error: that undoes all of it."""
    return ";\n".join(["BEGIN", *statements, "COMMIT"])


def removal_of_runs(db: Connection, run_ids: Sequence[str]) -> list[str]:
    """Return the statements that remove runs from every table; an empty list if the store has no such run."""
    return _removal(db, OF_A_RUN, "run_id", run_ids)


def removal_of_failures(db: Connection, failure_ids: Sequence[str]) -> list[str]:
    """Return the statements that remove failures; an empty list if the store has no such failure."""
    return _removal(db, ("failures",), "failure_id", failure_ids)


def _removal(db: Connection, tables: Sequence[str], key: str, ids: Sequence[str]) -> list[str]:
    chosen = f"WHERE {key} IN {listed(ids)}"
    if not db.execute(f"SELECT 1 FROM {tables[0]} {chosen} LIMIT 1").fetchone():  # noqa: S608 - a literal that no text can end
        return []
    return [f"DELETE FROM {table} {chosen}" for table in tables]  # noqa: S608 - as above


def _run_row(record: RunRecord, folder: Path) -> Row:
    data, timings = record.data, record.timings
    content = record.plain() | {"notes": notes_of(record.notes, folder)}
    marks = read_marks(folder)
    if marks != Marks():
        content["marks"] = marks.plain()
    return {
        **{key: value for key, value in content.items() if key in COLUMNS["runs"]},
        "created": in_utc(record.created),
        "data_name": data["name"],
        "data_fingerprint": data["fingerprint"],
        "videos": data["videos"],
        "frames": data["frames"],
        "frames_per_second": timings.get("frames_per_second"),
        "seconds": timings.get("total"),
        "folder": str(folder.resolve()),
        "record": json.dumps(_plain(content), ensure_ascii=False),
        "setup": record.setup,
        "labelled_frames": labelled_frames(record.task, record.statistics.get(HEADLINE, {})),
    }


def _score_rows(record: RunRecord) -> Iterator[Row]:
    keys = set()
    for score in record.scores:
        key = (score["estimate"], score["metric"], score["target"])
        if key in keys:
            raise ValueError(f"two scores for {' '.join(key)}")
        keys.add(key)
        known = {name: value for name, value in score.items() if name in COLUMNS["scores"]}
        yield {**known, "run_id": record.run_id, "metric_version": score["version"]}


def _statistics_rows(record: RunRecord) -> Iterator[Row]:
    for estimate, videos in record.statistics.items():
        for video, values in videos.items():
            yield {"run_id": record.run_id, "estimate": estimate, "video": video, "statistics": list(values)}


def _sweep_rows(run_id: str, folder: Path) -> Iterator[Row]:
    keys = set()
    for point in read_sweep(folder):
        key = point.axis, point.value
        if key in keys:
            raise ValueError(f"two points for {point.axis} {point.value} in {SWEEP_FILE}")
        keys.add(key)
        yield {"run_id": run_id, **asdict(point)}


def _plain(value: Any) -> Any:
    """Return a value as strict JSON can hold it: infinity and NaN become null, as in a choice without a valid score."""
    if isinstance(value, Mapping):
        return {_clean(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()
