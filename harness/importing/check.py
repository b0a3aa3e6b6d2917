"""Checks of a run that others made. Every problem is reported, and no content is loaded that could run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.errors import AbawError, DataError, SubmissionError, problem
from harness.files.archives.limits import Limits
from harness.files.archives.names import SHOWN
from harness.files.archives.read import read_members
from harness.files.checking.submission import open_submission
from harness.files.video_files import FOLDER_NAME
from harness.importing.rescore import score_problems
from harness.importing.source import OF_A_RECORD
from harness.records.curves import SWEEP_FILE
from harness.records.document import load_json, nested_deeper
from harness.records.failure import FOLDER as FAILED
from harness.records.run import OFFICIAL, RUN_FILE, STATISTICS_FILE, RunRecord, submission_of
from harness.records.scores import SCORES_FILE
from harness.records.steps import STEPS_FILE
from harness.runs.finished import MODEL_FOLDER
from harness.store.rows import run_rows
from harness.system.arrays import read_array
from harness.system.counts import counted, first_of
from harness.system.provenance import sha256_of
from harness.tasks import SPLITS, TASKS

ARCHIVED = (".npz", ".zip")
"""Suffixes of a run's files that are archives themselves."""

_RUN_ID = re.compile(r"[A-Za-z0-9-][A-Za-z0-9.-]{0,200}(?<!\.)")
_DEEPEST = 40
_MOST_VIDEOS = 50_000
_LONGEST_ROW = 10_000
_OF_SCORES = Limits(total_bytes=4 << 30, ratio=2000)  # a constant's scores are packed as tightly as zip can


def record_problems(record: RunRecord) -> list[str]:
    """Return the problems of a record whose types are right: too many videos, unequal rows, deep nesting."""
    most, longest = min(record.data["videos"], _MOST_VIDEOS), f"at most {_LONGEST_ROW:,} numbers, as many for each"
    for name, videos in record.statistics.items():
        where = f"{STATISTICS_FILE} ({name})"
        if len(videos) > most:
            expected = f"at most {most:,}"
            return [problem("statistics of too many videos", where=where, found=f"{len(videos):,}", expected=expected)]
        lengths = {len(row) for row in videos.values()}
        if len(lengths) > 1 or max(lengths, default=0) > _LONGEST_ROW:
            differing = " and ".join(f"{length:,}" for length in sorted(lengths)[:2])
            return [problem("statistics of the wrong length", where=where, found=differing, expected=longest)]
    if nested_deeper(record.plain(), _DEEPEST):
        return [problem("nested too deeply", where=RUN_FILE, expected=f"at most {_DEEPEST} levels")]
    return []


def place_problems(record: RunRecord, place: PurePosixPath) -> list[str]:
    """Return the reasons why a run can't have the folder ``<TASK>/<run_id>`` that its record asks for.

    Args:
        record: record of the run.
        place: the run's folder in the source; at the top of the source its name is unknown.
    """
    run_id, task = record.run_id, record.task
    problems = []
    if task not in TASKS:
        problems.append(problem("the task has no board", found=repr(task), expected=" or ".join(TASKS)))
    if record.split not in SPLITS:
        problems.append(problem("no split", found=repr(record.split), expected=" or ".join(SPLITS)))
    if not _RUN_ID.fullmatch(run_id) or run_id == FAILED:
        problems.append(problem("the run id can't be the name of a folder", found=repr(run_id)[:100]))
    elif place.name and place.name != run_id:
        what = "the folder's name differs from the run's id"
        problems.append(problem(what, found=repr(place.name), expected=repr(run_id)))
    above = place.parent.name.upper()
    if above in TASKS and above != task:
        problems.append(problem("in the folder of another task", found=above, expected=repr(task)))
    return problems


def belongs(name: str, record: RunRecord) -> bool:
    """Return True for the name of a file that the run of this record can have."""
    if name in (RUN_FILE, STATISTICS_FILE, SWEEP_FILE) or (name in record.files and _may_be_recorded(name)):
        return True
    path = PurePosixPath(name)
    return path.parts[0] == MODEL_FOLDER and len(path.parts) > 1 and path.suffix in (".json", ".safetensors")


