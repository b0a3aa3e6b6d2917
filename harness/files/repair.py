"""Repair of malformed submissions: spelling, order, and a few missing frames.

The repair mends all spellings of :mod:`harness.files.spelling`, the order of rows, rows that the template
lacks, and missing frames between others of a video: values are interpolated, classes and bits are copied from the
nearest frame. Each change is counted. All other rows keep the text of their values.

The repair refuses values out of range or missing in a row, videos without any row, two rows for a frame that disagree,
bytes in another encoding than UTF-8, and systematic differences (:mod:`harness.files.checking.patterns`): such faults
concern the predictions themselves. A user who knows their cause sets an option: ``shift``, ``trust_numbers`` or
``clip``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from harness.errors import SubmissionError
from harness.files.archives.pack import zip_bytes
from harness.files.archives.read import Member, is_archive, read_members
from harness.files.checking.patterns import FILLED, MOST_AT_ENDS, MOST_FILLED, Frames, find_pattern
from harness.files.checking.recognise import Meant, first_lines
from harness.files.checking.submission import file_names
from harness.files.checking.table import check_table, column_order, frames_by_video, has_values, names_first, plain_text
from harness.files.format import Format
from harness.files.formats import no_format, plain_header
from harness.files.labels.truth import read_truth
from harness.files.parsing.lines import DECIMAL
from harness.files.report import Problem, Report
from harness.files.spelling import NO_ROWS, SPELLINGS, is_plain, is_row_name, plain_line
from harness.files.template import Template, dense_template, known_names, known_test_set, read_template, test_set_counts
from harness.files.video_names import known_as, under_several
from harness.files.video_templates import video_templates
from harness.system.atomic import atomic_file, atomic_folder
from harness.system.counts import counted
from harness.system.groups import grouped
from harness.system.regular import broken_link, read_or_refuse

_SPARSEST = 100  # frames per row, beyond which a file has other faults than gaps

_ABSENT = frozenset({"missing", "missing-video", "extra", "systematic"})  # errors that only a template can decide
_DECIMALS = 6
_ENOUGH_LETTERS = 3  # letters that the short and the long name of a column must share


@dataclass(frozen=True)
class Options:
    """Knowledge of the user about a file, beyond its content.

    Attributes:
        shift: number to add to every frame number.
        trust_numbers: True if frame numbers are right: fill the ends of videos from the nearest frame, and drop rows
            beyond the last frame.
        clip: True to replace values out of range by the nearest end of the range.
    """

    shift: int = 0
    trust_numbers: bool = False
    clip: bool = False


@dataclass(frozen=True)
class Repair:
    """Mended submission and the changes made.

    Attributes:
        changes: number of times by change, in words.
        rows: number of rows of the mended submission.
        files: content of each mended file by name.
        single: True for one table, False for a folder of files.
        remaining: remaining errors in words: without a template, rows of the real test set may be missing.
    """

    changes: Mapping[str, int]
    rows: int
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    single: bool = True
    remaining: tuple[str, ...] = ()


def repair(
    path: Path,
    out: Path,
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
    labels: Path | None = None,
    options: Options | None = None,
    force: bool = False,
) -> Repair:
    """Write a mended copy of a submission.

    Args:
        path: a table, or a folder or a zip of tables or of files per video.
        out: file to write; for a folder or a zip of several files, a folder, or a zip if its name ends in ``.zip``.
        task: short name of the task; by default recognised from the file.
        edition: number of the competition's edition, for formats that differ between editions.
        template: the organisers' rows. Without a template, rows keep their order.
        labels: instead of a template, labels whose videos and lengths the submission must have.
        options: knowledge of the user about the file; by default none.
        force: replace ``out`` if it exists.

    Raises:
        SubmissionError: a fault can be mended only by new predictions; or ``out`` exists, or is ``path``, the template
            or the labels. After an error ``out`` is unchanged.
    """
    for source, what in ((path, "the file to mend"), (template, "the template"), (labels, "the labels")):
        if source is not None and source.exists() and out.exists() and out.samefile(source):
            raise SubmissionError(f"{what} is kept", where=source, do="Name another file to write to")
    if out.exists() and not force:
        raise SubmissionError("this is there already", where=out, do="Name another place, or give --force")
    done = plan(path, task=task, edition=edition, template=template, labels=labels, options=options)
    _write(out, done, force)
    return done


def plan(
    path: Path,
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
    labels: Path | None = None,
    options: Options | None = None,
) -> Repair:
    """Mend a submission in memory, without writing it; see :func:`repair`."""
    mender = _Mender(Meant(task, edition, template), labels, options or Options())
    if not path.exists():
        raise SubmissionError("no such file or folder", where=path, found=broken_link(path))
    if not is_archive(path):
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        return mender.table(data, str(path), path.name)
    opened = read_members(path)
    members = list(opened)
    mender.changes.update(opened.warnings)
    tables = [mender.meant.detect(member.data, per_video=False) for member in members]
    if len(members) == 1 and tables[0]:
        return mender.table(members[0].data, f"{path}!{members[0].name}", PurePosixPath(members[0].name).name)
    if all(tables) or (any(tables) and not any(mender.detect(member.data) for member in members)):
        return mender.tables(members, [table for table in tables if table], path)
    return mender.videos(members, path)


def _write(out: Path, done: Repair, force: bool) -> None:
    if done.single:
        if out.is_dir():
            raise SubmissionError("this is a folder", where=out, do="Name a file to write to")
        (content,) = done.files.values()
        if out.suffix.lower() == ".zip":
            content = zip_bytes([Member(name, data) for name, data in done.files.items()])
        with atomic_file(out) as stream:
            stream.write(content)
        return
    if out.suffix.lower() == ".zip":
        with atomic_file(out) as stream:
            stream.write(zip_bytes([Member(name, data) for name, data in done.files.items()]))
        return
    if out.is_dir():
        ours = {PurePosixPath(name).parts[0] for name in done.files}
        strangers = sorted(p.name for p in out.iterdir() if p.name not in ours)
        if strangers:
            names_in_words = ", ".join(strangers[:5])
            raise SubmissionError("other files lie in this folder", where=out, found=names_in_words, do="Name another")
    with atomic_folder(out, replace=force) as temporary:
        for name, data in done.files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(data)


@dataclass(frozen=True)
class _Row:
    """Row of a submission: video, frame, the text of its values, and its line in the file; 0 for a filled-in row."""

    video: str
    frame: int
    text: str
    line: int


@dataclass(frozen=True)
class _Table:
    """File that was read, with its spelling mended.

    Attributes:
        where: name of the file, for messages.
        format: official format of the file.
        header: official header.
        rows: rows of the file.
        template: rows that the file must have, if known.
        video: the video that the file belongs to, in formats with one file per video; else ``""``.
    """

    where: str
    format: Format
    header: str
    rows: list[_Row]
    template: Template | None
    video: str


@dataclass(frozen=True)
class _Mender:
    meant: Meant
    labels: Path | None
    options: Options
    changes: Counter[str] = field(default_factory=Counter)
    remaining: list[str] = field(default_factory=list)

    def detect(self, data: bytes) -> Format | None:
        """Return the format of one video's file."""
        return self.meant.detect(data, per_video=True)

    def table(self, data: bytes, where: str, name: str) -> Repair:
        """Mend a file with a row per frame of each video, or per clip."""
        format = self.meant.detect(data, per_video=False)
        if format is None and (one := self.detect(data)):
            return self._one_video(data, where, name, one)
        format = format or self.meant.named(data)
        if format is None or format.row is None:
            raise no_format(where, first_lines(data)[0], self.meant.task)
        content, rows = self._finished(self._read(data, where, format, self._template(format), ""))
        return Repair(dict(self.changes), rows, {name: content}, remaining=tuple(self.remaining))

    def tables(self, members: Sequence[Member], formats: Sequence[Format], path: Path) -> Repair:
        """Mend several tables, each by itself."""
        kinds = dict.fromkeys(formats)
        files, total = {}, 0
        for member in members:
            where = f"{path}!{member.name}"
            format = self.meant.detect(member.data, per_video=False)
            if format is None or format.row is None:
                raise no_format(where, first_lines(member.data)[0], self.meant.task)
            try:
                template = self._template(format)
            except SubmissionError:
                if len(kinds) == 1:
                    raise
                template = None  # the template is for another of the tasks
            files[member.name], rows = self._finished(self._read(member.data, where, format, template, ""))
            total += rows
        return Repair(dict(self.changes), total, files, single=False, remaining=tuple(self.remaining))

    def _one_video(self, data: bytes, where: str, name: str, format: Format) -> Repair:
        templates = self._video_templates(format)
        video = PurePosixPath(name).stem
        if templates and (right := known_as([video], templates).get(video)):
            self.changes[f"taken for the file of {right}: call it {right}{format.suffix}"] += 1
            video = right
        if templates and video not in templates:
            others = f"{len(templates)} others, the first is {min(templates)}"
            raise SubmissionError(f"{video} is not in the template", where=where, found=others)
        template = templates[video] if templates else None
        content, rows = self._finished(
            self._read(data, where, template.format if template else format, template, video)
        )
        return Repair(dict(self.changes), rows, {name: content}, remaining=tuple(self.remaining))

    def videos(self, members: Sequence[Member], path: Path) -> Repair:
        """Mend a folder or a zip with a file per video."""
        formats = (self.detect(member.data) for member in members)
        format = next((f for f in formats if f), None)
        if format is None:
            raise no_format(f"{path}!{members[0].name}", first_lines(members[0].data)[0], self.meant.task)
        templates = self._video_templates(format)
        counts = test_set_counts(format.task) if templates is None and format.row is None else {}
        names = file_names([member.name for member in members], format, set(templates or ()))
        _refuse(names.errors, len(names.errors), str(path))
        self.changes.update(names.changes)
        if folders := {str(PurePosixPath(member.name).parent) for member in members} - {"."}:
            self.changes[f"files taken out of {', '.join(sorted(folders)[:3])}"] += sum(
                "/" in member.name for member in members
            )
        tables = {}
        for member, video in zip(members, names.videos, strict=True):
            if templates is not None and video not in templates:
                self.changes["files of videos that the template does not have removed"] += 1
                continue
            template = templates[video] if templates else None
            where, spelled = f"{path}!{member.name}", template.format if template else format
            tables[video] = self._read(member.data, where, spelled, template, video)
        if missing := sorted(set(templates or ()) - set(tables)):
            do = _about_absent([video for video in names.videos if video not in (templates or {})])
            raise SubmissionError(f"no file for {counted(len(missing), 'video')}", where=path, found=missing[:3], do=do)
        have = {video: np.array(sorted(row.frame for row in table.rows)) for video, table in tables.items()}
        must = {video: np.sort(rows.frame) for video, rows in (templates or {}).items()}
        self._refuse_pattern(have, must, str(path))
        files, total = {}, 0
        for video, table in tables.items():
            content, rows = self._finished(table)
            files[f"{video}{format.suffix}"] = content
            total += rows
        wrong = [name for name, table in tables.items() if counts.get(name, len(table.rows)) != len(table.rows)]
        if wrong:
            first = f"{wrong[0]}: {len(tables[wrong[0]].rows)} for {counts[wrong[0]]} frames"
            self.remaining.append(
                f"{counted(len(wrong), 'video', 'have')} another number of rows than of frames, the first is {first}"
            )
        return Repair(dict(self.changes), total, files, single=False, remaining=tuple(self.remaining))

    def _video_templates(self, format: Format) -> Mapping[str, Template] | None:
        if self.meant.template is not None:
            return video_templates(self.meant.template, format)
        if self.labels is not None:
            truth = read_truth(self.labels, format.task)
            return {name: dense_template({name: n}, format, str(self.labels)) for name, n in truth.n_frames.items()}
        return None

    def _template(self, format: Format) -> Template | None:
        if self.meant.template is not None:
            return read_template(self.meant.template, format)
        if self.labels is not None:
            truth = read_truth(self.labels, format.task)
            return truth.rows or dense_template(truth.n_frames, format, str(self.labels))
        return None

    def _read(self, data: bytes, where: str, format: Format, template: Template | None, video: str) -> _Table:
        """Return the rows of a file in plain spelling; raise an error if a row has any other fault."""
        report = Report(where, format.name)
        text, moved = names_first(plain_text(data, report), format, report)
        several = {"column-order": moved, "crlf": data.count(b"\r\n") or data.count(b"\r")}
        for code in [code for _, code in report.counts if code in SPELLINGS]:
            self.changes[SPELLINGS[code].mended] += several.get(code, 1)
            report.counts.pop(("error", code))
            report.problems[:] = [problem for problem in report.problems if problem.code != code]
        if text and not text.endswith("\n"):
            self.changes["end of the last line added"] += 1
        header, rows = self._respelled(text, format, template, report, video)
        if not video:
            rows = self._known_names(rows, format, template, where)
            template = self._real_test_set(rows, format) if template is None else template
        if self.options.clip:
            rows = [self._clipped(row, format) for row in rows]
        checked = check_table(_written(rows, format, header), where, format, video=video, known=False)
        wrong = [*report.errors, *_named_lines(checked.report.errors, rows, where, bool(header))]
        ignored = {"zero-based"} if self.options.shift else set()
        wrong = [problem for problem in wrong if problem.code not in ignored]
        n = report.n_errors + sum(
            k for (level, code), k in checked.report.counts.items() if level == "error" and code not in ignored
        )
        _refuse(wrong, max(len(wrong), n), where, self._way_on(checked.report, format))
        if self.options.shift and format.row is not None:
            rows = [_Row(row.video, row.frame + self.options.shift, row.text, row.line) for row in rows]
            self.changes[f"frame numbers changed by {self.options.shift:+d}"] += len(rows)
        return _Table(where, format, header, rows, template, video)

    def _finished(self, table: _Table) -> tuple[bytes, int]:
        """Return the content of a mended file, and its number of rows."""
        rows = self._placed(table)
        content = _written(rows, table.format, table.header)
        final = check_table(content, table.where, table.format, table.template, video=table.video).report
        held = table.template is None and not table.video
        remaining = [problem for problem in final.errors if not (held and problem.code in _ABSENT)]
        if remaining:
            shown = "\n".join(f"  {problem}" for problem in remaining[:5])
            raise SubmissionError(f"{table.where}: could not be mended:\n{shown}")
        if final.errors:
            self.remaining.append(f"{counted(final.n_errors, 'error', 'remain')}, the first: {final.errors[0].message}")
        return content, len(rows)

    def _respelled(
        self, text: str, format: Format, template: Template | None, report: Report, video: str
    ) -> tuple[str, list[_Row]]:
        """Return the header, and each row in its plainest spelling; report lines with other faults."""
        header, body, first, order = self._header(text, format, report)
        names = frozenset(template.videos) if template is not None else frozenset()
        rows, row_by_name = list[_Row](), dict[tuple[str, int], _Row]()
        lines = body.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, start=first):
            plain = plain_line(line, format, names)
            for note in {note.code: note for note in plain.notes}.values():
                if note.code in SPELLINGS and (format.row is not None or note.code not in NO_ROWS):
                    self.changes[SPELLINGS[note.code].mended] += 1
                else:
                    report.add(number, note.column, note.code, note.message)
            if plain.text is None:
                continue
            name, comma, values = plain.text.partition(",") if format.row is not None else ("", ",", plain.text)
            parsed = format.row.parse(name) if format.row is not None else (video, number - first + 1)
            if parsed is None or not (parsed[0] in names or is_plain(parsed[0], format)):
                report.add(number, 1, "location", f"found {line[:60]!r}, expected '{format.row_example}'")
                continue
            if order is not None and comma:
                parts = values.split(",")
                if len(parts) == len(order):
                    values = ",".join(parts[k] for k in order)
                    self.changes[SPELLINGS["column-order"].mended] += 1
            row = _Row(parsed[0] or video, parsed[1], values, number)
            other = row_by_name.setdefault((row.video, row.frame), row)
            if other is not row and _same_values(other.text, row.text):
                self.changes[SPELLINGS["duplicate"].mended] += 1
            elif other is not row:
                message = f"{name} has another row, in line {other.line}, with other values"
                report.add(number, 1, "duplicate", message)
            else:
                rows.append(row)
        return header, rows

    def _real_test_set(self, rows: list[_Row], format: Format) -> Template | None:
        """Return the rows of the real test set if most videos are of it and the user trusts the frame numbers."""
        names = {row.video for row in rows} if self.options.trust_numbers else set()
        return known_test_set(format) if 2 * len(names & test_set_counts(format.task).keys()) > len(names) else None

    def _known_names(self, rows: list[_Row], format: Format, template: Template | None, where: str) -> list[_Row]:
        """Return the rows with the known names of their videos."""
        names = tuple(dict.fromkeys(row.video for row in rows))
        known = template.videos if template is not None else known_names(names, format)
        if several := under_several(names, known):
            video, names_of_video = next(iter(several.items()))
            names_in_words = ", ".join(map(repr, names_of_video))
            raise SubmissionError(
                f"{video} has rows under several names", where=where, found=names_in_words, do="Keep one"
            )
        read = known_as(names, known)
        if not read:
            return rows
        self.changes[SPELLINGS["name"].mended] += sum(row.video in read for row in rows)
        return [_Row(read.get(row.video, row.video), row.frame, row.text, row.line) for row in rows]

    def _header(self, text: str, format: Format, report: Report) -> tuple[str, str, int, list[int] | None]:
        """Return the official header, the text of the rows, the line on which they begin, and the order of columns.

        The order is ``None`` if the columns stand in the official order.
        """
        header, _, body = text.partition("\n")
        if not format.header:
            if not header.strip() or self._is_row(header, format) or has_values(header):
                return "", text, 1, None
            self.changes[SPELLINGS["header"].mended] += 1
            return "", body, 2, None
        if header == format.header or header in format.also:
            return header, body, 2, None
        order = column_order(header, format)
        if order is not None:
            return format.header, body, 2, order
        if self._is_row(header, format):
            self.changes[SPELLINGS["header"].mended] += 1
            return format.header, text, 1, None
        checked = check_table((header + "\n").encode(), report.where, format, known=False).report
        if not _like_header(header, format):
            report.add(1, 1, "header", f"found {header[:80]!r}, which is neither the header nor a row")
            return format.header, body, 2, None
        faults = [
            problem
            for problem in checked.errors
            if problem.line == 1 and problem.code not in ("empty", "header", "quoted")
        ]
        if faults or not _same_columns(header, format):
            message = f"found {header[:80]!r}, expected {format.header!r}: its values may mean something else, too"
            report.add(1, 1, "header", message)
        else:
            self.changes[SPELLINGS["header"].mended] += 1
        return format.header, body, 2, None

    def _is_row(self, line: str, format: Format) -> bool:
        if format.row is None:
            return bool(line) and all(part.strip(' +-.0123456789eE"') == "" for part in line.split(","))
        return is_row_name(line.partition(",")[0].strip('" \t'), format)

    def _clipped(self, row: _Row, format: Format) -> _Row:
        parts = row.text.split(",")
        if len(parts) != len(format.columns):
            return row
        for k, (part, column) in enumerate(zip(parts, format.columns, strict=True)):
            try:
                value = float(part)
            except ValueError:
                continue
            if not column.whole and np.isfinite(value) and not column.low <= value <= column.high:
                parts[k] = f"{min(max(value, column.low), column.high):g}"
                self.changes[f"values put on the nearest end of {column.low:g} to {column.high:g}"] += 1
        return _Row(row.video, row.frame, ",".join(parts), row.line)

    def _way_on(self, report: Report, format: Format) -> str:
        if ("error", "range") in report.counts and not format.whole and not self.options.clip:
            return "To put values that are out of range on the nearest end of it, give --clip"
        if ("error", "zero-based") in report.counts and format.row is not None and not self.options.shift:
            return "If every frame's number is 1 too low, and nothing else is wrong: --shift +1"
        return ""

    def _placed(self, table: _Table) -> list[_Row]:
        """Return the required rows in their order, with gaps filled."""
        rows, format, template, where = table.rows, table.format, table.template, table.where
        if format.row is None or format.row.first is None or (template is None and format.sparse):
            return self._ordered(rows, template, where)
        have = grouped((row.video, row) for row in rows)
        frames = {name: np.array(sorted(row.frame for row in rows_of_video)) for name, rows_of_video in have.items()}
        first = format.row.first
        if template is None:
            self._refuse_sparse(frames, first, where)
        must = (
            {name: np.arange(first, numbers[-1] + 1) for name, numbers in frames.items() if numbers[-1] >= first}
            if template is None
            else {name: numbers.astype(np.int64) for name, numbers in frames_by_video(template).items()}
        )
        if not table.video:
            self._refuse_pattern(frames, must, where)
        absent = [name for name in must if name not in have]
        if absent:
            do = _about_absent([name for name in have if name not in must])
            raise SubmissionError(
                f"{counted(len(absent), 'video', 'have')} no row", where=where, found=", ".join(absent[:3]), do=do
            )
        filled: list[_Row] = []
        for name, numbers in must.items():
            filled += self._filled(have[name], frames[name], numbers, format, where)
        return self._ordered([*rows, *filled], template, where)

    def _refuse_sparse(self, have: Mapping[str, Frames], first: int, where: str) -> None:
        """Raise an error for a video with a frame number so high that listing all lower ones would take long."""
        for name, numbers in have.items():
            length = int(numbers[-1]) - first + 1
            if length > _SPARSEST * (len(numbers) + _SPARSEST):
                raise _too_many(length - len(numbers), length, name, MOST_FILLED * length, where)

    def _refuse_pattern(self, have: Mapping[str, Frames], must: Mapping[str, Frames], where: str) -> None:
        pattern = find_pattern({name: numbers for name, numbers in have.items() if name in must}, must)
        trusted = FILLED if self.options.trust_numbers else ()
        if pattern is not None and pattern.kind not in trusted:
            raise SubmissionError(pattern.message, where=where, do=pattern.way_on)

    def _filled(self, rows: list[_Row], frames: Frames, must: Frames, format: Format, where: str) -> Iterator[_Row]:
        missing = np.setdiff1d(must, frames)
        if not len(missing):
            return
        name = rows[0].video
        inside = frames[np.isin(frames, must)]
        most = MOST_FILLED * len(must)
        if self.options.trust_numbers:
            most = max(most, MOST_AT_ENDS)
        if not len(inside) or len(missing) > most:
            raise _too_many(len(missing), len(must), name, most, where)
        texts = {row.frame: row.text for row in rows}
        for frame in missing.tolist():
            at = int(np.searchsorted(inside, frame))
            left, right = int(inside[max(at - 1, 0)]), int(inside[min(at, len(inside) - 1)])
            yield _Row(name, frame, self._between(frame, left, right, texts, format), 0)

    def _between(self, frame: int, left: int, right: int, texts: Mapping[int, str], format: Format) -> str:
        nearest = left if abs(left - frame) <= abs(right - frame) else right
        if format.whole or left == right or not left < frame < right:
            self.changes["missing frames taken from the nearest"] += 1
            return texts[nearest]
        self.changes["missing frames interpolated"] += 1
        low, high = texts[left].split(","), texts[right].split(",")
        share = (frame - left) / (right - left)
        near = low if nearest == left else high
        return ",".join(
            near[k] if column.whole else f"{(1 - share) * float(low[k]) + share * float(high[k]):.{_DECIMALS}f}"
            for k, column in enumerate(format.columns)
        )

    def _ordered(self, rows: list[_Row], template: Template | None, where: str) -> list[_Row]:
        if template is not None and template.ordered:
            return self._as_in_template(rows, template, where)
        if template is not None:
            keep = {(name, frame) for name, numbers in frames_by_video(template).items() for frame in numbers.tolist()}
            rows = self._without(rows, keep)
        place: dict[str, int] = {}
        for row in rows:
            place.setdefault(row.video, len(place))
        if all(row.line for row in rows):
            return rows  # as they were
        ordered = sorted(rows, key=lambda row: (place[row.video], row.frame))
        rows_of_file = [row for row in rows if row.line]
        moved = sum(a is not b for a, b in zip(rows_of_file, [row for row in ordered if row.line], strict=True))
        if moved:
            self.changes["rows put in the order of videos and frames, as some had to be filled in"] += moved
        return ordered

    def _as_in_template(self, rows: list[_Row], template: Template, where: str) -> list[_Row]:
        places = {
            (template.videos[video], frame): k
            for k, (video, frame) in enumerate(zip(template.video.tolist(), template.frame.tolist(), strict=True))
        }
        rows = self._without(rows, places)
        at = [places[row.video, row.frame] for row in rows if row.line]
        if moved := sum(a != b for a, b in zip(at, sorted(at), strict=True)):
            self.changes["rows put in the template's order"] += moved
        ordered = sorted(rows, key=lambda row: places[row.video, row.frame])
        if len(ordered) < len(places):
            there = {(row.video, row.frame) for row in ordered}
            name, frame = next(key for key in places if key not in there)
            label = template.format.row.name(name, frame) if template.format.row else name
            gap, do = f"{len(places) - len(ordered)} of {len(places)} rows, the first is {label}", "Predict them"
            raise SubmissionError("rows of the template are missing", where=where, found=gap, do=do)
        return ordered

    def _without(self, rows: list[_Row], keep: Mapping[tuple[str, int], int] | set[tuple[str, int]]) -> list[_Row]:
        remaining_rows = [row for row in rows if (row.video, row.frame) in keep]
        if len(remaining_rows) < len(rows):
            self.changes["rows that the template does not have removed"] += len(rows) - len(remaining_rows)
        return remaining_rows


