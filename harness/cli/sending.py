"""The end of `abaw submit` and of `abaw blend --split test`: the archive to send in, its check, and how to note it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.official import ExpectedRows
from harness.datasets.dataset import Dataset
from harness.runs.finished import Finished
from harness.system.counts import counted, verb_for
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.files.report import Report


@dataclass(frozen=True)
class ReadySubmission:
    """A run on test, packed.

    Attributes:
        archive: beside the run's folder.
        command: that notes it as sent.
        report: of the check of the official file.
        expected: rows that the check held the file against.
        warnings: doubts about the official file and the test videos.
    """

    archive: Path
    command: str
    report: Report
    expected: ExpectedRows
    warnings: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """True without errors in the official file."""
        return self.report.valid

    @property
    def verdict(self) -> str:
        """Result of the check in words: valid or not, the rows it was held against, and its size."""
        template, listed = self.expected.template, self.expected.listed
        state = "valid" if self.valid else f"NOT valid ({counted(self.report.n_errors, 'error')})"
        if template is not None:
            return f"{state} against the template {one_line(template)}: {self.report.size}"
        if listed is not None:
            against = f"{state} against the list of test videos {one_line(listed.where)}: {self.report.size}"
            return f"{against} (no template is released, so that the order of the rows was not checked)"
        state = "well-formed" if self.valid else state
        return f"{state}: {self.report.size}; missing rows stay undetected, as neither template nor test list is there"

    def plain(self) -> dict[str, Any]:
        """Return plain data."""
        template, listed = self.expected.template, self.expected.listed
        return {
            "archive": str(self.archive),
            "valid": self.valid,
            "verdict": self.expected.verdict(self.report),
            "template": None if template is None else str(template),
            "test_list": None if listed is None else listed.where,
            "rows": self.report.rows,
            "videos": self.report.videos,
            "errors": [str(error) for error in self.report.errors],
            "warnings": list(self.warnings),
        }

    def show(self) -> None:
        """Print the verdict and where the archive lies, and errors and warnings on stderr."""
        click.echo(f"checked        {self.verdict}")
        click.echo(f"to send in     {self.archive}  (note it with: {self.command})")
        for error in self.report.errors:
            click.echo(str(error), err=True)
        for text in self.warnings:
            click.echo(f"warning: {text}", err=True)


def packed_submission(finished: Finished, data: Dataset) -> ReadySubmission:
    """Return a run on test as a zip of its official files, checked against the data set's template."""
    from harness.files.archives.pack import pack
    from harness.files.checking.submission import validate
    from harness.records.run import official_files

    folder = finished.folder
    archive = pack(official_files(folder), folder.with_name(f"{folder.name}.zip"), force=True).path
    expected = _expected_rows(data)
    named = ("--template", expected.template) if expected.template is not None else ("--data", data.root)
    rows = f" {named[0]} {shlex.quote(str(named[1]))}"
    command = f"abaw slots send {shlex.quote(str(archive))} --task {data.task.name}{rows}"
    report = validate(finished.submission, task=data.task.name, template=expected.template, listed=expected.listed)
    return ReadySubmission(archive, command, report, expected, tuple(_doubts(report, data)))


def _expected_rows(data: Dataset) -> ExpectedRows:
    """Return the rows of the data set's template, or those that follow from its list of test videos."""
    template = data.template
    if template is None:
        return ExpectedRows(task=data.task.name)
    listed = replace(template, ordered=False) if template.assembled else None
    return ExpectedRows(template.path, listed, task=data.task.name)


def _doubts(report: Report, data: Dataset) -> list[str]:
    """Return the validator's doubts about the official file, and oddities of the test videos' images."""
    from harness.datasets.checking.report import elsewhere_words
    from harness.datasets.images.positions import doubts_of_positions

    bare = [video.name for video in data.videos("test") if not len(video.images)]
    texts = [finding.message for finding in report.problems if finding.severity == "warning"]
    if bare:
        some = ", ".join(bare[:5]) + (" …" if len(bare) > 5 else "")
        total = len(data.videos("test"))
        near = elsewhere_words(data, bare)
        texts.append(
            f"{len(bare)} of {counted(total, 'test video')} {verb_for(len(bare), 'have')} no {data.task.noun} "
            f"at all: {some}" + (f"; {near}" if near else "")
        )
    return texts + doubts_of_positions(data.videos("test"))
