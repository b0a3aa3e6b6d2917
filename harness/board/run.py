"""One run in numbers: by class, what is taken for what, by video, and the runs beside it. All from the statistics."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.board.rankings import comparable
from harness.metrics.binary import MeanBinaryF1
from harness.metrics.by_video import values_of_rows, video_scores
from harness.metrics.classification import MacroF1
from harness.metrics.coefficients import MeanConcordance, MeanPearson
from harness.metrics.frames import share
from harness.metrics.interface import Metric
from harness.metrics.metric import metric_for
from harness.metrics.moments import central, pearson_correlation
from harness.records.options import OF_RUN, flags_of
from harness.records.run import HEADLINE, RunRecord
from harness.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

Float = npt.NDArray[np.float64]
VALUE_BINS = 40
_ERROR_BINS = 10
ROW_PARTS = ("label", "value")
"""Beginnings of the columns that hold a row's label and value of each target, see :func:`video_rows`."""


def statistics_of_videos(record: RunRecord) -> tuple[Metric, list[str], Float] | None:
    """Return the official metric, names of the videos and their statistics, float64 ``(n_videos, k)``.

    ``None`` is for a run without a score or statistics, and for statistics of another version of the metric.
    """
    row, by_video = record.score(), record.statistics.get(HEADLINE)
    if record.task not in TASKS or row is None or not by_video:
        return None
    metric = metric_for(TASKS[record.task])
    try:
        table = np.array(list(by_video.values()), np.float64)
        metric.headline(table)
    except ValueError:
        return None
    return (metric, list(by_video), table) if row["version"] == metric.version else None


def target_rows(record: RunRecord) -> pd.DataFrame:
    """Return one row per class, unit or dimension, in official order.

    Returns:
        Columns ``target, value, low, high`` of the headline. Statistics add, for classes and units, ``precision,
        recall, labelled, decided`` (frames), and for values ``pearson`` (beside CCC), ``mean_label, mean, sd_label,
        sd``.
    """
    import pandas as pd

    head = record.score()
    means = ("ccc", "pearson", "f1")
    rows = [row for row in record.scores if row["estimate"] == HEADLINE and row["target"] != "all"]
    rows = [row for row in rows if row["metric"] in means] if head else []
    table = pd.DataFrame(rows, columns=["target", "value", "low", "high"]).astype(
        {"value": float, "low": float, "high": float}
    )
    metric_and_statistics = statistics_of_videos(record)
    if metric_and_statistics is None or table.empty:
        return table
    metric, _, statistics = metric_and_statistics
    more = pd.DataFrame(_more(metric, statistics.sum(0)), index=list(metric.task.targets))
    return table.join(more, on="target")


def _more(metric: Metric, total: Float) -> Mapping[str, Float]:
    """Return more columns of each target from the sum of the statistics."""
    if isinstance(metric, MeanConcordance | MeanPearson):
        moments = metric.moments(total)
        c = central(moments)
        beside = {"pearson": pearson_correlation(moments)} if isinstance(metric, MeanConcordance) else {}
        return {
            **beside,
            "mean_label": c.mean_x,
            "mean": c.mean_y,
            "sd_label": np.sqrt(share(c.xx, c.n)),
            "sd": np.sqrt(share(c.yy, c.n)),
        }
    hits, labelled, decided = _counts(metric, total)
    return {
        "precision": share(hits, decided),
        "recall": share(hits, labelled),
        "labelled": labelled,
        "decided": decided,
    }


def _counts(metric: Metric, total: Float) -> tuple[Float, Float, Float]:
    """Return the numbers of frames per target: decided correctly, labelled, decided."""
    if isinstance(metric, MacroF1):
        counts = metric.confusion(total)
        return np.diagonal(counts), counts.sum(-1), counts.sum(-2)
    if not isinstance(metric, MeanBinaryF1):
        raise TypeError(metric.name)
    counts = metric.confusion(total)  # (units, 2, 2)
    return counts[:, 1, 1], counts[:, 1].sum(-1), counts[:, :, 1].sum(-1)


def confusion_rows(record: RunRecord) -> pd.DataFrame:
    """Return the confusion matrix as rows ``label, decision, frames, share`` (of the label's frames).

    Tasks of other kinds than classes have no rows.
    """
    import pandas as pd

    metric_and_statistics = statistics_of_videos(record)
    if metric_and_statistics is None or not isinstance(metric_and_statistics[0], MacroF1):
        return pd.DataFrame(columns=["label", "decision", "frames", "share"])
    metric, statistics = metric_and_statistics[0], metric_and_statistics[2]
    counts, names = metric.confusion(statistics.sum(0)), list(metric.task.targets)
    return pd.DataFrame(
        {
            "label": np.repeat(names, len(names)),
            "decision": np.tile(names, len(names)),
            "frames": counts.ravel(),
            "share": share(counts, counts.sum(-1, keepdims=True)).ravel(),
        }
    )


