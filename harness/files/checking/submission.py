"""Check whatever a team is about to send in: a file, a folder, or an archive. Nothing is extracted or changed."""

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

_SUFFIXES_OF_TABLES = (".csv", ".txt")  # one may stand for the other: the content tells what a file is
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
        task: short name; found out from the file where it can be.
        edition: of the competition, where formats differ.
        template: the organisers' rows: a file, or for formats with a file a video a folder or a zip.
        listed: without a template, rows that follow from a list of test videos.
        known: without a template, hold a submission for a real test set against the table of these.
        counts: frames of each video, where they are known: reading is faster where the file bears them out.
        videos: without a template, names that videos may have: those of labels.

    Raises:
        SubmissionError: it can't be opened, is no archive that we would open, or is in no known format.
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
    """What :func:`open_submission` was asked."""

    meant: Meant
    known: bool
    counts: Mapping[str, int] | None
    videos: Collection[str]
    listed: Template | None

    def rows_for(self, format: Format) -> Template | None:
        """Return the rows that a table must have, of a template, or else of a list of videos named in the same way.

        Raises:
            SubmissionError: the template is of another format.
        """
        if self.meant.template is not None:
            return read_template(self.meant.template, format)
        return self.listed if self.listed is not None and self.listed.format.row is format.row else None


def _one(data: bytes, where: str, stem: str, ask: _Question) -> Submission:
    """A single file: a table, or one video's file taken by itself."""
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
        checked.report.assumed.insert(0, f"taken for {_words(format)}, from its first line")
    if format.per_video:
        checked.report.assumed.append("one video's file; a submission is a folder or a zip of these")
    return Submission(checked.report, format, {stem: checked})


def _one_video(data: bytes, where: str, stem: str, format: Format, ask: _Question) -> Checked:
    """One video's file taken by itself, held against its own template."""
    if ask.meant.template is None:
        return check_table(data, where, format, video=stem, known=ask.known)
    wanted = video_templates(ask.meant.template, format)
    names = file_names([f"{stem}{format.suffix}"], format, set(wanted))
    video = names.videos[0]
    rows = wanted.get(video)
    checked = check_table(data, where, rows.format if rows else format, rows, video=video, known=ask.known)
    for found in names.problems:
        checked.report.add(0, 0, found.code, found.message, found.severity)
    if rows is None:
        checked.report.add(0, 0, "extra-video", f"{video} is not in the template")
    return checked


def _note_unknown(names: Sequence[str], format: Format, line: int, report: Report) -> None:
    """Say where names are not those of the real test set, as far as that is known: they could not be checked."""
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
    """Doubt names that all end as tools make them, where the right ones are not known."""
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
    formats = [found for found in tables if found]
    if len(formats) == len(members):
        return _tables(members, formats, report, ask)
    found = [ask.meant.detect(member.data, per_video=True) for member in members]
    if formats and not any(found):
        return _tables(members, tables, report, ask)
    meant = (f for f in FORMATS.values() if f.per_video and f.task == ask.meant.task)
    format = next((f for f in found if f), None) or next(meant, None)
    if not any(found):
        ask.meant.refuse_edition(members[0].data, f"{path}!{members[0].name}")
    if format is None:
        raise no_format(f"{path}!{members[0].name}", first_lines(members[0].data)[0], ask.meant.task)
    return _videos(members, format, report, ask)


def _tables(members: list[Member], formats: Sequence[Format | None], report: Report, ask: _Question) -> Submission:
    """Several tables, each checked by itself: trials of one list of videos, or predictions of several models."""
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
    """The rows that a table must have; of several tasks only those whose template was named."""
    try:
        return ask.rows_for(format)
    except SubmissionError:
        if len(kinds) == 1:
            raise
        return None


