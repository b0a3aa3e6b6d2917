"""Checks of a submission before a team sends it: a file, a folder, or an archive, which all stay unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from harness.errors import SubmissionError
from harness.files.archives.read import Member, is_archive, read_members
from harness.files.checking.patterns import find_pattern
from harness.files.checking.recognise import Meant, first_lines
from harness.files.checking.table import Checked, check_table
from harness.files.format import FRAME, FRAME_NUMBER, Format
from harness.files.formats import FORMATS, is_of_task, no_format
from harness.files.report import Problem, Report
from harness.files.spelling import SPELLINGS
from harness.files.template import Template, affwild2_videos, known_names, read_template, test_set_counts
from harness.files.video_names import difference, known_as, under_several, without_additions, without_film
from harness.files.video_templates import video_templates
from harness.system.regular import broken_link, read_or_refuse

_SUFFIXES_OF_TABLES = (".csv", ".txt")  # one may replace the other: the content decides about the format
_ENOUGH_FRAMES = 20  # numbers of so many frames are all odd or all even by chance once in 500,000 files


@dataclass(frozen=True)
class Submission:
    """Submission that was read and checked.

    Attributes:
        report: problems of all files.
        format: format of the files.
        parts: each checked file, by video in formats with one file per video, else by file name.
    """

    report: Report
    format: Format
    parts: Mapping[str, Checked]


def validate(
    path: Path,
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
    listed: Template | None = None,
) -> Report:
    """Check a submission; see :func:`open_submission`."""
    return open_submission(path, task=task, edition=edition, template=template, listed=listed).report


def open_submission(
    path: Path,
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
    listed: Template | None = None,
    known: bool = True,
    counts: Mapping[str, int] | None = None,
    videos: Collection[str] = (),
) -> Submission:
    """Read and check a file, a folder of files, or a zip of either.

    Args:
        path: the file, folder or zip.
        task: short name of the task; by default recognised from the file.
        edition: number of the competition's edition, for formats that differ between editions.
        template: the organisers' rows: a file; a folder or a zip for formats with one file per video.
        listed: rows that follow from a list of test videos, for use without a template.
        known: True to compare a submission for a real test set with the table of its videos, without a template.
        counts: frames of each video, if known: reading is faster for a file with these counts.
        videos: names that videos may have, such as those of labels, for use without a template.

    Raises:
        SubmissionError: the submission can't be opened, is a refused archive, or is in an unknown format.
    """
    ask = _Question(Meant(task, edition, template), known, counts, videos or tuple(counts or ()), listed)
    if not path.exists():
        raise SubmissionError("no such file or folder", where=path, found=broken_link(path))
    if not is_archive(path):
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        return _one(data, str(path), path.stem, ask)
    members = read_members(path)
    files = list(members)
    if not files:
        raise SubmissionError("no files in it", where=path, expected="the files of a submission")
    submission = _several(files, path, ask)
    for text in members.warnings:
        submission.report.add(0, 0, "archive", text, "warning")
    return submission


@dataclass(frozen=True)
class _Question:
    """Arguments of :func:`open_submission`."""

    meant: Meant
    known: bool
    counts: Mapping[str, int] | None
    videos: Collection[str]
    listed: Template | None

    def rows_for(self, format: Format) -> Template | None:
        """Return the rows that a table must have: of the template, or else of a list of videos named in the same way.

        Raises:
            SubmissionError: the template is of another format.
        """
        if self.meant.template is not None:
            return read_template(self.meant.template, format)
        return self.listed if self.listed is not None and self.listed.format.row is format.row else None


def _one(data: bytes, where: str, stem: str, ask: _Question) -> Submission:
    """Check a single file: a table, or the file of one video."""
    format = ask.meant.detect(data, per_video=False) or ask.meant.detect(data, per_video=True)
    if format is None:
        ask.meant.refuse_edition(data, where)
    format = format or ask.meant.named(data)
    if format is None:
        raise no_format(where, first_lines(data)[0], ask.meant.task)
    if format.per_video:
        checked = _one_video(data, where, stem, format, ask)
    else:
        rows = ask.rows_for(format)
        checked = check_table(data, where, format, rows, known=ask.known, counts=ask.counts, videos=ask.videos)
        if rows is None and ask.known:
            _note_unknown(checked.rows.videos, format, checked.rows.line_of(0), checked.report)
    if ask.meant.task is None:
        checked.report.assumed.insert(0, format.taken_for)
    if format.per_video:
        checked.report.assumed.append("one video's file; a submission is a folder or a zip of these")
    return Submission(checked.report, format, {stem: checked})


def _one_video(data: bytes, where: str, stem: str, format: Format, ask: _Question) -> Checked:
    """Check the file of one video against its own template."""
    if ask.meant.template is None:
        return check_table(data, where, format, video=stem, known=ask.known)
    templates = video_templates(ask.meant.template, format)
    names = file_names([f"{stem}{format.suffix}"], format, set(templates))
    video = names.videos[0]
    rows = templates.get(video)
    checked = check_table(data, where, rows.format if rows else format, rows, video=video, known=ask.known)
    for problem in names.problems:
        checked.report.add(0, 0, problem.code, problem.message, problem.severity)
    if rows is None:
        checked.report.add(0, 0, "extra-video", f"{video} is not in the template")
    return checked


def _note_unknown(names: Sequence[str], format: Format, line: int, report: Report) -> None:
    """Note in the report that most names are missing from the table of the real test set and were not checked."""
    known = test_set_counts(format.task) if format.row in (FRAME, None) else {}
    of_it = sum(name in known for name in names)
    if names and not known and format.row in (FRAME, FRAME_NUMBER):
        _note_additions(names, line, report)
    if not known or not names or 2 * of_it > len(names):
        return
    first = next(name for name in names if name not in known)
    what = f"{of_it} of {len(names)} videos are in the table of {report.format}'s real test set, not {first!r}"
    if all(name in affwild2_videos() for name in names):
        report.assumed.append(f"{what}; all are videos of Aff-Wild2: taken for a file for training or validation")
        return
    message = f"{what}: is this a file for another data set? Names and counts could not be checked"
    report.add(line, 1 if line else 0, "unknown-videos", message, "warning")


def _note_additions(names: Sequence[str], line: int, report: Report) -> None:
    """Warn about names that all have an ending which tools add, for formats whose right names are unknown."""
    if all(without_additions(name) != name for name in names):
        first = min(names)
        message = (
            f"all names end as tools make them: is {first!r} to be {without_additions(first)!r}? The template tells"
        )
        report.add(line, 1 if line else 0, "unknown-videos", message, "warning")


def _several(members: list[Member], path: Path, ask: _Question) -> Submission:
    tables = [ask.meant.detect(member.data, per_video=False) for member in members]
    if len(members) == 1 and tables[0]:
        member = members[0]
        return _one(member.data, f"{path}!{member.name}", PurePosixPath(member.name).stem, ask)
    report = Report(str(path), "")
    formats = [table for table in tables if table]
    if len(formats) == len(members):
        return _tables(members, formats, report, ask)
    video_formats = [ask.meant.detect(member.data, per_video=True) for member in members]
    if formats and not any(video_formats):
        return _tables(members, tables, report, ask)
    meant = (f for f in FORMATS.values() if f.per_video and f.task == ask.meant.task)
    format = next((f for f in video_formats if f), None) or next(meant, None)
    if not any(video_formats):
        ask.meant.refuse_edition(members[0].data, f"{path}!{members[0].name}")
    if format is None:
        raise no_format(f"{path}!{members[0].name}", first_lines(members[0].data)[0], ask.meant.task)
    return _videos(members, format, report, ask)


def _tables(members: list[Member], formats: Sequence[Format | None], report: Report, ask: _Question) -> Submission:
    """Check several tables, each by itself: trials of one list of videos, or predictions of several models."""
    known = [format for format in formats if format]
    kinds = list(dict.fromkeys(known))
    report.format = " and ".join(format.name for format in kinds)
    parts: dict[str, Checked] = {}
    videos: set[str] = set()
    for member, format in zip(members, formats, strict=True):
        where = f"{report.where}!{member.name}"
        if format is None:
            text = f"in no known format, its first line is {first_lines(member.data)[0][:60]!r}"
            report.add(1, 1, "format", text, where=where)
            continue
        rows = _template_for(format, kinds, ask)
        checked = check_table(member.data, where, format, rows, known=ask.known, videos=ask.videos)
        if rows is None and ask.known:
            _note_unknown(checked.rows.videos, format, checked.rows.line_of(0), checked.report)
        parts[member.name] = checked
        videos.update(checked.rows.videos)
        report.merge(checked.report)
    report.videos, report.tables = len(videos), len(parts)
    report.noun = "trials" if all(is_of_task(format, "AH") for format in kinds) else "predictions"
    return Submission(report, kinds[0], parts)


def _template_for(format: Format, kinds: Sequence[Format], ask: _Question) -> Template | None:
    """Return the rows that a table must have; ``None`` for a table of another task than the template's."""
    try:
        return ask.rows_for(format)
    except SubmissionError:
        if len(kinds) == 1:
            raise
        return None


