"""The files of a run as they lie in its folder now: are they what the run wrote, and are they valid to send in?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datasets.affwild2 import find_layout
from harness.datasets.dvd import find_dvd
from harness.errors import AbawError, SubmissionError, problem
from harness.provenance import sha256_of
from harness.record import OFFICIAL, RunRecord, submission_of
from harness.regular import open_file
from harness.submission.archives.pack import official_files, pack
from harness.submission.report import Report
from harness.submission.template import task_of_header
from harness.submission.validate import validate
from harness.tasks import TASKS, VD, Task

_LONGEST_LINE = 4096
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
    return [_checked(folder, name, digest) for name, digest in record.files.items()]


def _checked(folder: Path, name: str, digest: str) -> RunFile:
    path, official = folder / name, Path(name).suffix in (*OFFICIAL, ".zip")
    try:
        # a record may come from anybody: it names files of its own folder, and nobody else's
        if not path.resolve().is_relative_to(folder.resolve()):
            return RunFile(name, digest, official, OUTSIDE, None)
        if not path.is_file():
            return RunFile(name, digest, official, GONE, None)
        state = AS_WRITTEN if sha256_of(path) == digest else CHANGED
        return RunFile(name, digest, official, state, path.stat().st_size)
    except (OSError, ValueError) as error:
        return RunFile(name, digest, official, f"can't be read: {error}", None)


def to_upload(record: RunRecord, folder: Path, files: Sequence[RunFile]) -> tuple[str, bytes]:
    """Name and content of what to send in: the official file, or a zip where each video has its own.

    Raises:
        AbawError: a file is not what the run wrote.
    """
    own = [file for file in files if file.official]
    wrong = next((file for file in own if file.state != AS_WRITTEN), None)
    if wrong is not None or not own:
        found = wrong.state if wrong else "no official file"
        raise SubmissionError(problem("nothing to send in", where=folder / (wrong.name if wrong else ""), found=found))
    path = submission_of(record.files, folder)
    if path.is_file():
        return f"{record.run_id}{path.suffix}", path.read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        packed = pack(official_files(folder), Path(temporary) / "packed.zip")
        return f"{record.run_id}.zip", packed.path.read_bytes()


def check_official(record: RunRecord, folder: Path) -> tuple[Report, str]:
    """What ``abaw validate`` says of the official file now, and what its rows were held against.

    A run on test is held against the organisers' template, where the data set is within reach.

    Raises:
        AbawError: it can't be opened.
    """
    task = TASKS[record.task]
    template = _template(Path(str(record.data.get("root") or "")), task) if record.split == "test" else None
    given = str(record.options.get("template") or "")
    if record.split == "test" and given and Path(given).exists():
        template = Path(given)
    report = validate(submission_of(record.files, folder), task=task.name, template=template)
    return report, str(template or "")


def _template(root: Path, task: Task) -> Path | None:
    """The organisers' template below a data set's root, if it can be found."""
    try:
        if task is VD:
            return next(iter(find_dvd(root).templates), None)
        own = [path for path in find_layout(root).templates if _header_of(path) is task]
    except (AbawError, OSError, ValueError):
        return None
    return own[0] if len(own) == 1 else None


def _header_of(path: Path) -> Task | None:
    with open_file(path) as stream:
        return task_of_header(stream.readline(_LONGEST_LINE).decode("utf-8-sig", errors="replace"))
