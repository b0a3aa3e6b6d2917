"""For those who bring their own model: arrays in, official files, problems, scores and comparisons out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, SubmissionError, problem
from harness.files.checking.submission import validate as _validate
from harness.files.format import Format
from harness.files.formats import detect, format_named
from harness.files.labels.truth import read_truth
from harness.files.one_file import write_one_file
from harness.files.report import Report
from harness.files.score import score_submission
from harness.files.template import read_template
from harness.files.video_files import write_videos
from harness.metrics import compare as comparison
from harness.metrics.compare import Comparison, ScoredRun
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.tasks import OTHER_TASKS, TASKS

Arrays = Mapping[str, npt.NDArray[Any]]


def write(path: str | Path, task: str, predictions: Arrays, *, template: str | Path | None = None) -> Report:
    """Write an official file (for VD: a folder with a file a video) and check it.

    Args:
        task: ``EXPR``, ``VA``, ``AU``, ``VD``, ``CE``, ``MTL`` or ``EMI``.
        predictions: official values of each video, frames 1 to n: ``(n,)`` classes, ``(n, 2)`` valence and arousal,
            ``(n, 12)`` bits, ``(n, 15)`` for MTL; ``(1, 6)`` for each clip of EMI.
        template: the organisers' rows, all of which are then written, in their order.

    Returns:
        What the check of the file says.

    Raises:
        UnknownNameError: no such task.
        SubmissionError: a value is not official, or the template asks for a frame that has no prediction.
        StorageError: it can't be written.
    """
    format, path = format_named(task), Path(path)
    values = {name: _official(array, format) for name, array in predictions.items()}
    if format.per_video:
        _refuse_strangers(path, format)
        write_videos(path, format, values, replace=True)
    else:
        order = read_template(Path(template), format) if template is not None else list(values)
        write_one_file(path, format, values, order)
    return validate(path, format.task, template=template)


def _refuse_strangers(folder: Path, format: Format) -> None:
    """Refuse to replace a folder that holds anything but files of the format.

    Raises:
        SubmissionError: something else lies there.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise SubmissionError(problem("this is no folder", where=folder, do="Name another place"))
    if not folder.is_dir():
        return
    strangers = [path.name for path in sorted(folder.iterdir()) if not _is_of(path, format)]
    if strangers:
        found = ", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if strangers[5:] else "")
        what = f"a folder is replaced as a whole, and this one holds other files than {format.name}'s"
        raise SubmissionError(problem(what, where=folder, found=found, do="Name a new folder"))


def _is_of(path: Path, format: Format) -> bool:
    if path.suffix != format.suffix or not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as stream:
        first = stream.read(4096).decode("utf-8-sig", errors="replace").partition("\n")[0]
    return detect(first, per_video=True, task=format.task) is format


def validate(
    path: str | Path, task: str | None = None, *, template: str | Path | None = None, edition: int | None = None
) -> Report:
    """Check a file, a folder or a zip: ``report.valid``, ``report.problems``, each with line and column.

    Raises:
        SubmissionError: it can't be opened, or is in no known format.
    """
    return _validate(Path(path), task=task, template=Path(template) if template else None, edition=edition)


def score(task: str, predictions: Arrays | str | Path, labels: Arrays | str | Path) -> ScoreCard:
    """Score predictions: ``card.headline``, every score in ``card.scores`` with its interval by video.

    Args:
        predictions, labels: official values of each video, or paths to official files. Frames that nobody annotated
            hold the task's marker and don't count.

    Raises:
        DataError: no labels, or a video without predictions.
        SubmissionError: a file is malformed.
    """
    if isinstance(predictions, str | Path):
        if isinstance(labels, str | Path):
            return score_submission(Path(predictions), Path(labels), task=task).card
        raise DataError(problem("a file is scored against files", found="labels as arrays", do="Give both as arrays"))
    own = {**TASKS, **OTHER_TASKS}[format_named(task).task]
    truth = read_truth(Path(labels), own.name).labels if isinstance(labels, str | Path) else labels
    statistics = video_statistics(own, metric_for(own), truth, {k: np.asarray(v) for k, v in predictions.items()})
    return score_card(own, tuple(truth), statistics)


def compare(a: ScoreCard, b: ScoreCard) -> Comparison:
    """Compare two sets of predictions over the same videos: difference, interval, p-value, the videos that matter.

    Raises:
        DataError: they are not of one task on the same labels.
    """
    return comparison.compare(_scored("A", a), _scored("B", b))


def _scored(name: str, card: ScoreCard) -> ScoredRun:
    statistics = dict(zip(card.videos, card.statistics.tolist(), strict=True))
    return ScoredRun(name, card.task, "", "", statistics, card.headline.version)


def _official(array: npt.NDArray[Any], format: Format) -> npt.NDArray[Any]:
    values = np.asarray(array)
    return values.astype(format.dtype) if format.whole and np.array_equal(values, np.floor(values)) else values