def _videos(members: list[Member], format: Format, report: Report, ask: _Question) -> Submission:
    """Check the files of a format with one file per video."""
    report.format = format.name
    if ask.meant.task is None:
        report.assumed.append(f"taken for {format.in_words}, from the first line of its files")
    folders = {str(PurePosixPath(member.name).parent) for member in members}
    if folders != {"."}:
        inside = ", ".join(sorted(folders)[:3])
        report.assumed.append(f"the files lie in {inside}: whether that or a flat archive is wanted, the call says")
    templates = video_templates(ask.meant.template, format) if ask.meant.template else None
    known = test_set_counts(format.task) if templates is None and format.row is None and ask.known else {}
    parts: dict[str, Checked] = {}
    names = file_names([member.name for member in members], format, set(templates or ask.videos))
    for problem_ in names.problems:
        report.add(0, 0, problem_.code, problem_.message, problem_.severity, where=f"{report.where}!{problem_.where}")
    for member, video in zip(members, names.videos, strict=True):
        if video in parts:
            continue
        where = f"{report.where}!{member.name}"
        rows = templates.get(video) if templates is not None else None
        if templates is not None and rows is None:
            report.add(0, 0, "extra-video", f"{video} is not in the template", where=where)
        spelled_format = rows.format if rows is not None else format
        checked = check_table(member.data, where, spelled_format, rows, video=video, known=False)
        _check_count(checked, known.get(video))
        parts[video] = checked
        report.merge(checked.report)
    if templates is not None:
        have = {name: np.sort(part.rows.frame) for name, part in parts.items()}
        must = {name: np.sort(rows.frame) for name, rows in templates.items()}
        if pattern := find_pattern(have, must):
            report.add(0, 0, "systematic", f"{pattern.message}. {pattern.way_on}")
    missing = sorted(set(templates if templates is not None else known if _mostly(parts, known) else ()) - set(parts))
    for name_ in missing:
        report.add(
            0, 0, "missing-video", f"no file {name_}{format.suffix}", "error" if templates is not None else "warning"
        )
    if format.row is FRAME_NUMBER:
        _check_parity(parts, report)
    if templates is not None or (known and _mostly(parts, known)):
        report.assumed = [text for text in report.assumed if "no template given" not in text]
    if known and _mostly(parts, known):
        report.assumed.append("no template given: names and counts were held against the table of the real test set")
    elif ask.known and templates is None:
        _note_unknown(tuple(parts), format, 0, report)
    return Submission(report, format, parts)