def _videos(members: list[Member], format: Format, report: Report, ask: _Question) -> Submission:
    """A file a video."""
    report.format = format.name
    if ask.meant.task is None:
        report.assumed.append(f"taken for {_words(format)}, from the first line of its files")
    folders = {str(PurePosixPath(member.name).parent) for member in members}
    if folders != {"."}:
        inside = ", ".join(sorted(folders)[:3])
        report.assumed.append(f"the files lie in {inside}: whether that or a flat archive is wanted, the call says")
    wanted = video_templates(ask.meant.template, format) if ask.meant.template else None
    known = test_set_counts(format.task) if wanted is None and format.row is None and ask.known else {}
    parts: dict[str, Checked] = {}
    names = file_names([member.name for member in members], format, set(wanted or ask.videos))
    for problem_ in names.problems:
        report.add(0, 0, problem_.code, problem_.message, problem_.severity, where=f"{report.where}!{problem_.where}")
    for member, video in zip(members, names.videos, strict=True):
        if video in parts:
            continue
        where = f"{report.where}!{member.name}"
        rows = wanted.get(video) if wanted is not None else None
        if wanted is not None and rows is None:
            report.add(0, 0, "extra-video", f"{video} is not in the template", where=where)
        own = rows.format if rows is not None else format
        checked = check_table(member.data, where, own, rows, video=video, known=False)
        _check_count(checked, known.get(video))
        parts[video] = checked
        report.merge(checked.report)
    if wanted is not None:
        have = {name: np.sort(part.rows.frame) for name, part in parts.items()}
        must = {name: np.sort(rows.frame) for name, rows in wanted.items()}
        if pattern := find_pattern(have, must):
            report.add(0, 0, "systematic", f"{pattern.message}. {pattern.way_on}")
    missing = sorted(set(wanted if wanted is not None else known if _mostly(parts, known) else ()) - set(parts))
    for name_ in missing:
        report.add(
            0, 0, "missing-video", f"no file {name_}{format.suffix}", "error" if wanted is not None else "warning"
        )
    if format.row is FRAME_NUMBER:
        _check_parity(parts, report)
    if wanted is not None or (known and _mostly(parts, known)):
        report.assumed = [text for text in report.assumed if "no template given" not in text]
    if known and _mostly(parts, known):
        report.assumed.append("no template given: names and counts were held against the table of the real test set")
    elif ask.known and wanted is None:
        _note_unknown(tuple(parts), format, 0, report)
    return Submission(report, format, parts)


@dataclass(frozen=True)
class FileNames:
    """Which videos files are for.

    Attributes:
        videos: of each file, in the order given.
        problems: names in another spelling, of another kind, or twice.
        changes: what mending them takes, in words, and how often.
    """

    videos: tuple[str, ...]
    problems: tuple[Problem, ...]
    changes: Mapping[str, int]

    @property
    def errors(self) -> list[Problem]:
        """Names that can't be mended."""
        others = [found for found in self.problems if found.severity == "error" and found.code not in SPELLINGS]
        return [
            found
            for found in others
            if found.code != "suffix" or PurePosixPath(found.where).suffix.lower() not in _SUFFIXES_OF_TABLES
        ]


def file_names(names: Sequence[str], format: Format, known: Collection[str]) -> FileNames:
    """Tell the video of each file from its name.

    Args:
        known: names of videos, if they are known: ``2.csv`` is then the file of ``0002``, with a warning, and an error
            tells that ``0002_pred.csv`` is. Without any, names are held against those of Aff-Wild2.
    """
    videos, problems, changes = list[str](), list[Problem](), Counter[str]()
    stems = [PurePosixPath(name).stem for name in names]
    known = known or known_names(stems, format)
    read = known_as(stems, known)
    second = {stem: video for video, own in under_several(stems, known).items() for stem in own[1:]}
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


def _words(format: Format) -> str:
    last, first = format.editions[-1], format.editions[0]
    return f"{format.name} (edition {first})" if last == first else f"{format.name} (editions {first} to {last})"
