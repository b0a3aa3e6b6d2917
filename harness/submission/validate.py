"""Check whatever a team is about to send in: a file, a folder, or an archive. Nothing is extracted or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from harness.errors import SubmissionError, problem
from harness.submission.archives.read import Member, is_archive, read_members
from harness.submission.check import Checked, check_table
from harness.submission.format import FRAME_NUMBER, Format
from harness.submission.formats import FORMATS, detect, no_format
from harness.submission.report import Report
from harness.submission.template import read_template, test_set_counts
from harness.submission.video_templates import read_video_templates

_ENOUGH_FRAMES = 20  # by chance, so many have numbers that are all odd or all even once in 500,000


@dataclass(frozen=True)
class Submission:
    """What was sent, read and checked.

    Attributes:
        parts: each file, by video where each video has its own, else by the file's name.
    """

    report: Report
    format: Format
    parts: Mapping[str, Checked]


def validate(
    path: Path, *, task: str | None = None, edition: int | None = None, template: Path | None = None
) -> Report:
    """Check a submission; see :func:`open_submission`."""
    return open_submission(path, task=task, edition=edition, template=template).report


def open_submission(
    path: Path,
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
    known: bool = True,
    counts: Mapping[str, int] | None = None,
) -> Submission:
    """Read and check a file, a folder of files, or a zip of either.

    Args:
        task: short name; found out from the file where it can be.
        edition: of the competition, where formats differ.
        template: the organisers' rows: a file, or for formats with a file a video a folder or a zip.
        known: without a template, hold a submission for a real test set against the table of these.
        counts: frames of each video, where they are known: reading is faster where the file bears them out.

    Raises:
        SubmissionError: it can't be opened, is no archive that we would open, or is in no known format.
    """
    ask = _Question(task, edition, template, known, counts)
    if not path.exists():
        raise SubmissionError(problem("no such file or folder", where=path))
    if not is_archive(path):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SubmissionError(problem("can't read the file", where=path, found=error.strerror)) from None
        return _one(data, str(path), path.stem, ask)
    members = read_members(path)
    files = list(members)
    if not files:
        raise SubmissionError(problem("no files in it", where=path, expected="the files of a submission"))
    submission = _several(files, path, ask)
    for text in members.warnings:
        submission.report.add(0, 0, "archive", text, "warning")
    return submission


@dataclass(frozen=True)
class _Question:
    """What :func:`open_submission` was asked."""

    task: str | None
    edition: int | None
    template: Path | None
    known: bool
    counts: Mapping[str, int] | None

    def detect(self, data: bytes, *, per_video: bool) -> Format | None:
        """By the first line; or by the second, where a header was put before rows that have none."""
        first, second = _first_lines(data)
        found = detect(first, per_video=per_video, task=self.task, edition=self.edition)
        if found is None and (below := detect(second, per_video=per_video, task=self.task, edition=self.edition)):
            found = None if below.header else below
        return found


def _one(data: bytes, where: str, stem: str, ask: _Question) -> Submission:
    """A single file: a table, or one video's file taken by itself."""
    format = ask.detect(data, per_video=False) or ask.detect(data, per_video=True)
    format = format or (_named(ask.task, ask.edition) if ask.task else None)
    if format is None:
        raise no_format(where, _first_lines(data)[0])
    rows = read_template(ask.template, format) if ask.template else None
    video = stem if format.per_video else ""
    checked = check_table(data, where, format, rows, video=video, known=ask.known, counts=ask.counts)
    if ask.task is None:
        checked.report.assumed.insert(0, f"taken for {_words(format)}, from its first line")
    if format.per_video:
        checked.report.assumed.append("one video's file; a submission is a folder or a zip of these")
    return Submission(checked.report, format, {stem: checked})


def _several(members: list[Member], path: Path, ask: _Question) -> Submission:
    tables = [ask.detect(member.data, per_video=False) for member in members]
    if len(members) == 1 and tables[0]:
        member = members[0]
        return _one(member.data, f"{path}!{member.name}", PurePosixPath(member.name).stem, ask)
    report = Report(str(path), "")
    if all(found and found.task == "AH" for found in tables):
        return _trials(members, [found for found in tables if found], report, ask)
    found = (ask.detect(member.data, per_video=True) for member in members)
    meant = (f for f in FORMATS.values() if f.per_video and f.task == ask.task)
    format = next((f for f in found if f), None) or next(meant, None)
    if format is None:
        raise no_format(f"{path}!{members[0].name}", _first_lines(members[0].data)[0])
    return _videos(members, format, report, ask)