@dataclass(frozen=True)
class FileNames:
    """Videos that files belong to, by the files' names.

    Attributes:
        videos: the video of each file, in the order of the files.
        problems: names in another spelling, of another kind, or of a video that has a file already.
        changes: changes that mend the names, in words, each with its number.
    """

    videos: tuple[str, ...]
    problems: tuple[Problem, ...]
    changes: Mapping[str, int]

    @property
    def errors(self) -> list[Problem]:
        """Problems of names that can't be mended."""
        others = [problem for problem in self.problems if problem.severity == "error" and problem.code not in SPELLINGS]
        return [
            problem
            for problem in others
            if problem.code != "suffix" or PurePosixPath(problem.where).suffix.lower() not in _SUFFIXES_OF_TABLES
        ]


def file_names(names: Sequence[str], format: Format, known: Collection[str]) -> FileNames:
    """Return the video of each file by the file's name.

    Args:
        names: paths of the files inside the submission.
        format: a format with one file per video.
        known: names of videos, if known: ``2.csv`` then belongs to ``0002``, with a warning, and
            ``0002_pred.csv``, with an error. If empty, names are compared with those of Aff-Wild2.
    """
    videos, problems, changes = list[str](), list[Problem](), Counter[str]()
    stems = [PurePosixPath(name).stem for name in names]
    known = known or known_names(stems, format)
    read = known_as(stems, known)
    second = {
        stem: video for video, stems_of_video in under_several(stems, known).items() for stem in stems_of_video[1:]
    }
    for name, stem in zip(names, stems, strict=True):
        path, bare = PurePosixPath(name), without_film(stem)
        video = read.get(stem) or (stem if stem in known else bare)
        if path.suffix != format.suffix and path.suffix.lower() == format.suffix:
            text = f"found {path.suffix!r}, expected {format.suffix!r}"
            problems.append(Problem(name, 0, 0, "file-name", text, "warning"))
        elif path.suffix != format.suffix:
            message = f"found {path.suffix or 'no suffix'!r}, expected {format.suffix!r}"
            problems.append(Problem(name, 0, 0, "suffix", message))
        if video != stem and stem.isdecimal():
            problems.append(Problem(name, 0, 0, "file-name", f"taken for the file of {video}", "warning"))
        elif video != stem:
            problems.append(Problem(name, 0, 0, "name", difference(stem, video)))
        if video != stem or path.suffix != format.suffix:
            changes["names of files written as they belong"] += 1
        other = video if video in videos else second.get(stem)
        if other is not None:
            problems.append(Problem(name, 0, 0, "duplicate-video", f"a second file for video {other}"))
        videos.append(video)
    return FileNames(tuple(videos), tuple(problems), changes)


