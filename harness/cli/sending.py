"""The end of `abaw submit` and of `abaw blend --split test`: the archive to send in, and how to note it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from harness.datasets.dataset import Dataset
from harness.runs.finished import Finished


@dataclass(frozen=True)
class ReadySubmission:
    """A run on test, packed.

    Attributes:
        archive: beside the run's folder.
        command: that notes it as sent.
        warnings: doubts about the official file and the test videos.
    """

    archive: Path
    command: str
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return plain data."""
        return {"archive": str(self.archive), "warnings": list(self.warnings)}

    def show(self) -> None:
        """Print where the archive lies, and the warnings on stderr."""
        click.echo(f"to send in     {self.archive}  (note it with: {self.command})")
        for text in self.warnings:
            click.echo(f"warning: {text}", err=True)


def packed_submission(finished: Finished, data: Dataset) -> ReadySubmission:
    """Return a run on test as a zip of its official files, checked against the data set's template."""
    from harness.files.archives.pack import pack
    from harness.records.run import official_files

    folder = finished.folder
    archive = pack(official_files(folder), folder.with_name(f"{folder.name}.zip"), force=True).path
    template = data.template.path if data.template is not None else None
    named = ("--template", template) if template is not None else ("--data", data.root)
    rows = f" {named[0]} {shlex.quote(str(named[1]))}"
    command = f"abaw slots send {shlex.quote(str(archive))} --task {data.task.name}{rows}"
    return ReadySubmission(archive, command, tuple(_doubts(finished, data)))


def _doubts(finished: Finished, data: Dataset) -> list[str]:
    """Return what the validator doubts about the official file, and what is odd about the test videos' images."""
    from harness.datasets.checking.report import elsewhere_words
    from harness.datasets.images.positions import doubts_of_positions
    from harness.files.checking.submission import validate

    template = data.template.path if data.template is not None else None
    listed = replace(data.template, ordered=False) if data.template is not None and data.template.assembled else None
    report = validate(finished.submission, task=data.task.name, template=template, listed=listed)
    bare = [video.name for video in data.videos("test") if not len(video.images)]
    texts = [finding.message for finding in report.problems if finding.severity == "warning"]
    if bare:
        some = ", ".join(bare[:5]) + (" …" if len(bare) > 5 else "")
        total = len(data.videos("test"))
        near = elsewhere_words(data, bare)
        texts.append(
            f"{len(bare)} of {total} test videos have no {data.task.noun} at all: {some}"
            + (f"; {near}" if near else "")
        )
    return texts + doubts_of_positions(data.videos("test"))
