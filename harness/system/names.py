"""Check of names from files, lists and records before they become part of a path.

A video takes its name from its label file, its folder of images or its row in a template, and the cache uses the name
for feature files. The author of such a list must not decide where on the disk these files lie.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from harness.errors import AbawError, DataError, problem

LONGEST = 200
"""Most bytes of a name: the cache appends endings such as ``.embeddings.npy``, and file names have at most 255."""


@functools.lru_cache(maxsize=65536)
def unusable(name: str) -> str:
    """Return the reason to refuse a name of a video or run; ``""`` for a usable name.

    A path of a folder and a usable name stays below the folder, on any system. The name may contain folders, such as
    ``82683/Visite_1/q1.mp4``.
    """
    if not name:
        return "an empty name"
    if ".." in name.replace("\\", "/").split("/"):
        return "a path that leads out of its folder"
    if name.endswith("/"):
        return "the name of a folder"
    if why := bad_name(name):
        return why
    if any(part.startswith(".") for part in name.split("/")):
        return "a name that begins with a dot, which marks hidden files"
    if name != name.strip():
        return "a name that begins or ends with a space"
    if len(name.encode("utf-8", "replace")) > LONGEST:
        return f"a name longer than {LONGEST} bytes"
    return ""


def require_name(
    name: str, of: str, *, where: object = None, do: str | None = None, kind: type[AbawError] = DataError
) -> str:
    """Return the name if it may become part of a path; else raise an error.

    Args:
        name: the name.
        of: kind of object with this name, such as ``video``, for the message.
        where: file that the name was read from.
        do: advice to the user.
        kind: class of the error.

    Raises:
        AbawError: the name would lead out of a folder, or is unfit for a file; an error of class ``kind``.
    """
    if why := unusable(name):
        raise kind(
            problem(
                f"this can't be the name of a {of}: {why}",
                where=where,
                found=repr(name if len(name) <= LONGEST else name[:LONGEST] + "…"),
                expected="a plain name",
                do=do,
            )
        )
    return name


def inside(folder: Path, name: str, ending: str = "") -> Path:
    """Return the path of the file with this name below a folder.

    Args:
        folder: the folder.
        name: name of the file, or of a video or run.
        ending: text to append to the name, such as ``.json``.

    Raises:
        DataError: the file would not lie below the folder.
    """
    require_name(
        name, "file", where=folder, do="Rename what bears this name: a video's label file and images, or rows of a list"
    )
    return folder / f"{name}{ending}"


DEEPEST = 32
"""Most parts of a name, folders and the file itself; official archives have at most three."""


TOO_DEEP = f"a path of more than {DEEPEST} parts"


_LONGEST = 1000  # bytes of a whole name


def bad_name(name: str) -> str:
    """Return the reason to refuse a file name on any system; ``""`` for an accepted name."""
    # first, as the time of all other checks grows with the length
    if len(name.encode("utf-8", "replace")) > _LONGEST:
        return f"a path longer than {_LONGEST:,} bytes"
    if name.rstrip("/").count("/") >= DEEPEST:
        return TOO_DEEP
    if "\\" in name:
        return "a backslash in its name; expected / between folders"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "an absolute path"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "a path that leads out of the archive"
    if "" in parts or "." in parts:
        return "a path with an empty part"
    if not name.isprintable():
        return "a control character in its name"
    if max(len(part.encode("utf-8", "replace")) for part in parts) > 255:
        return "a name longer than 255 bytes"
    return ""
