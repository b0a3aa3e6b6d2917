"""Folders of images below a data set's root, recognised by their contents, and matched to videos.

Downloads differ: crops lie in ``cropped``, in ``cropped_aligned``, or in batches (``cropped_images/batch1``,
``cropped_aligned_image_test/batch1 (1)/cropped_aligned``). A folder that holds images belongs to one video; a folder
that holds folders is searched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.system.counts import counted
from harness.system.groups import grouped

Identity = tuple[int, int]
IMAGE = re.compile(r"\.(jpg|jpeg|png|bmp|webp)$", re.IGNORECASE)
KINDS = ("cropped", "cropped_aligned")
_DEPTH = 6
_SAMPLE = 64  # entries that tell whether a folder holds images or folders
_CROPS = re.compile(r"crop", re.IGNORECASE)
_ALIGNED = re.compile(r"align", re.IGNORECASE)
_SURPLUS = re.compile(r"(_aligned|\.(mp4|avi|mov|mkv|webm))$", re.IGNORECASE)


@dataclass
class ImageFolders:
    """Folders of images below a root.

    Attributes:
        crops: folders of crops by kind (``cropped``, ``cropped_aligned``) and name; several paths may have one name.
        others: by parent folder, names of image folders in whose path nothing is called crops.
    """

    crops: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    others: dict[Path, list[str]] = field(default_factory=dict)


def find_image_folders(root: Path) -> ImageFolders:
    """Find all folders of images below a root.

    Raises:
        OSError: a folder can't be listed.
    """
    image_folders = ImageFolders()
    for folder in with_images(root, _DEPTH):
        above = folder.parent.relative_to(root).parts
        if any(_CROPS.search(part) or _ALIGNED.search(part) for part in above):
            kind = "cropped_aligned" if any(_ALIGNED.search(part) for part in above) else "cropped"
            image_folders.crops.setdefault(kind, {}).setdefault(folder.name, []).append(folder)
        else:
            image_folders.others.setdefault(folder.parent, []).append(folder.name)
    return image_folders


def with_images(folder: Path, depth: int, above: frozenset[Identity] = frozenset()) -> Iterator[Path]:
    """Yield the folders below a folder that hold images or are empty; a folder of images is not searched further.

    Args:
        folder: the folder to search; a link that leads back to a folder above it is skipped.
        depth: levels of folders to search.
        above: identities of the folders that this one lies in.
    """
    above |= {identity(folder)}
    for child in sorted(_folders(folder)):
        holds = _holds(child)
        if holds == "folders" and depth > 1 and identity(child) not in above:
            yield from with_images(child, depth - 1, above)
        elif holds in ("images", "nothing"):
            yield child


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        readable = [entry for entry in entries if is_readable(entry.path)]
    return [Path(entry.path) for entry in readable if not entry.name.startswith(".") and _is_folder(entry)]


def identity(folder: Path) -> Identity:
    """Return the identity of a folder, equal for all paths to it: the numbers of its device and its inode."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def is_readable(folder: str | Path) -> bool:
    """Return True where a folder may be read; a disk's ``lost+found``, for example, may not."""
    return os.access(folder, os.R_OK | os.X_OK)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may be read, in alphabetical order; hidden ones are left out."""
    # permission comes first: for lost+found even the question whether it is a folder may be refused
    readable = (child for child in sorted(folder.iterdir()) if is_readable(child))
    return [child for child in readable if child.is_dir() and not child.name.startswith(".")]


def files_below(root: Path, endings: Collection[str]) -> list[Path]:
    """Return the files below a folder in alphabetical order; hidden files and unreadable folders are left out.

    Links to folders are followed, each folder once.

    Args:
        root: the folder.
        endings: endings of names to keep, in lower case.
    """
    paths, visited = list[Path](), set[Identity]()
    for place, folders, names in os.walk(root, followlinks=True):
        if identity(Path(place)) in visited:
            folders.clear()
            continue
        visited.add(identity(Path(place)))
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in paths if path.suffix.lower() in endings)


def _holds(folder: Path) -> str:
    """Return ``folders``, ``images``, ``nothing`` or ``files``: what most of a folder's first entries are.

    Folders and images are compared: a video's images may lie beside a folder of thumbnails, and a batch's folders
    beside a preview.
    """
    images = files = folders = 0
    with os.scandir(folder) as entries:
        for k, entry in enumerate(entries):
            if not IMAGE.search(entry.name) and _is_folder(entry):
                folders += 1
            else:
                files += 1
                images += bool(IMAGE.search(entry.name))
            if k >= _SAMPLE:
                break
    if folders > images:
        return "folders"
    return "images" if images else "files" if files else "nothing"


@dataclass(frozen=True)
class Matched:
    """The image folder of each video.

    Attributes:
        folders: the folder by video.
        notes: messages on names in another spelling, and on videos with several folders.
        strangers: names of folders that belong to no video.
    """

    folders: Mapping[str, Path]
    notes: tuple[str, ...]
    strangers: tuple[str, ...]


def match_folders(paths_by_name: Mapping[str, list[Path]], videos: Collection[str]) -> Matched:
    """Return each video's folder: the one of its name, or else the only one whose name differs in what tools add.

    Tools add ``_aligned`` (OpenFace) and ``.mp4``, or put images one folder deeper, as in ``<video>/faces``; systems
    change upper to lower case.

    Args:
        paths_by_name: folders of images by name; several paths may have one name.
        videos: names of videos.
    """
    plain = grouped((plain_name(name), name) for name in paths_by_name)
    others = (path for name, paths in paths_by_name.items() if name not in videos for path in paths)
    within = grouped((path.parent.name, path) for path in others)
    folders, notes, taken, deeper = {}, list[str](), set[Path](), list[str]()
    for video in sorted(videos):
        name = video
        if video not in paths_by_name:
            close = [other for other in plain.get(plain_name(video), []) if other not in videos]
            if len(close) != 1:
                if not close and len(within.get(video, [])) == 1:
                    folders[video] = within[video][0]
                    taken.add(folders[video])
                    deeper.append(video)
                continue
            name = close[0]
            notes.append(f"{video}: took the images in {paths_by_name[name][0]}, whose name is another")
        taken.update(paths_by_name[name])
        folders[video], note = _one(video, paths_by_name[name])
        notes += [note] if note else []
    if deeper:
        notes.append(
            f"{deeper[0]}: took the images in {folders[deeper[0]]}, one folder deeper than usual"
            + (f"; likewise for {counted(len(deeper) - 1, 'more video')}" if deeper[1:] else "")
        )
    strangers = {name for name, paths in paths_by_name.items() if not taken.issuperset(paths)}
    return Matched(folders, tuple(notes), tuple(sorted(strangers)))


def plain_name(name: str) -> str:
    """Return a video's name in lower case, without the endings that tools add to it."""
    return _SURPLUS.sub("", _SURPLUS.sub("", name)).casefold()


def _one(video: str, folders: list[Path]) -> tuple[Path, str]:
    """Return the folder with the most files, and a note if there are several folders."""
    if len(folders) == 1:
        return folders[0], ""
    counts = {folder: sum(1 for _ in os.scandir(folder)) for folder in folders}
    best = max(folders, key=lambda folder: counts[folder])
    listed = ", ".join(f"{folder} ({counted(counts[folder], 'file')})" for folder in folders)
    return best, f"{video} has {counted(len(folders), 'folder')} of images, {listed}; took {best}, which has the most"