def unit_rows(record: RunRecord) -> pd.DataFrame:
    """Return rows ``unit, what, frames`` per action unit: frames found, missed, and false alarms.

    Tasks of other kinds have no rows.
    """
    import pandas as pd

    metric_and_statistics = statistics_of_videos(record)
    if metric_and_statistics is None or not isinstance(metric_and_statistics[0], MeanBinaryF1):
        return pd.DataFrame(columns=["unit", "what", "frames"])
    metric, _, statistics = metric_and_statistics
    hits, labelled, decided = _counts(metric, statistics.sum(0))
    names = list(metric.task.targets)
    parts = {"found": hits, "missed": labelled - hits, "false alarm": decided - hits}
    return pd.DataFrame([{"unit": n, "what": w, "frames": p[k]} for w, p in parts.items() for k, n in enumerate(names)])


def video_rows(record: RunRecord) -> pd.DataFrame:
    """Return one row per video, the worst first.

    Returns:
        ``video``; ``frames``, number of labelled frames; ``score``, the official metric on this video alone;
        ``possible``, the score of perfect answers there; ``share``, score by possible; ``right``, the part of frames
        decided correctly (classes), or NaN; ``pulls``, the loss of the run's score without this video (below 0 for a
        gain). Tasks of level ``video`` add the row itself: for classes ``label`` and ``decision``; for values
        ``error``, the mean absolute error (``score`` is NaN: a coefficient of one row is undefined), and per target
        ``label:<target>`` and ``value:<target>``.
    """
    import pandas as pd

    metric_and_statistics = statistics_of_videos(record)
    if metric_and_statistics is None:
        return pd.DataFrame(columns=["video", "frames", "score", "possible", "share", "right", "pulls"])
    metric, videos, table = metric_and_statistics
    alone, total = video_scores(metric, table), table.sum(0)
    right = metric.details(table).get(("accuracy", "all"), np.full(len(table), np.nan))
    rows = pd.DataFrame(
        {
            "video": videos,
            "frames": alone.frames,
            "score": alone.score,
            "possible": alone.possible,
            "share": alone.share,
            "right": right,
            "pulls": metric.headline(total) - metric.headline(total - table) if len(table) > 1 else np.nan,
        }
    )
    if metric.task.level == "video":
        rows = rows.assign(**_single_rows(metric, table, alone.error))
    return rows.iloc[alone.worst_first(videos)].reset_index(drop=True)


def _single_rows(metric: Metric, table: Float, error: Float) -> Mapping[str, Any]:
    """Return columns with labels and answers of videos with a single row, from their statistics."""
    names = metric.task.targets
    if isinstance(metric, MeanPearson):
        labels, values = values_of_rows(metric, table)
        pairs = {name: (labels[:, k], values[:, k]) for k, name in enumerate(names)}
        columns = {f"{what}:{name}": pair[side] for name, pair in pairs.items() for side, what in enumerate(ROW_PARTS)}
        return {"error": error, **columns}
    counts = metric.confusion(table) if isinstance(metric, MacroF1) else np.zeros((len(table), len(names), len(names)))
    there = counts.sum((-2, -1)) > 0
    sides = {"label": counts.sum(-1).argmax(-1), "decision": counts.sum(-2).argmax(-1)}
    return {
        side: [names[k] if counted else None for k, counted in zip(classes, there, strict=True)]
        for side, classes in sides.items()
    }


def density_rows(
    labels: npt.NDArray[Any], values: npt.NDArray[Any], target: str, low: float = -1.0, high: float = 1.0
) -> pd.DataFrame:
    """Count frames by label and value in squares: rows ``target, label, value, width, frames``.

    The squares divide the range from ``low`` to ``high`` of the task's values; empty squares are left out.
    """
    import pandas as pd

    edges = np.linspace(low, high, VALUE_BINS + 1)
    x, y = (_bins(part, VALUE_BINS, low, high) for part in (labels, values))
    counts = np.bincount(x * VALUE_BINS + y, minlength=VALUE_BINS**2).reshape(VALUE_BINS, VALUE_BINS)
    x, y = np.nonzero(counts)
    rows = {"label": edges[x], "value": edges[y], "width": edges[1] - edges[0], "frames": counts[x, y]}
    return pd.DataFrame({"target": target, **rows})


def _bins(values: npt.NDArray[Any], n: int, low: float, high: float) -> npt.NDArray[Any]:
    """Return the index of the part, out of ``n`` equal parts of the range, of each value; outer values are clipped."""
    parts = (np.asarray(values, np.float64) - low) * (n / (high - low))
    return np.clip(parts, 0, n - 1).astype(np.int64)  # truncation rounds down, because all values are at least 0