def _may_be_recorded(name: str) -> bool:
    """Return True for a file that a record may name: an official file, the scores, or the steps."""
    path = PurePosixPath(name)
    official = path.suffix in (*OFFICIAL, ".zip") and path.parts[:-1] in ((), (FOLDER_NAME,))
    return official or name in (SCORES_FILE, STEPS_FILE)


def run_problems(folder: Path, record: RunRecord) -> list[str]:
    """Return the problems of a run's files, once its record has passed :func:`record_problems`."""
    try:
        run_rows(record, folder, draws=False)
    except AbawError as error:
        return [str(error)]  # the other checks need a record that the store can take
    checks = (
        _file_problems, _official_problems, _scores_file_problems, _steps_file_problems, _model_problems,
        _score_problems,
    )  # fmt: skip
    return [text for check in checks for text in check(folder, record)]


def _file_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    """Yield a problem for each recorded file that is missing, changed, or foreign to a run."""
    for name, digest in record.files.items():
        path = folder / name if _may_be_recorded(name) else None
        if path is None:
            yield problem("the record names a file that no run has", where=folder / RUN_FILE, found=repr(name))
        elif not path.is_file():
            yield problem("a file of the run is missing", where=path)
        elif sha256_of(path) != digest:
            do = "Was it changed on the way, as git does with line ends? Hand the run over as a zip"
            yield problem("this file is not what the run wrote", where=path, do=do)


def _official_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    path = submission_of(record.files, folder)
    if path == folder:
        yield problem("the run has no official file", where=folder)
        return
    if not path.exists():
        return  # _file_problems reports it
    try:
        report = open_submission(path, task=record.task, known=record.split == "test").report
    except SubmissionError as error:
        yield str(error)
        return
    if not report.valid:
        errors = f"{counted(report.n_errors, 'error')}\n" + first_of(
            [f"  {error}" for error in report.errors], SHOWN, "\n"
        )
        yield problem("the official file is not valid", where=path, found=errors)


def _scores_file_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    """Yield a problem unless the scores are float32 arrays with one column per output of the task."""
    yield from _array_problems(
        folder, record, SCORES_FILE, "scores of this task", "float32", TASKS[record.task].n_outputs
    )


def _steps_file_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    """Yield a problem unless the steps are arrays with a class and a probability per step, the head's first."""
    columns = 2 * (1 + len(record.steps or ()))
    yield from _array_problems(folder, record, STEPS_FILE, "steps of this run", "float16", columns)


def _array_problems(folder: Path, record: RunRecord, file: str, what: str, dtype: str, columns: int) -> Iterator[str]:
    """Yield a problem for the first member of an archive that is another array than described."""
    path = folder / file
    if file not in record.files or not path.is_file():
        return
    try:
        for member in read_members(path, _OF_SCORES):
            actual = _array(member.data)
            if not member.name.endswith(".npy") or actual != (dtype, columns):
                yield problem(
                    f"not {what}",
                    where=f"{path}!{member.name}",
                    found="no array" if actual is None else f"{counted(actual[1], 'column')} of {actual[0]}",
                    expected=f"{counted(columns, 'column')} of {dtype}",
                )
                return
    except SubmissionError as error:
        yield str(error)


def _array(data: bytes) -> tuple[str, int] | None:
    """Return type and number of columns of an array of rows; ``None`` for other content or a wrong number of bytes."""
    try:
        rows = read_array(data, SCORES_FILE)
    except DataError:
        return None
    return (rows.dtype.name, rows.shape[1]) if rows.ndim == 2 else None


def _model_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    for path in sorted((folder / MODEL_FOLDER).rglob("*")):
        if path.suffix == ".json" and (why := _not_json(path)):
            yield problem("not readable as JSON", where=path, found=why)
        elif path.suffix == ".safetensors" and (why := _not_tensors(path)):
            yield problem("not readable as safetensors", where=path, found=why)


def _not_json(path: Path) -> str:
    try:
        load_json(path, OF_A_RECORD.member_bytes)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _not_tensors(path: Path) -> str:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):  # checks the header, and each tensor's place
            return ""
    except (SafetensorError, OSError) as error:
        return str(error)


def _score_problems(folder: Path, record: RunRecord) -> Iterator[str]:
    for text in score_problems(record):
        yield problem(text, where=folder / RUN_FILE)
