"""Names that come from files, lists and records: which of them may become part of a path. One rule for all of them.

A video is called as its label file, its folder of images or its row in a template says, and the cache keeps its
features in files of that name. Whoever writes such a list must not decide where on the disk these files lie.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from harness.errors import AbawError, DataError, problem

LONGEST = 200
"""Bytes of a name: the cache appends such endings as ``.embeddings.npy``, and a file's name has at most 255 bytes."""


@functools.lru_cache(maxsize=65536)
def unusable(name: str) -> str:
    """Return why a name can't be that of a video or of a run; empty if it can.

    A usable name stays below the folder that it is appended to, on any system. It may have folders of its own, as
    ``82683/Visite_1/q1.mp4`` has.
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
    """Return a name that may become part of a path.

    Args:
        of: what bears the name, ``video``.
        where: the file that the name was read from.
        do: what the user can do about it.
        kind: of the error.

    Raises:
        AbawError: of that kind: the name would lead out of a folder, or can't be a file's.
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
    """Return the path of a file of that name below a folder.

    Args:
        ending: is appended to the name, ``.json``.

    Raises:
        DataError: the file would not lie below the folder.
    """
    require_name(
        name, "file", where=folder, do="Rename what bears this name: a video's label file and images, or rows of a list"
    )
    return folder / f"{name}{ending}"


DEEPEST = 32
"""Parts of a name, folders and the file itself: official archives have three at most."""


TOO_DEEP = f"a path of more than {DEEPEST} parts"


_LONGEST = 1000  # bytes of a whole name


def bad_name(name: str) -> str:
    """Why no file may be called that, on any system; empty if it may."""
    # first, as everything below takes as long as the name is
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