def error_rows(
    labels: npt.NDArray[Any], values: npt.NDArray[Any], target: str, low: float = -1.0, high: float = 1.0
) -> pd.DataFrame:
    """Return errors by value of the label.

    The rows divide the range from ``low`` to ``high`` of the task's values into equal parts.

    Returns:
        ``target, label, low, high, frames, bias`` (mean of value minus label) and ``distance`` (mean of its absolute
        value).
    """
    import pandas as pd

    edges = np.linspace(low, high, _ERROR_BINS + 1)
    bins = _bins(labels, _ERROR_BINS, low, high)
    n = np.bincount(bins, minlength=_ERROR_BINS)
    error = np.asarray(values, np.float64) - labels
    bias = share(np.bincount(bins, error, _ERROR_BINS), n)
    distance = share(np.bincount(bins, np.abs(error), _ERROR_BINS), n)
    rows = {
        "label": (edges[:-1] + edges[1:]) / 2,
        "low": edges[:-1],
        "high": edges[1:],
        "frames": n,
        "bias": bias,
        "distance": distance,
    }
    table = pd.DataFrame({"target": target, **rows})
    return table.loc[n > 0].reset_index(drop=True)


def siblings(runs: pd.DataFrame, run_id: str) -> pd.DataFrame:
    """Return the runs that differ from a run in the seed alone, including itself, sorted by seed."""
    import pandas as pd

    matches: pd.DataFrame = runs[runs["run_id"] == run_id]
    if matches.empty or pd.isna(matches["setup"].iloc[0]):  # an older store lacks set-ups
        return matches
    same: pd.DataFrame = runs[(runs["setup"] == matches["setup"].iloc[0]) & comparable(runs, run_id)]
    return same.sort_values(["seed", "created"], ignore_index=True)


def seeds_of(runs: pd.DataFrame, run_id: str) -> tuple[str, ...]:
    """Return the runs whose mean the board shows for a run: the scored ones of its set-up, one per seed.

    Args:
        runs: rows of :meth:`harness.store.store.Store.runs`.
        run_id: id of a run; it stands for its own seed, and the newest run for any other one.

    Returns:
        Ids in order of the seeds; that of the run alone if it lacks a score or a seed.
    """
    same = siblings(runs, run_id)
    scored = same[same["value"].notna() & (same["status"] == "complete") & same["seed"].notna()]
    if run_id not in set(scored["run_id"]):
        return (run_id,)
    by_seed = dict(zip(scored["seed"], scored["run_id"], strict=True))
    by_seed[scored.loc[scored["run_id"] == run_id, "seed"].iloc[0]] = run_id
    return tuple(map(str, by_seed.values()))


def others(runs: pd.DataFrame, run_id: str) -> pd.DataFrame:
    """Return the complete runs of other set-ups on the same labels, under any name of the data set, best first.

    Returns:
        Rows of ``runs`` with ``difference``, the score minus that of this run.
    """
    matches = runs[runs["run_id"] == run_id]
    if matches.empty:
        return runs.iloc[:0].assign(difference=())
    this = matches.iloc[0]
    same = (runs["setup"] == this["setup"]) | (runs["run_id"] == run_id)
    keep = ~same & comparable(runs, run_id) & (runs["status"] == "complete") & runs["value"].notna()
    other_runs: pd.DataFrame = runs[keep].sort_values("value", ascending=False, ignore_index=True)
    return other_runs.assign(difference=other_runs["value"] - this["value"])


def command_for(record: RunRecord, split: str) -> str:
    """Return the command that makes this solution's run on a split with the options of this run.

    The result is empty for blends and for files that other code made: a solution's name is not enough for these.
    """
    from harness.plugins.registry import solution_entries

    if record.seed is None or record.name not in solution_entries():
        return ""
    command = "submit" if split == "test" else "run"
    parts = ["abaw", command, record.name, "--seed", str(record.seed), "--data", str(record.data.get("root") or "ROOT")]
    return shlex.join([*parts, *flags_of(record.options, OF_RUN), *(["--split", split] if split != "test" else [])])


def twins_on_test(runs: pd.DataFrame, run_id: str) -> pd.DataFrame:
    """Return the runs on test of the same solution and seed, newest first, which hold the file to upload.

    They learned from the same labels, as far as that is known: runs of earlier versions lack the labels' hash.
    """
    import pandas as pd

    matches = runs[runs["run_id"] == run_id]
    if matches.empty:
        return runs.iloc[:0]
    this, keep = matches.iloc[0], runs["split"] == "test"
    for column in ("task", "name", "encoder", "head", "postprocess"):
        keep &= runs[column] == this[column]
    learned = runs["learned_from"]
    keep &= (learned == this["learned_from"]) | learned.isna() | pd.isna(this["learned_from"])
    keep &= (runs["seed"] == this["seed"]) | (runs["seed"].isna() & pd.isna(this["seed"]))
    twins: pd.DataFrame = runs[keep].sort_values("created", ascending=False, ignore_index=True)
    return twins
