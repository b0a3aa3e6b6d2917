"""The files of a run as they lie in its folder now: are they what the run wrote, and are they valid to send in?"""

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
        official: what the organisers want, as opposed to what we keep for ourselves.
        state: one of the words above.
        bytes: now; ``None`` where it is not there.
    """

    name: str
    sha256: str
    official: bool
    state: str
    bytes: int | None


def run_files(record: RunRecord, folder: Path) -> list[RunFile]:
    """Every file of a run, its hash taken now and held against the record."""
    there = holds_run(record, folder)
    return [_checked(folder, name, digest, there=there) for name, digest in record.files.items()]


def _checked(folder: Path, name: str, digest: str, *, there: bool) -> RunFile:
    path, official = folder / name, Path(name).suffix in (*OFFICIAL, ".zip")
    try:
        # a record may come from anybody: it names files of its own folder, and nobody else's
        if not path.resolve().is_relative_to(folder.resolve()):
            return RunFile(name, digest, official, OUTSIDE, None)
        if not there or not path.is_file():  # a folder that is not the run's own is not looked into
            return RunFile(name, digest, official, GONE, None)
        state = AS_WRITTEN if sha256_of(path) == digest else CHANGED
        return RunFile(name, digest, official, state, path.stat().st_size)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        return RunFile(name, digest, official, f"can't be read: {why}", None)


def to_upload(record: RunRecord, folder: Path, files: Sequence[RunFile]) -> tuple[str, bytes]:
    """Name and content of what to send in: the official file, or a zip where each video has its own.

    Raises:
        AbawError: a file is not what the run wrote.
    """
    own = [file for file in files if file.official]
    wrong = next((file for file in own if file.state != AS_WRITTEN), None)
    if wrong is not None or not own:
        found = wrong.state if wrong else "no official file"
        raise SubmissionError("nothing to send in", where=folder / (wrong.name if wrong else ""), found=found)
    path = official_of(record, folder)
    if path.is_file():
        return f"{record.run_id}{path.suffix}", path.read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        packed = pack(official_files(folder), Path(temporary) / "packed.zip")
        return f"{record.run_id}.zip", packed.path.read_bytes()


def check_official(record: RunRecord, folder: Path, named: Path | None = None) -> tuple[Report, str]:
    """Return what ``abaw validate`` says of the official file now, and what its rows were held against.

    A run on test is held against the organisers' template, where the data set is within reach.

    Args:
        record: of the run.
        folder: of the run.
        named: root of a data set that the user named, for runs of others.

    Raises:
        AbawError: it can't be opened.
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
    """Make sure that a template can be read: what is wrong with it would be said in words of its own.

    Raises:
        SubmissionError: it can't be.
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
    """Return the rows that a test submission must have, of tasks without a template file; ``None`` out of reach."""
    try:
        return video_test_rows(data_root(record, folder, named), TASKS[record.task])
    except (AbawError, OSError, ValueError):
        return None


def _template(record: RunRecord, folder: Path, named: Path | None) -> Path | None:
    """Return the organisers' template below the root of the data set; ``None`` where there is none to be found."""
    task = TASKS[record.task]
    try:
        root = data_root(record, folder, named)
        if task is VD:
            return next(iter(find_dvd(root).templates), None)
        own = [path for path in find_layout(root).templates if _header_of(path) is task]
    except (AbawError, OSError, ValueError):
        return None
    return own[0] if len(own) == 1 else None


def _header_of(path: Path) -> Task | None:
    with open_file(path) as stream:
        return task_of_header(stream.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace"))
