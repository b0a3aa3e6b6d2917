"""Videos below a folder, in any of the data sets' layouts or as plain files, each with its video file and audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.datasets.affwild2 import FRAME_TASKS, find_layout, has_affwild2, open_affwild2
from harness.datasets.bah import bah_video_file, find_bah, has_bah, open_bah
from harness.datasets.dataset import Dataset, Video, contents_of, looking_into
from harness.datasets.dvd import find_dvd, has_dvd, open_dvd
from harness.datasets.images.folders import files_below, plain_name
from harness.datasets.video_files.capture import SUFFIXES
from harness.datasets.video_files.counts import count_films
from harness.datasets.vidmimic import find_vidmimic, has_vidmimic, open_vidmimic
from harness.errors import AbawError, DataError
from harness.system.counts import counted
from harness.system.image_headers import image_format
from harness.system.regular import open_file
from harness.tasks import AH, AHV

PLAIN = "video files"
_AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")  # beside a plain video file, the first that is there
_MOTION_JPEG = (".mjpeg", ".mjpg")  # one JPEG after the other: begins as a single one does


@dataclass(frozen=True)
class Subject:
    """One video.

    Attributes:
        name: official name, or the path of a plain file below the folder.
        file: its video file; ``None`` where there is none.
        audio: audio that runs read, a file of its own or the video file; ``None`` where runs read none.
        official: rows of its labels or template where these are one per frame; 0 elsewhere.
        video: the video as the data set has it; ``None`` for a plain file.
    """

    name: str
    file: Path | None
    audio: Path | None
    official: int = 0
    video: Video | None = None


@dataclass
class Subjects:
    """All videos below a folder.

    Attributes:
        kind: names of the data sets.
        members: the videos, in the order of the data set.
        problems: messages on data that could not be opened.
        notes: assumptions that were made.
    """

    kind: str
    members: list[Subject] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_subjects(root: Path, cache: Path | None = None) -> Subjects:
    """Find the videos below a folder, in each data set's layout that lies there, or else as plain files.

    Args:
        root: folder of a data set or of video files, or one video file.
        cache: folder of all caches, where lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        DataError: the folder is missing or empty, or lacks video files; or the file is a single image.
    """
    if root.is_file():
        _refuse_image(root)
        return Subjects(PLAIN, [_plain(root, root.name)])
    with looking_into(root, "the folder of a data set or of video files"):
        kinds = [collect(root, cache) for has_layout, collect in _LAYOUTS if has_layout(root)]
        if not kinds:
            return _plain_files(root)
    joined = Subjects(" and ".join(dict.fromkeys(subjects.kind for subjects in kinds)))
    for subjects in kinds:
        joined.members += subjects.members
        joined.problems += subjects.problems
        joined.notes += subjects.notes
    return joined


def _refuse_image(path: Path) -> None:
    """Raise the error on a single image, which OpenCV would decode as a video of one frame.

    Raises:
        DataError: the file is an image.
    """
    if path.suffix.lower() in _MOTION_JPEG:
        return
    with open_file(path) as stream:
        kind = image_format(stream.read(12))
    if kind is not None:
        raise DataError(
            "a single image can't be aligned",
            where=path,
            found=f"an image file ({kind})",
            expected="a video file, or the folder of a data set or of video files",
            do="Name the video file; to align crops with it, name the data set's folder",
        )


def _plain_files(root: Path) -> Subjects:
    paths = files_below(root, SUFFIXES)
    if not paths:
        raise DataError(
            "no video files here, and no data set",
            where=root,
            found=contents_of(root),
            expected=f"files that end with {', '.join(SUFFIXES)}; or a layout of Aff-Wild2, DVD, Hume-Vidmimic2, BAH",
            do="Name the folder that holds the videos",
        )
    return Subjects(PLAIN, [_plain(path, path.relative_to(root).as_posix()) for path in paths])


def _plain(path: Path, name: str) -> Subject:
    beside = (path.with_suffix(suffix) for suffix in _AUDIO if suffix != path.suffix)
    return Subject(name, path, next((audio for audio in beside if audio.is_file()), path))


def _affwild2(root: Path, cache: Path | None) -> Subjects:
    layout, subjects = find_layout(root), Subjects("Aff-Wild2's layout")
    films = {plain_name(name): path for name, path in layout.films.items()} | layout.films
    videos: dict[str, Video] = {}
    for task in FRAME_TASKS:
        data = _opened(subjects, partial(open_affwild2, root, task, ignore_lengths=True))
        for video in _videos(data):
            videos.setdefault(video.name, video)
    used = set[Path]()
    for video in videos.values():
        file = films.get(video.base) or films.get(plain_name(video.base))
        used |= {file} if file is not None else set()
        subjects.members.append(Subject(video.name, file, video.audio, video.n_frames, video))
    _add_strangers(subjects, [path for path in layout.films.values() if path not in used])
    return subjects


def _dvd(root: Path, cache: Path | None) -> Subjects:
    layout, subjects = find_dvd(root, cache), Subjects("DVD's layout")
    films = {name: path for files in layout.splits.values() for name, path in files.films.items()}
    count_films(films.values(), cache)
    data = _opened(subjects, partial(open_dvd, root, cache=cache))
    used = set[Path]()
    for video in _videos(data):
        used |= {video.film} if video.film is not None else set()
        subjects.members.append(Subject(video.name, video.film, None, video.n_frames, video))
    _add_strangers(subjects, [path for path in films.values() if path not in used])
    return subjects


def _vidmimic(root: Path, cache: Path | None) -> Subjects:
    layout, subjects = find_vidmimic(root), Subjects("Hume-Vidmimic2's layout")
    packs = [layout.labelled, *([layout.tested] if layout.tested is not None else ())]
    data = _opened(subjects, partial(open_vidmimic, root))
    used = set[Path]()
    for split, members in (data.splits if data is not None else {}).items():
        order = packs if split != "test" else packs[::-1]
        for video in members:
            file = next((pack.videos[video.name] for pack in order if video.name in pack.videos), None)
            used |= {file} if file is not None else set()
            subjects.members.append(Subject(video.name, file, video.audio, 0, video))
    _add_strangers(subjects, [path for pack in packs for path in pack.videos.values() if path not in used])
    return subjects


def _bah(root: Path, cache: Path | None) -> Subjects:
    layout, subjects = find_bah(root), Subjects("BAH's layout")
    by_name: dict[str, Subject] = {}
    for task in (AH, AHV) if 8 in layout.packs else (AHV,):
        data = _opened(subjects, partial(open_bah, root, task))
        pack = layout.pack(task)
        for split, members in (data.splits if data is not None else {}).items():
            for video in members:
                file = bah_video_file(pack, split, video.name)
                official = video.n_frames if task.level == "frame" else 0
                by_name.setdefault(video.name, Subject(video.name, file, video.audio, official, video))
    subjects.members += by_name.values()
    return subjects


_LAYOUTS = ((has_affwild2, _affwild2), (has_dvd, _dvd), (has_vidmimic, _vidmimic), (has_bah, _bah))


def _opened(subjects: Subjects, open_data: Callable[[], Dataset]) -> Dataset | None:
    """Return an opened data set; if opening fails, add the error to the problems and return ``None``."""
    try:
        return open_data()
    except AbawError as error:
        subjects.problems.append(str(error))
        return None


def _videos(data: Dataset | None) -> Iterator[Video]:
    for members in data.splits.values() if data is not None else ():
        yield from members


def _add_strangers(subjects: Subjects, paths: Sequence[Path]) -> None:
    """Add video files that belong to no video of the data set."""
    if paths:
        subjects.notes.append(
            f"{counted(len(paths), 'video file', 'are')} of no labelled or listed video: {paths[0].name}, for one"
        )
    subjects.members += [Subject(path.name, path, None) for path in paths]