def _about_absent(others: Sequence[str]) -> str:
    """Return the advice on videos without a row, where rows of these others are there."""
    if not others:
        return "Predict them: nothing is there to fill them from"
    some = f"{len(others)} others, the first {others[0]!r}"
    return f"If they are among the {some}, write their names as the template has them; if not, predict them"


def _like_header(line: str, format: Format) -> bool:
    """Tell if a line is the header in another spelling: it shares the first name, or at least half of the names."""
    fields, official = (plain_header(text).split(",") for text in (line, format.header))
    return fields[0] == official[0] or 2 * len(set(fields) & set(official)) >= len(official)


def _same_columns(header: str, format: Format) -> bool:
    """Tell if a header's names mean the official ones in their order, as ``Happy`` means ``Happiness``.

    Any name is accepted for a single column.
    """
    named = format.row is not None
    fields, official = (plain_header(text).split(",")[named:] for text in (header, format.header))
    if len(format.columns) == 1 and len(fields) == 1:
        return True
    return len(fields) == len(official) and all(_meant(field, official) == k for k, field in enumerate(fields))


def _meant(field: str, official: Sequence[str]) -> int:
    """Return the place of the official name that a field means; -1 if the field fits none or several."""
    if field in official:
        return official.index(field)
    start = field[:_ENOUGH_LETTERS]
    close = [k for k, name in enumerate(official) if name.startswith(start) and len(start) == _ENOUGH_LETTERS]
    return close[0] if len(close) == 1 and field.isalpha() else -1


