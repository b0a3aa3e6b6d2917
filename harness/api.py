"""Functions for users with their own model: official files, problems, scores and comparisons from arrays.

Users import them from :mod:`abaw`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, SubmissionError
from harness.files.checking.submission import validate as _validate
from harness.files.data_frames import arrays_of, is_data_frame
from harness.files.format import Format
from harness.files.formats import detect, format_named, format_of_values
from harness.files.labels.truth import read_truth
from harness.files.one_file import require_official, write_one_file
from harness.files.persons import persons_by_name
from harness.files.report import Report
from harness.files.score import score_submission
from harness.files.template import read_template
from harness.files.video_files import write_videos
from harness.metrics import compare as comparison
from harness.metrics import several
from harness.metrics.compare import Comparison, ScoredRun
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.metrics.several import SeveralComparisons
from harness.tasks import OTHER_TASKS, TASKS, Task, task_named

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare", "compare_several", "runs", "score", "validate", "write"]

Arrays = Mapping[str, npt.ArrayLike]
"""Values by name of the video. Each function that takes these also takes a data frame."""


def write(
    path: str | Path, task: str, predictions: Arrays | pd.DataFrame, *, template: str | Path | None = None
) -> Report:
    """Write an official file (for VD: a folder with one file per video) and check it.

    Args:
        path: the file, or the folder for VD; an earlier file of the same name is replaced.
        task: ``EXPR``, ``VA``, ``AU``, ``VD``, ``CE``, ``MTL``, ``EMI``, ``AH`` or ``AHV``.
        predictions: official values of each video, frames 1 to n: ``(n,)`` classes, ``(n, 2)`` valence and arousal,
            ``(n, 12)`` bits, ``(n, 15)`` for MTL; six values of each clip of EMI, ``(6,)`` or ``(1, 6)``; for each
            video of AHV its label, or two probabilities, which add up to 1, and the label. Or a data frame with one row
            per frame: a column ``image_location``, or columns ``video`` and ``frame``, and the values.
        template: the organisers' rows; all of them are written, in their order.

    Returns:
        The report of the check.

    Raises:
        UnknownNameError: the task is unknown.
        SubmissionError: a value is invalid, or the template holds a frame without a prediction.
        StorageError: the file can't be written.

    Example:
        >>> report = write("predictions.txt", "EXPR", {"video1": [0, 4, 4], "video2_left": [6, 6]})
        >>> report.valid, report.rows
        (True, 5)
    """
    path, arrays = Path(path), _as_arrays(predictions, task)
    widths = {array.shape[1] if array.ndim > 1 else 1 for array in arrays.values()}
    format = format_of_values(task, max(widths, default=1))
    values = {name: _official(array, format) for name, array in arrays.items()}
    require_official(values, format)
    if format.per_video:
        _refuse_strangers(path, format)
        write_videos(path, format, values, replace=True)
    else:
        order = read_template(Path(template), format) if template is not None else list(values)
        write_one_file(path, format, values, order)
    return validate(path, format.task, template=template)


def _refuse_strangers(folder: Path, format: Format) -> None:
    """Refuse to replace a folder with other content than files of the format.

    Raises:
        SubmissionError: the folder holds another file, or is a file itself.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise SubmissionError("this is no folder", where=folder, do="Name another place")
    if not folder.is_dir():
        return
    strangers = [path.name for path in sorted(folder.iterdir()) if not _is_of(path, format)]
    if strangers:
        names = ", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if strangers[5:] else "")
        what = f"a folder is replaced as a whole, and this one holds other files than {format.name}'s"
        raise SubmissionError(what, where=folder, found=names, do="Name a new folder")


def _is_of(path: Path, format: Format) -> bool:
    if path.suffix != format.suffix or not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as stream:
        first = stream.read(4096).decode("utf-8-sig", errors="replace").partition("\n")[0]
    return detect(first, per_video=True, task=format.task) is format


def validate(
    path: str | Path, task: str | None = None, *, template: str | Path | None = None, edition: int | None = None
) -> Report:
    """Check a file, a folder or a zip archive against the official format.

    Args:
        path: the file, folder or archive; it is only read.
        task: its task, in upper or lower case; it is detected from the content by default.
        template: the organisers' rows, which the submission must have.
        edition: number of the competition whose format is expected; the newest by default.

    Returns:
        A report with ``valid`` and ``problems``, each problem with line and column.

    Raises:
        SubmissionError: the path can't be opened, or the format of the content is unknown.

    Example:
        >>> _ = write("predictions.txt", "EXPR", {"video1": [0, 4, 4]})
        >>> validate("predictions.txt").problems
        []
    """
    name = format_named(task).task if task else None
    return _validate(Path(path), task=name, template=Path(template) if template else None, edition=edition)


