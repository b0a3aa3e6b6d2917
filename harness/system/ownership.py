"""Files that nobody but the user can have written: who owns a file, and who else may change the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_GROUP, _OTHERS = stat.S_IWGRP, stat.S_IWOTH


def why_not_own(path: Path) -> str | None:
    """Say why a file may be the work of somebody else; return ``None`` where only the user can have written the file.

    File and folder have to belong to the user, and nobody else may write them. A group that holds the user alone, as
    many systems give to each user, counts as nobody else. On Windows, which has no such owners, every file is the
    user's.

    Raises:
        OSError: the file can't be looked at.
    """
    if not hasattr(os, "getuid"):
        return None
    folders = dict.fromkeys([path.parent.resolve(), path.resolve().parent])  # of a link, and of what it leads to
    for place, kind in ((path, "the file"), *((folder, "its folder") for folder in folders)):
        found = place.stat()
        if found.st_uid != os.getuid():
            return f"{kind} belongs to {user_name(found.st_uid)}"
        if found.st_mode & _OTHERS:
            return f"everyone may write {'it' if kind == 'the file' else kind}"
        if found.st_mode & _GROUP and not _group_of_one(found.st_gid):
            return f"the group {group_name(found.st_gid)} may write {'it' if kind == 'the file' else kind}"
    return None


def belongs_to_user(path: Path) -> bool:
    """Return whether a file belongs to the user; on Windows, whether the file is there."""
    try:
        return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()
    except OSError:
        return False


def user_name(uid: int) -> str:
    """Return the name of a user, or the number where the system knows no name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def group_name(gid: int) -> str:
    """Return the name of a group, or the number where the system knows no name."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_of_one(gid: int) -> bool:
    """Return whether a group is the user's own: the user's first group, of the user's name, without other members."""
    import grp

    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    own = user_name(os.getuid())
    return gid == os.getgid() and group.gr_name == own and set(group.gr_mem) <= {own}
