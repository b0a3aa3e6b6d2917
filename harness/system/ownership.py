"""Checks of files' owners: who owns a file, and who else may change the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_GROUP, _OTHERS = stat.S_IWGRP, stat.S_IWOTH


def why_not_own(path: Path) -> str | None:
    """Return the reason why somebody else may have written a file; ``None`` if only the user can have.

    The reason is ``None`` if file and folder belong to the user, and nobody else may write them. A group that holds the
    user alone, as many systems give to each user, is allowed. On Windows, which has no such owners, every file is the
    user's.

    Raises:
        OSError: the file's status is unreadable.
    """
    if not hasattr(os, "getuid"):
        return None
    folders = dict.fromkeys([path.parent.resolve(), path.resolve().parent])  # folders of a link and of its target
    for place, kind in ((path, "the file"), *((folder, "its folder") for folder in folders)):
        status = place.stat()
        if status.st_uid != os.getuid():
            return f"{kind} belongs to {user_name(status.st_uid)}"
        if status.st_mode & _OTHERS:
            return f"everyone may write {'it' if kind == 'the file' else kind}"
        if status.st_mode & _GROUP and not _group_of_one(status.st_gid):
            return f"the group {group_name(status.st_gid)} may write {'it' if kind == 'the file' else kind}"
    return None


def belongs_to_user(path: Path) -> bool:
    """Tell if a file belongs to the user; on Windows, if the file exists."""
    try:
        return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()
    except OSError:
        return False


def user_name(uid: int) -> str:
    """Return the name of a user, or the number if the system knows no name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def group_name(gid: int) -> str:
    """Return the name of a group, or the number if the system knows no name."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_of_one(gid: int) -> bool:
    """Tell if a group holds the user alone: the user's first group, with the user's name and no other member."""
    import grp

    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    user = user_name(os.getuid())
    return gid == os.getgid() and group.gr_name == user and set(group.gr_mem) <= {user}