def score(
    task: str,
    predictions: Arrays | pd.DataFrame | str | Path,
    labels: Arrays | pd.DataFrame | str | Path,
    *,
    persons: Mapping[str, str] | None = None,
) -> ScoreCard:
    """Score predictions with the official metric, with intervals over videos, or persons where these are known.

    Args:
        task: name of the task, such as ``EXPR``, in upper or lower case.
        predictions: official values of each video as for :func:`write`, or the path of an official file.
        labels: labels as arrays, as a data frame, or as the path of the organisers' label files. A frame counts unless
            its label is the task's invalid marker (EXPR -1, VA -5, AU -1).
        persons: person of each video; the bootstrap resamples all videos of a person at once. By default the first
            folder of a video's name, for AH and AHV; other tasks have no persons. Files are scored with the default.

    Returns:
        A card with ``headline`` (the official score) and ``scores``, each with ``value``, ``low`` and ``high``;
        ``constant``, the score of the best constant prediction; and ``constants``, for AH and AHV those of all constant
        predictions.

    Raises:
        DataError: the labels are empty, a video lacks predictions, or a value has the wrong kind, such as NaN or text.
        SubmissionError: a file is malformed.

    Example:
        >>> card = score("EXPR", {"video": [0, 4, 4, 6]}, {"video": [0, 4, 6, 6]})
        >>> round(card.headline.value, 3)  # three of eight classes occur, the others count 0
        0.292
    """
    if isinstance(predictions, str | Path):
        if isinstance(labels, str | Path):
            return score_submission(Path(predictions), Path(labels), task=_task_of(task).name).card
        raise DataError("a file is scored against files", found="labels as arrays", do="Give both as arrays")
    scored_task = _task_of(task)
    if isinstance(labels, str | Path):
        read = read_truth(Path(labels), scored_task.name)
        scored_task, truth = _task_of(read.task), read.labels
    else:
        truth = _as_arrays(labels, task)
    answers = _as_arrays(predictions, scored_task.name)
    statistics = video_statistics(scored_task, metric_for(scored_task), truth, answers)
    known = persons_by_name(scored_task.name, truth) if persons is None else persons
    return score_card(scored_task, tuple(truth), statistics, known)


def compare(a: ScoreCard, b: ScoreCard) -> Comparison:
    """Compare two sets of predictions over the same videos, in pairs.

    Args:
        a: score of the first predictions, by :func:`score`.
        b: score of the second predictions on the same labels.

    Returns:
        A comparison with ``headline`` (difference, interval, p-value), ``separable``, ``verdict`` and the videos that
        move the score most.

    Raises:
        DataError: the scores belong to different tasks or different labels, or one is no score card.

    Example:
        >>> labels = {f"video{k}": [0, 4, 6, 6] for k in range(20)}
        >>> right = score("EXPR", labels, labels)
        >>> wrong = score("EXPR", {name: [0, 4, 4, 6] for name in labels}, labels)
        >>> compare(right, wrong).separable
        True
    """
    return comparison.compare(_scored("A", a), _scored("B", b))


def compare_several(base: ScoreCard, others: Mapping[str, ScoreCard]) -> SeveralComparisons:
    """Compare several sets of predictions, each with one base over the same videos, in pairs.

    Args:
        base: score of the base, by :func:`score`.
        others: scores on the same labels, by name.

    Returns:
        The comparisons with ``rows``, one per name: ``comparison`` (its A is the row, its B the base), ``corrected_p``
        (Holm's correction for the number of rows), ``separable`` and ``verdict``; and ``to_frame()``.

    Raises:
        DataError: the scores belong to different tasks or different labels, one is no score card, or ``others`` is
            empty.

    Example:
        >>> labels = {f"video{k}": [0, 4, 6, 6] for k in range(20)}
        >>> right = score("EXPR", labels, labels)
        >>> wrong = score("EXPR", {name: [0, 4, 4, 6] for name in labels}, labels)
        >>> [row.verdict for row in compare_several(wrong, {"right": right, "again": wrong}).rows]
        ['better by 0.083', 'not separable on these videos']
    """
    if not isinstance(others, Mapping) or not others:
        raise DataError(
            "there is nothing to compare with the base",
            where="others",
            found=_kind_of(others),
            expected="score cards by name, at least one",
            do='Give a mapping, such as {"mine": card}',
        )
    return several.compare_several(_scored("base", base), {name: _scored(name, card) for name, card in others.items()})


