"""Official files as the command line names them: by path, by run; and the template and labels that belong to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, SubmissionError, UnknownNameError, UsageError
from harness.files.checking.submission import open_submission
from harness.files.template import read_template
from harness.files.video_templates import video_templates
from harness.records.files import RUN_FILE
from harness.system.regular import is_taken
from harness.tasks import OTHER_TASKS, TASKS

if TYPE_CHECKING:
    from harness.files.checking.submission import Submission
    from harness.settings import Settings

_LABEL_SUFFIXES = (".txt", ".csv")


def is_file_name(path: Path) -> bool:
    """Return whether a path is taken as it stands: something is there, and it is no folder of a run."""
    return is_taken(path) and not is_taken(path / RUN_FILE)


def official_path(path: Path, settings: Settings | None = None, *, split: str | None = None) -> Path:
    """Return the official file, or the folder of these, that a path means: its own, or that of the run of this name.

    Args:
        path: file, folder or archive; folder of a run; or a run's name, see :mod:`harness.store.run_names`.
        settings: of the store and the runs' folder; by default those of the environment and ``abaw.toml``.
        split: runs on it are meant where a solution has runs on several.

    Raises:
        AmbiguousNameError: several runs have this name.
        SubmissionError: the run's file is missing, or was changed.
        StoreError: the store, which alone may know the name, can't be read.
    """
    if is_file_name(path):
        return path
    if not is_taken(path):
        from harness.cli.results import run_folder
        from harness.settings import load_settings
        from harness.store.store import Store

        settings = settings or load_settings()
        try:
            path = run_folder(Store(settings.store), str(path), settings.out, split=split)
        except UnknownNameError:
            return path  # whoever opens the file says that it is not there
    from harness.records.run import official_files, submission_of

    files = official_files(path)
    return submission_of([file.relative_to(path).as_posix() for file in files], path)


def data_root() -> Path | None:
    """Return the data set's folder that environment or ``abaw.toml`` name; ``None`` where they name none.

    Raises:
        UsageError: the settings file can't be read.
    """
    folders = (Path.cwd(), *Path.cwd().parents)
    if not os.environ.get("ABAW_DATA") and not any((folder / "abaw.toml").is_file() for folder in folders):
        return None  # without the settings' import: checking a file must not wait for it
    from harness.settings import load_settings

    return load_settings().data


def template_of(path: Path, task: str | None, edition: int | None, root: Path | None) -> tuple[Path | None, list[str]]:
    """Return the template below a data set's folder that a submission is to be held against, and notes on it.

    Only a template that names at least half of the submission's videos is taken: a file for validation has others.

    Args:
        path: of the submission.
        task: as for :func:`harness.files.checking.submission.open_submission`.
        edition: as for the same.
        root: folder of the data set; ``None`` for the one of the settings.
    """
    named, root = root is not None, root or data_root()
    if root is None:
        return None, []
    from harness.datasets.official import find_template

    try:
        submission = open_submission(path, task=task, edition=edition, known=False)
    except SubmissionError:
        return None, []  # the check itself says why
    task_of_file = (TASKS | OTHER_TASKS)[submission.format.task]
    try:
        newest = find_template(root, task_of_file)
    except DataError as error:
        if named:
            raise
        return None, [f"no template was taken from {root}: {error}"]
    if newest is None:
        return None, [f"no template for {task_of_file.name} lies below {root}"]
    videos = _names_in(newest, submission)
    names = names_of(submission)
    if 2 * len(names & set(videos)) < len(names):
        what = f"the template {newest} is for other videos ({len(names & set(videos))} of {len(names)} are in it)"
        return None, [f"{what}: not taken"]
    return newest, [f"held against the template {newest}"]


def names_of(submission: Submission) -> set[str]:
    """Return the names of a submission's videos."""
    if submission.format.per_video:
        return set(submission.parts)
    return {name for part in submission.parts.values() for name in part.rows.videos}


def _names_in(template: Path, submission: Submission) -> Collection[str]:
    if submission.format.per_video:
        return video_templates(template, submission.format)
    return read_template(template, submission.format).videos


def labels_of(path: Path, split: str) -> Path | Callable[[str], Path]:
    """Return labels as they are named, or, for a data set's folder, a function that finds those of a task in it.

    Raises:
        UsageError: on the call of that function: the task has no data set.
    """
    if not path.is_dir() or _has_labels(path.iterdir()):
        return path

    def of_task(task: str) -> Path:
        from harness.datasets.official import find_labels

        if task not in TASKS:
            raise UsageError(f"labels of {task} can't be found in a folder", where=path, do="Name the file")
        return find_labels(path, TASKS[task], split)

    return of_task


def _has_labels(paths: Iterable[Path]) -> bool:
    return any(path.suffix in _LABEL_SUFFIXES and not path.name.startswith(".") for path in paths)
