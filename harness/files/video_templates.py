"""Templates with one file per video: the organisers' ``Expected_Output_Files``, as a folder or a zip."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError
from harness.files.archives.read import is_archive, read_members
from harness.files.checking.table import check_table
from harness.files.format import FRAME_NUMBER, Format
from harness.files.template import STRUCTURAL, Template, read_template
from harness.system.names import require_name
from harness.system.regular import broken_link

_TO_BE_FILLED = {"blank-value", "columns", "range"}
# "Frame_Number,Label", "Frame_Num,Label", "frame,Predicted_Label": submissions must repeat the template's header
_NUMBERED = re.compile(r"frame([ _-]*(num(ber)?|no))?\s*,\s*(predicted[ _-]*)?label", re.IGNORECASE)


def video_templates(path: Path, format: Format) -> Mapping[str, Template]:
    """Read the rows of each video from a folder or a zip, or of one video from its file.

    Raises:
        SubmissionError: a file is no template of the format; the message names the line.
    """
    if path.is_file() and not is_archive(path):
        return {path.stem: read_template(path, format)}
    return read_video_templates(path, format)


def read_video_templates(path: Path, format: Format) -> dict[str, Template]:
    """Return the template of each video, in the order of file names, with the header of its file in its format.

    Raises:
        SubmissionError: a file is no template of the format; the message names the line.
    """
    if not path.exists():
        raise SubmissionError("no such folder or zip of templates", where=path, found=broken_link(path))
    templates: dict[str, Template] = {}
    for member in read_members(path):
        name = PurePosixPath(member.name)
        where = f"{path}!{member.name}"
        if name.suffix != format.suffix:
            continue
        require_name(name.stem, "video", where=where, do="Rename or remove this file", kind=SubmissionError)
        if name.stem in templates:
            raise SubmissionError(
                "a second template for one video", where=where, found=templates[name.stem].where, do="Remove one"
            )
        data = member.data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        spelled_format = _spelled(format, data.partition(b"\n")[0].decode(errors="replace").strip())
        checked = check_table(data, where, spelled_format, None, video=name.stem, known=False)
        errors = [p for p in checked.report.problems if p.code in STRUCTURAL]
        errors += [p for p in checked.report.errors if p.code not in _TO_BE_FILLED]
        if errors:
            raise SubmissionError(f"not a template for {format.name}: {errors[0]}")
        rows = {key: value for key, value in vars(checked.rows).items() if key != "wrong"}
        templates[name.stem] = Template(**rows, where=where, format=spelled_format)
    if not templates:
        raise SubmissionError("no templates", where=path, expected=f"<video>{format.suffix} files")
    return templates


def _spelled(format: Format, header: str) -> Format:
    if format.row is FRAME_NUMBER and (header == format.header or _NUMBERED.fullmatch(header)):
        return replace(format, header=header, also=())
    return format


def joined(templates: Mapping[str, Template], where: Path, format: Format) -> Template:
    """Return the rows of all videos as one template."""
    parts = list(templates.values())
    headers = {name: part.format.header for name, part in templates.items()}
    return Template(
        videos=tuple(templates),
        video=np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts]),
        frame=_end_to_end([part.frame for part in parts]),
        values=_end_to_end([part.values for part in parts]),
        where=str(where),
        format=format,
        headers={name: header for name, header in headers.items() if header != format.header},
    )


def _end_to_end(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