def _check_count(checked: Checked, n: int | None) -> None:
    """Report a file without frame numbers that has another number of lines than its video has frames."""
    if n is not None and checked.report.rows != n:
        checked.report.add(
            min(checked.report.rows, n) + 2, 1, "rows", f"{checked.report.rows} rows, but the video has {n} frames"
        )


def _check_parity(parts: Mapping[str, Checked], report: Report) -> None:
    """Warn if all frames with label 1 have odd numbers, or all have even ones.

    Windows with a frame step of 2 and an even stride visit every other frame and leave 0 at the others. Public code of
    the 10th edition's VD has this fault (kdtsypliakova/ABAW-10-Violence-Detection at step 2).
    """
    frames_by_part = [part.rows.frame[part.rows.values == 1] for part in parts.values()]
    frames = np.concatenate(frames_by_part) if frames_by_part else np.empty(0, np.int64)
    if len(frames) >= _ENOUGH_FRAMES and len(np.unique(frames % 2)) == 1:
        which = "odd" if frames[0] % 2 else "even"
        text = f"all {len(frames):,} frames with label 1 have {which} numbers: was every other frame left out?"
        report.add(0, 0, "parity", text, "warning")


def _mostly(parts: Iterable[str], known: Mapping[str, int]) -> bool:
    names = set(parts)
    return 2 * len(names & set(known)) > len(names)