def runs(store: str | Path | None = None, *, task: str | None = None, hidden: bool = False) -> pd.DataFrame:
    """Return the recorded runs, newest first.

    Args:
        store: the results store, a DuckDB file or ``quack:HOST:PORT``; by default that of the settings.
        task: name of a task, to return its runs only.
        hidden: include hidden runs, see ``abaw hide``.

    Returns:
        One row per run with, among others, ``run_id``, ``created``, ``task``, ``split``, ``name``, ``seed``,
        ``data_name``, ``metric``, ``value`` (the headline), ``low``, ``high``, ``tuned_on_all``, ``constant`` and
        ``folder``; an empty data frame for a missing store.

    Raises:
        UnknownNameError: the task is unknown.
        StoreError: the store can't be read.

    Example:
        >>> runs("no-store-yet.duckdb").empty
        True
    """
    from harness.settings import load_settings
    from harness.store.store import Store

    name = task_named(task).name if task else None
    table = Store(load_settings(store=store).store).runs(hidden=hidden)
    return table if name is None or table.empty else table[table["task"] == name].reset_index(drop=True)


def _kind_of(value: object) -> str:
    """Return a value's kind in words: ``None``, ``an empty list``, ``a value of type int``."""
    if value is None:
        return "None"
    if isinstance(value, list | tuple | dict | set) and not value:
        return f"an empty {type(value).__name__}"
    return f"a value of type {type(value).__name__}"


def _scored(name: str, card: object) -> ScoredRun:
    if not isinstance(card, ScoreCard):
        expected = "a score card, as abaw.score returns it"
        raise DataError("this can't be compared", where=name, found=_kind_of(card), expected=expected)
    statistics = dict(zip(card.videos, card.statistics.tolist(), strict=True))
    return ScoredRun(name, card.task, "", "", statistics, card.headline.version, card.groups)


def _as_arrays(values: Arrays | pd.DataFrame, task: str) -> dict[str, npt.NDArray[Any]]:
    """Return each video's rows; for a task of level ``video`` its single row, which may be flat."""
    if is_data_frame(values):
        row = format_named(task).row
        return arrays_of(cast("pd.DataFrame", values), _task_of(task), (row.first if row else None) or 0 if row else 1)
    if not isinstance(values, Mapping):
        raise DataError(
            f"there are no values of {task}",
            found=_kind_of(values),
            expected="values by name of the video, or a data frame",
            do='Give a mapping, such as {"video1": [0, 4, 4]}',
        )
    arrays = {name: _numbers(name, array) for name, array in values.items()}
    if _task_of(task).level == "frame":
        return arrays
    return {name: _one_row(array, _task_of(task)) for name, array in arrays.items()}


def _numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the values of a video as an array of numbers.

    Raises:
        DataError: the values are no numbers, or rows differ in length.
    """
    problem = {"where": f"video {name}", "expected": "numbers, as many in each row"}
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError("the rows differ in length", found="lists that fill no array", **problem) from None
    if array.dtype.kind in "biuf":
        return array
    numbers = None
    with contextlib.suppress(TypeError, ValueError):
        numbers = array.astype(np.float64) if array.dtype.kind == "O" else None
    if numbers is not None:
        return numbers
    first = next((value for value in array.flat if not isinstance(value, int | float | np.number)), None)
    raise DataError("the values are no numbers", found=repr(first), **problem)


def _task_of(name: str) -> Task:
    """Return the task of a name, which may also be a format's."""
    return {**TASKS, **OTHER_TASKS}[format_named(name).task]


def _one_row(array: npt.NDArray[Any], task: Task) -> npt.NDArray[Any]:
    flat = array.reshape(1) if array.ndim == 0 else array
    return flat[None] if flat.ndim == 1 and (task.kind == "values" or len(flat) > 1) else flat


def _official(array: npt.ArrayLike, format: Format) -> npt.NDArray[Any]:
    values = np.asarray(array)
    return values.astype(format.dtype) if format.whole and np.array_equal(values, np.floor(values)) else values