def _trials(members: list[Member], formats: list[Format], report: Report, ask: _Question) -> Submission:
    """Up to five trials of the same list of videos, each a table."""
    report.format = formats[0].name
    parts = {}
    for member, format in zip(members, formats, strict=True):
        rows = read_template(ask.template, format) if ask.template else None
        checked = check_table(member.data, f"{report.where}!{member.name}", format, rows)
        parts[member.name] = checked
        report.merge(checked.report)
    return Submission(report, formats[0], parts)


def _videos(members: list[Member], format: Format, report: Report, ask: _Question) -> Submission:
    """A file a video."""
    report.format = format.name
    if ask.task is None:
        report.assumed.append(f"taken for {_words(format)}, from the first line of its files")
    folders = {str(PurePosixPath(member.name).parent) for member in members}
    if folders != {"."}:
        inside = ", ".join(sorted(folders)[:3])
        report.assumed.append(f"the files lie in {inside}: whether that or a flat archive is wanted, the call says")
    wanted = read_video_templates(ask.template, format) if ask.template else None
    known = test_set_counts(format.task) if wanted is None and format.row is None and ask.known else {}
    parts: dict[str, Checked] = {}
    for member in members:
        name = PurePosixPath(member.name)
        where = f"{report.where}!{member.name}"
        if name.suffix != format.suffix:
            report.add(0, 0, "suffix", f"found {name.suffix or 'no suffix'!r}, expected {format.suffix!r}", where=where)
        if name.stem in parts:
            report.add(0, 0, "duplicate-video", f"a second file for video {name.stem}", where=where)
            continue
        rows = wanted.get(name.stem) if wanted is not None else None
        if wanted is not None and rows is None:
            report.add(0, 0, "extra-video", f"{name.stem} is not in the template", where=where)
        own = rows.format if rows is not None else format
        checked = check_table(member.data, where, own, rows, video=name.stem, known=False)
        _check_count(checked, known.get(name.stem))
        parts[name.stem] = checked
        report.merge(checked.report)
    missing = sorted(set(wanted if wanted is not None else known if _mostly(parts, known) else ()) - set(parts))
    for name_ in missing:
        report.add(
            0, 0, "missing-video", f"no file {name_}{format.suffix}", "error" if wanted is not None else "warning"
        )
    if format.row is FRAME_NUMBER:
        _check_parity(parts, report)
    if known and _mostly(parts, known):
        report.assumed.append("no template given: names and counts were held against the table of the real test set")
    report.assumed = [text for text in report.assumed if wanted is None or "no template given" not in text]
    return Submission(report, format, parts)


def _check_count(checked: Checked, n: int | None) -> None:
    """A file without frame numbers must have a line a frame."""
    if n is not None and checked.report.rows != n:
        checked.report.add(
            min(checked.report.rows, n) + 2, 1, "rows", f"{checked.report.rows} rows, but the video has {n} frames"
        )


def _check_parity(parts: Mapping[str, Checked], report: Report) -> None:
    """Windows with a frame step of 2 and an even stride visit every other frame, and leave 0 at the rest.

    Public code of the 10th edition's VD does so (kdtsypliakova/ABAW-10-Violence-Detection at step 2).
    """
    found = [part.rows.frame[part.rows.values == 1] for part in parts.values()]
    frames = np.concatenate(found) if found else np.empty(0, np.int64)
    if len(frames) >= _ENOUGH_FRAMES and len(np.unique(frames % 2)) == 1:
        which = "odd" if frames[0] % 2 else "even"
        text = f"all {len(frames):,} frames with label 1 have {which} numbers: was every other frame left out?"
        report.add(0, 0, "parity", text, "warning")


def _mostly(parts: Iterable[str], known: Mapping[str, int]) -> bool:
    names = set(parts)
    return 2 * len(names & set(known)) > len(names)


def _named(task: str, edition: int | None) -> Format | None:
    """The format of a task that a file which looks like none of them was meant to be in."""
    own = [f for f in FORMATS.values() if f.task == task and not f.per_video]
    return next((f for f in own if edition in f.editions), own[0] if own else None)


def _words(format: Format) -> str:
    last, first = format.editions[-1], format.editions[0]
    return f"{format.name} (edition {first})" if last == first else f"{format.name} (editions {first} to {last})"


def _first_lines(data: bytes) -> tuple[str, str]:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    lines = data[:4096].decode(encoding, errors="replace").splitlines()
    return (*lines, "", "")[0], (*lines, "", "")[1]