def _same_values(a: str, b: str) -> bool:
    """Tell if two texts hold equal numbers, such as ``0.50`` and ``0.5``."""
    if a == b:
        return True
    one, other = a.split(","), b.split(",")
    if len(one) != len(other) or not all(DECIMAL.fullmatch(part) for part in (*one, *other)):
        return False
    return list(map(float, one)) == list(map(float, other))


def _written(rows: Sequence[_Row], format: Format, header: str) -> bytes:
    names = (f"{format.row.name(row.video, row.frame)},{row.text}" if format.row else row.text for row in rows)
    return "\n".join([*([header] if header else []), *names, ""]).encode()


def _named_lines(errors: Sequence[Problem], rows: Sequence[_Row], where: str, header: bool) -> list[Problem]:
    """Return problems of the respelled file with the line numbers of the original file."""
    named = []
    for problem in errors:
        at = problem.line - 1 - header
        line = rows[at].line if 0 <= at < len(rows) else problem.line
        named.append(Problem(where, line, problem.column, problem.code, problem.message, problem.severity))
    return named


def _refuse(errors: Sequence[Problem], n: int, where: str, way_on: str = "") -> None:
    if errors:
        shown = "\n".join(f"  {problem}" for problem in errors[:5])
        more = f"\n{way_on}" if way_on else ""
        raise SubmissionError(
            f"{where}: {counted(n, 'problem')} that can't be mended without making up predictions:\n{shown}{more}"
        )


def _too_many(missing: int, total: int, video: str, most: float, where: str) -> SubmissionError:
    return SubmissionError(
        f"{missing} of {total} frames of {video} have no row",
        where=where,
        expected=f"at most {int(most)} ({MOST_FILLED:.0%}) to fill",
        do="Predict them: that many can't be filled without making up predictions",
    )
