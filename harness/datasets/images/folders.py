"""Folders of images below a data set's root, told from what lies in them, and which of them is a video's.

Downloads differ: crops lie in ``cropped``, in ``cropped_aligned``, or in batches (``cropped_images/batch1``,
``cropped_aligned_image_test/batch1 (1)/cropped_aligned``). A folder that holds images is one video's; a folder that
holds folders is looked into.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
        crops: of crops, by kind (``cropped``, ``cropped_aligned``) and name: one path, or several of one name.
        others: by the folder that holds them, names of folders of images that nothing calls crops.
    """

    crops: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    others: dict[Path, list[str]] = field(default_factory=dict)


def find_image_folders(root: Path) -> ImageFolders:
    """Find all folders of images below a root.

    Raises:
        OSError: a folder can't be listed.
    """
    found = ImageFolders()
    for folder in with_images(root, _DEPTH):
        above = folder.parent.relative_to(root).parts
        if any(_CROPS.search(part) or _ALIGNED.search(part) for part in above):
            kind = "cropped_aligned" if any(_ALIGNED.search(part) for part in above) else "cropped"
            found.crops.setdefault(kind, {}).setdefault(folder.name, []).append(folder)
        else:
            found.others.setdefault(folder.parent, []).append(folder.name)
    return found


def with_images(folder: Path, depth: int, above: frozenset[Identity] = frozenset()) -> Iterator[Path]:
    """Folders below that hold images, or nothing at all; those are not looked into.

    Args:
        folder: whose folders are looked at; a link among them that leads back to one above it is passed over.
        depth: levels of folders.
        above: folders that this one lies in.
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
    """Return what a folder is, by whatever path: the numbers of its device and itself."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def is_readable(folder: str | Path) -> bool:
    """Tell whether a folder may be looked into: a disk's lost+found, say, is nobody's to read."""
    return os.access(folder, os.R_OK | os.X_OK)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may be read, hidden ones left out, in alphabetical order."""
    # first what may be read: of lost+found nobody may know even whether it is a folder
    readable = (child for child in sorted(folder.iterdir()) if is_readable(child))
    return [child for child in readable if child.is_dir() and not child.name.startswith(".")]


def files_below(root: Path, endings: Collection[str]) -> list[Path]:
    """Return the files below a folder, in alphabetical order; hidden ones, and folders that may not be read, left out.

    Links to folders are followed, each folder once.

    Args:
        root: the folder.
        endings: of names, in small letters.
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
    """``folders``, ``images``, ``nothing`` or ``files``, from its first entries: of folders and images what is more.

    A video's images may lie beside a folder of thumbnails, and a batch's folders beside a preview.
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
    """Which folder is which video's.

    Attributes:
        folders: by video.
        notes: names that were respelled, and videos with several folders.
        strangers: names of folders that are no video's.
    """

    folders: Mapping[str, Path]
    notes: tuple[str, ...]
    strangers: tuple[str, ...]


def match_folders(found: Mapping[str, list[Path]], videos: Collection[str]) -> Matched:
    """Tell each video's folder: the one of its name, else the only one whose name differs in what tools add.

    Tools add ``_aligned`` (OpenFace) and ``.mp4``, or put images one folder deeper, as in ``<video>/faces``; systems
    change upper to lower case.
    """
    plain = grouped((plain_name(name), name) for name in found)
    others = (path for name, paths in found.items() if name not in videos for path in paths)
    within = grouped((path.parent.name, path) for path in others)
    folders, notes, taken, deeper = {}, list[str](), set[Path](), list[str]()
    for video in sorted(videos):
        name = video
        if video not in found:
            close = [other for other in plain.get(plain_name(video), []) if other not in videos]
            if len(close) != 1:
                if not close and len(within.get(video, [])) == 1:
                    folders[video] = within[video][0]
                    taken.add(folders[video])
                    deeper.append(video)
                continue
            name = close[0]
            notes.append(f"{video}: took the images in {found[name][0]}, whose name is another")
        taken.update(found[name])
        folders[video], note = _one(video, found[name])
        notes += [note] if note else []
    if deeper:
        notes.append(
            f"{deeper[0]}: took the images in {folders[deeper[0]]}, one folder deeper than usual"
            + (f"; likewise for {len(deeper) - 1} more videos" if deeper[1:] else "")
        )
    strangers = {name for name, paths in found.items() if not taken.issuperset(paths)}
    return Matched(folders, tuple(notes), tuple(sorted(strangers)))


def plain_name(name: str) -> str:
    """A video's name without what tools add to it, in small letters."""
    return _SURPLUS.sub("", _SURPLUS.sub("", name)).casefold()


def _one(video: str, folders: list[Path]) -> tuple[Path, str]:
    """The folder with the most files, and a note if there are others."""
    if len(folders) == 1:
        return folders[0], ""
    counts = {folder: sum(1 for _ in os.scandir(folder)) for folder in folders}
    best = max(folders, key=lambda folder: counts[folder])
    listed = ", ".join(f"{folder} ({counts[folder]} files)" for folder in folders)
    return best, f"{video} has {len(folders)} folders of images, {listed}; took {best}, which has the most"
