"""Current files of a run: comparison with the hashes in its record, and validation of the official file."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datasets.affwild2 import find_layout
from harness.datasets.dvd import find_dvd
from harness.datasets.open import video_test_rows
from harness.errors import AbawError, SubmissionError
from harness.files.archives.pack import pack
from harness.files.checking.submission import open_submission, validate
from harness.files.formats import FORMATS
from harness.files.one_file import validate_one_file
from harness.files.report import Report
from harness.files.template import Template, read_template, task_of_header
from harness.files.video_templates import read_video_templates
from harness.records.run import OFFICIAL, RunRecord, official_files
from harness.system.provenance import sha256_of
from harness.system.regular import open_file
from harness.tasks import TASKS, VD, Task
from leaderboard.data.reach import data_root, holds_run, official_of, template_of

_LARGEST_TEMPLATE = 128 << 20  # bytes
_LONGEST_HEADER = 10_000  # characters
AS_WRITTEN, CHANGED, GONE, OUTSIDE = "as written", "changed since", "not there", "not in the run's folder"


@dataclass(frozen=True)
class RunFile:
    """A file that the run's record names.

    Attributes:
        name: path inside the run's folder.
        sha256: hash in the record.
        official: the organisers want this file; the other files are for our own use.
        state: :data:`AS_WRITTEN`, :data:`CHANGED`, :data:`GONE`, :data:`OUTSIDE`, or the reason why reading fails.
        bytes: current size; ``None`` for a missing file.
    """

    name: str
    sha256: str
    official: bool
    state: str
    bytes: int | None


def run_files(record: RunRecord, folder: Path) -> list[RunFile]:
    """Return every file of a run, with its current hash compared with that in the record."""
    there = holds_run(record, folder)
    return [_checked(folder, name, digest, there=there) for name, digest in record.files.items()]


def _checked(folder: Path, name: str, digest: str, *, there: bool) -> RunFile:
    path, official = folder / name, Path(name).suffix in (*OFFICIAL, ".zip")
    try:
        # a record may come from anybody: only files inside the run's own folder are read
        if not path.resolve().is_relative_to(folder.resolve()):
            return RunFile(name, digest, official, OUTSIDE, None)
        if not there or not path.is_file():  # only the run's own folder is read
            return RunFile(name, digest, official, GONE, None)
        state = AS_WRITTEN if sha256_of(path) == digest else CHANGED
        return RunFile(name, digest, official, state, path.stat().st_size)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        return RunFile(name, digest, official, f"can't be read: {why}", None)


def to_upload(record: RunRecord, folder: Path, files: Sequence[RunFile]) -> tuple[str, bytes]:
    """Return name and content of the file to upload: the official file, or a zip of one official file per video.

    Args:
        record: record of the run.
        folder: folder of the run.
        files: files of the run, from :func:`run_files`.

    Raises:
        AbawError: an official file is missing, or differs from the one that the run wrote.
    """
    official = [file for file in files if file.official]
    wrong = next((file for file in official if file.state != AS_WRITTEN), None)
    if wrong is not None or not official:
        state = wrong.state if wrong else "no official file"
        raise SubmissionError("nothing to send in", where=folder / (wrong.name if wrong else ""), found=state)
    path = official_of(record, folder)
    if path.is_file():
        return f"{record.run_id}{path.suffix}", path.read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        packed = pack(official_files(folder), Path(temporary) / "packed.zip")
        return f"{record.run_id}.zip", packed.path.read_bytes()


def check_official(record: RunRecord, folder: Path, named: Path | None = None) -> tuple[Report, str]:
    """Validate the official file as ``abaw validate`` does; return the report and the path of the template.

    The file of a run on test is compared with the organisers' template if the data set can be opened. The path is empty
    if there was no template.

    Args:
        record: record of the run.
        folder: folder of the run.
        named: root of a data set that the user named; used for runs that other people made.

    Raises:
        AbawError: the official file can't be opened.
    """
    task = TASKS[record.task]
    path, template = official_of(record, folder), None
    if record.split == "test":
        template = template_of(record, folder)
        if template is None and not task.annotation_folders:
            rows = _rows(record, folder, named)
            if rows is None:
                return validate(path, task=task.name), ""
            format = open_submission(path, task=task.name, known=False).format  # AHV has two
            return validate_one_file(path, format, rows), rows.where
        template = template or _template(record, folder, named)
    if template is not None:
        _check_template(template, task)
    report = validate(path, task=task.name, template=template)
    return report, str(template or "")


def _check_template(template: Path, task: Task) -> None:
    """Check that a template can be read, and hide the reader's message, which may quote the template's content.

    Raises:
        SubmissionError: the template is unreadable or too large.
    """
    try:
        if template.stat().st_size > _LARGEST_TEMPLATE:
            raise SubmissionError("too large for a template", where=template)
        if task is VD:
            read_video_templates(template, FORMATS[task.name])
        else:
            read_template(template, task)
    except (AbawError, OSError, ValueError):
        do = f"See why with: abaw validate FILE --template {shlex.quote(str(template))}"
        raise SubmissionError("the template can't be read", where=template, do=do) from None


def _rows(record: RunRecord, folder: Path, named: Path | None) -> Template | None:
    """Return the required rows of a test submission for tasks without a template file; ``None`` if unreadable."""
    try:
        return video_test_rows(data_root(record, folder, named), TASKS[record.task])
    except (AbawError, OSError, ValueError):
        return None


def _template(record: RunRecord, folder: Path, named: Path | None) -> Path | None:
    """Return the organisers' template below the root of the data set; ``None`` if none or several fit."""
    task = TASKS[record.task]
    try:
        root = data_root(record, folder, named)
        if task is VD:
            return next(iter(find_dvd(root).templates), None)
        fitting = [path for path in find_layout(root).templates if _header_of(path) is task]
    except (AbawError, OSError, ValueError):
        return None
    return fitting[0] if len(fitting) == 1 else None


def _header_of(path: Path) -> Task | None:
    with open_file(path) as stream:
        return task_of_header(stream.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace"))
