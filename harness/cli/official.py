"""Official files as the command line names them: by path, by run; and the template and labels that belong to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, SubmissionError, UnknownNameError, UsageError
from harness.records.files import RUN_FILE
from harness.system.counts import counted
from harness.system.regular import is_taken
from harness.tasks import AHV, EMI, OTHER_TASKS, TASKS

if TYPE_CHECKING:
    from harness.files.checking.submission import Submission
    from harness.files.editions import Evidence
    from harness.files.report import Report
    from harness.files.template import Template
    from harness.settings import Settings

LISTED = (EMI, AHV)
"""Tasks whose organisers release no template: their rows follow from the test videos."""

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


@dataclass(frozen=True)
class ExpectedRows:
    """Rows that a submission is held against.

    Attributes:
        template: the organisers' file; ``None`` where it is missing.
        listed: rows that follow from the test videos, of tasks whose organisers release no template.
        evidence: on the edition of the submission.
        notes: in words.
        task: short name of the task that the file is of; empty where the file was left unread.
    """

    template: Path | None = None
    listed: Template | None = None
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    task: str = ""

    def verdict(self, report: Report) -> str:
        """Return ``valid`` for a file that was checked against a template or test list, else ``well-formed``.

        Missing rows stay undetected where neither is there.

        Args:
            report: of the check against these rows.
        """
        if not report.valid:
            return "NOT valid"
        if self.template is not None:
            return "valid"
        return "well-formed" if self.listed is None else "valid against the list of test videos"


def expected_rows(
    path: Path, task: str | None, edition: int | None, root: Path | None, *, with_edition: bool = True
) -> ExpectedRows:
    """Return the rows below a data set's folder that a submission is to be held against, and what tells its edition.

    Only rows that name at least half of the submission's videos are taken: a file for validation has others.

    Args:
        path: of the submission.
        task: as for :func:`harness.files.checking.submission.open_submission`.
        edition: as for the same.
        root: folder of the data set; ``None`` for the one of the settings.
        with_edition: read the file for its edition, too, where there is no data set.

    Raises:
        DataError: the named data set can't be used for the task.
    """
    from harness.files.checking.submission import open_submission
    from harness.files.editions import editions_of_names

    named, root = root is not None, root or data_root()
    if root is None and not with_edition:
        return ExpectedRows()
    try:
        submission = open_submission(path, task=task, edition=edition, known=False)
    except SubmissionError:
        return ExpectedRows()  # the check itself says why
    names, task = names_of(submission), submission.format.task
    read = ExpectedRows(evidence=tuple(editions_of_names(submission.format, names)), task=task)
    if root is None:
        return read
    from harness.datasets.official import editions_of_data, find_template, find_test_list

    task_of_file = (TASKS | OTHER_TASKS)[task]
    try:
        newest = find_template(root, task_of_file)
        listed = find_test_list(root, task_of_file) if newest is None else None
        of_data = editions_of_data(root, task_of_file)
    except DataError as error:
        if named:
            raise
        return replace(read, notes=(f"no template was taken from {root}: {error}",))
    if newest is None and listed is None:
        what = "list of test videos" if task_of_file in LISTED else "template"
        return replace(read, notes=(f"no {what} for {task} lies below {root}",))
    kind, place = ("list of test videos", listed.where) if listed is not None else ("template", str(newest))
    videos = listed.videos if listed is not None else _names_in(Path(place), submission)
    common = len(names & set(videos))
    if 2 * common < len(names):
        what = f"the {kind} {place} is for other videos ({common} of {len(names)} are in it)"
        return replace(read, notes=(f"{what}: not taken",))
    note = f"held against the {kind} {place}"
    if listed is not None:
        note += f", as no template of {task} is released; the order of the rows was not checked"
    notes = [note, *_note_on_count(root, task, len(videos))] if listed is not None else [note]
    return replace(read, template=newest, listed=listed, evidence=(*read.evidence, *of_data), notes=tuple(notes))


def _note_on_count(root: Path, task: str, n_videos: int) -> list[str]:
    """Return a note where a list of test videos has another length than the official test set, of unmarked data."""
    from harness.datasets.identity import MARKER, TEST_VIDEOS

    official = TEST_VIDEOS.get(task, n_videos)
    if n_videos == official or is_taken(root / MARKER):
        return []
    return [f"the list has {counted(n_videos, 'video')}, the official test set of {task} {official:,}: is it whole?"]


def names_of(submission: Submission) -> set[str]:
    """Return the names of a submission's videos."""
    if submission.format.per_video:
        return set(submission.parts)
    return {name for part in submission.parts.values() for name in part.rows.videos}


def _names_in(template: Path, submission: Submission) -> Collection[str]:
    from harness.files.template import read_template
    from harness.files.video_templates import video_templates

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
