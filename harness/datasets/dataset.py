"""A data set for all parts of the project: videos with official frame counts, labels, images and audio."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.files.template import Template
from harness.system.groups import grouped
from harness.system.names import require_name
from harness.tasks import Task

if TYPE_CHECKING:
    from harness.datasets.images.numbered import Numbering
    from harness.datasets.images.sources import Pictures
    from harness.datasets.transcripts import Transcript
# readers of images and video files are imported where they read: scoring a file needs labels alone

SIDES = ("_left", "_right")


def base_name(video: str) -> str:
    """Return the raw recording that a video was cut from: ``x_left`` and ``x_right`` show two people of ``x``."""
    for side in SIDES:
        if video.endswith(side):
            return video[: -len(side)]
    return video


@dataclass(frozen=True)
class Video:
    """One annotated sequence of one split.

    Attributes:
        name: official name, including ``_left`` or ``_right``.
        n_frames: official number of frames; for tasks of level ``frame``, labels and predictions have as many rows.
        labels: official values with the task's invalid marker in place, frames 1 to n: int64 ``(n,)`` for classes,
            int64 or float64 ``(n, n_outputs)`` otherwise. ``None`` where the split has no labels.
        image_folder: folder of the video's crops, or of its whole frames; ``None`` if there is none.
        audio: audio file of the base recording; ``None`` if there is none.
        noun: word for an image of this video in messages, by default ``crop``; see :class:`~harness.tasks.Task`.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.
        rows: rows of labels and of the official file: 1 for a task of level ``video``; ``n_frames`` by default.
        person: the person in the video, where a data set names persons; folds and intervals keep a person's videos
            together.
        transcript: the words that are spoken; ``None`` if they are unknown.
        numbering: rule by which names of images give frame numbers, where a data set has its own; see
            :func:`list_images`.
        video_label: class of the whole video, where a data set has one beside those of frames; ``None`` otherwise.
        fps: frames per second, where a data set has one rate; ``None`` where frames have no known times.
    """

    name: str
    n_frames: int
    labels: npt.NDArray[Any] | None = None
    image_folder: Path | None = None
    audio: Path | None = None
    film: Path | None = None
    """Video file that images are decoded from where ``image_folder`` is ``None``; ``None`` if there is none."""
    noun: str = "crop"
    cache: Path | None = None
    rows: int | None = None
    person: str = ""
    transcript: Transcript | None = None
    numbering: Numbering | None = None
    video_label: int | None = None
    fps: float | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows of labels and of the official file."""
        return self.n_frames if self.rows is None else self.rows

    @property
    def group(self) -> str:
        """Unit of folds: the person where a data set names persons, the base recording elsewhere.

        Intervals draw persons, too (:func:`persons_of`); without persons they draw each video alone.
        """
        return self.person or self.base

    @property
    def base(self) -> str:
        """Name of the raw recording; videos that share it stay in the same fold."""
        return base_name(self.name)

    @property
    def decoder(self) -> str:
        """Library, with its version, that decodes the images from a video file; empty where images are files."""
        from harness.datasets.video_files.capture import decoder

        return decoder() if self.image_folder is None and self.film is not None else ""

    @cached_property
    def images(self) -> Pictures:
        """Images of the video, crops of a face or whole frames, listed on first use; see :func:`count_frames`.

        Raises:
            DataError: two files for one frame, files numbered from 0, or a video file that can't be opened.
        """
        from harness.datasets.images.numbered import list_images

        if self.image_folder is None and self.film is not None:
            from harness.datasets.video_files.images import open_film

            return open_film(self.film, self.noun, self.cache)
        return list_images(self.image_folder, self.noun, self.numbering)


class UncountedVideo(Video):
    """A video of a task of level ``video`` whose length comes from its images, listed on the first use of ``n_frames``.

    Make one with :func:`uncounted`: a data set of thousands of videos opens without a look into their folders.
    """

    @cached_property
    def n_frames(self) -> int:
        """Number of the last image; 0 if there are no images."""
        return int(self.images.frames[-1]) if len(self.images) else 0


def uncounted(name: str, **attributes: Any) -> Video:
    """Return a video of one row whose length is looked up on the first use of ``n_frames``.

    Args:
        name: see :class:`Video`.
        attributes: the other attributes of :class:`Video`.
    """
    video = UncountedVideo(name, 0, rows=1, **attributes)
    del vars(video)["n_frames"]
    return video


def persons_of(videos: Iterable[Video]) -> dict[str, str]:
    """Return the person of each video, as far as persons are known: intervals sample persons instead of videos."""
    return {video.name: video.person for video in videos if video.person}


@contextlib.contextmanager
def looking_into(root: Path, expected: str) -> Iterator[None]:
    """Look for the parts of a data set below a folder; turn errors of the system into errors of the project.

    Args:
        root: folder of the data set.
        expected: the folder that the user should have named, in words.

    Raises:
        DataError: ``root`` is missing or is a file, or a folder below it can't be read.
    """
    if not root.is_dir():
        what, do = "not a folder" if root.exists() else "no such folder", "Check the path given as --data or ABAW_DATA"
        raise DataError(what, where=root, expected=expected, do=do)
    try:
        yield
    except OSError as error:
        raise DataError("can't be looked into", where=error.filename or root, found=error.strerror) from None


def contents_of(root: Path) -> str:
    """Return the first names in a folder, in alphabetical order, for a message on missing contents.

    Raises:
        OSError: the folder can't be read; see :func:`looking_into`.
    """
    return ", ".join(sorted(p.name for p in root.iterdir())[:8]) or "an empty folder"


def check_disjoint(root: Path, splits: Mapping[str, Iterable[Video]], names: Mapping[str, str] | None = None) -> None:
    """Make sure that each video is in one split only.

    Args:
        root: folder of the data set, for the message.
        splits: videos by split.
        names: the data set's own name of each split, where it differs from ours.

    Raises:
        DataError: a video is in two splits.
    """
    split_of: dict[str, str] = {}
    for split, videos in splits.items():
        name = names[split] if names else split
        for video in videos:
            if video.name in split_of:
                what = f"a video is in both {split_of[video.name]} and {name}"
                raise DataError(what, where=root, found=video.name, do="Remove it from one of them")
            split_of[video.name] = name


def count_frames(videos: Iterable[Video]) -> None:
    """Count the frames of the video files that images are decoded from, several files at once.

    Counts are stored, so that each file is decoded once. A file that can't be opened raises its error later, where the
    images of its video are used.
    """
    from harness.datasets.video_files.counts import count_films

    filmed = (video for video in videos if video.image_folder is None and "images" not in vars(video))
    films = grouped((video.cache, video.film) for video in filmed if video.film is not None)
    for cache, paths in films.items():
        count_films(paths, cache)


@dataclass(frozen=True)
class Dataset:
    """A data set on disk, opened for one task.

    Attributes:
        name: ``Aff-Wild2``, or the folder's name for any other data in the same layout.
        splits: videos of ``train``, ``val`` and ``test``, in official (test) or alphabetical order.
        template: rows that a test submission must have, in order; ``None`` if there is no template file.
        notes: assumptions that were made while the data set was opened.
        unclear: by split, the reason why its list of videos is unknown.
        strangers: names of image folders that belong to no video.
        elsewhere: by video that lacks images, a folder of its name in a place from which no images are read.
    """

    name: str
    root: Path
    task: Task
    splits: Mapping[str, Sequence[Video]]
    template: Template | None = None
    notes: Sequence[str] = field(default=())
    unclear: Mapping[str, str] = field(default_factory=dict)
    strangers: Sequence[str] = ()
    elsewhere: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names of videos that can't be file names: features are stored in files named after videos.

        Raises:
            DataError: a name leads out of a folder, or is impossible for a file.
        """
        for video in (video for members in self.splits.values() for video in members):
            for name in (video.name, video.base):
                require_name(name, "video", where=self.root, do="Rename its label file, images, film or rows")

    def videos(self, split: str) -> Sequence[Video]:
        """Return the videos of a split.

        Raises:
            DataError: the data set has no such split.
        """
        videos = self.splits.get(split, ())
        if not videos and split in self.unclear:
            raise DataError(self.unclear[split])
        if not videos:
            has = ", ".join(name for name, members in self.splits.items() if members) or "none"
            do = f"See what was found with: abaw data check {self.root}"
            if split == "test" and self.template is None:
                do = (
                    "The organisers' list of test rows tells which videos there are: put it below this folder, or name "
                    f"it to abaw submit with --template. {do}"
                )
            what = f"no {split} videos for {self.task.name}"
            raise DataError(what, where=self.root, found=f"splits: {has}", do=do)
        return videos

    def labels(self, split: str) -> npt.NDArray[Any]:
        """Return the labels of a split's videos, end to end, including the invalid ones.

        Raises:
            DataError: a video has no labels.
        """
        videos = self.videos(split)
        without = [video.name for video in videos if video.labels is None]
        if without:
            raise DataError(
                f"labels of {split} are needed",
                where=self.root,
                found=f"none for {without[0]}" + (f" and {len(without) - 1} more" if without[1:] else ""),
            )
        return np.concatenate([video.labels for video in videos if video.labels is not None])

    def fingerprint(self, *splits: str) -> str:
        """Return the hash of names, rows, persons and labels of the splits: equal data have equal fingerprints."""
        digest = hashlib.sha256(self.task.name.encode())
        for split in splits:
            digest.update(split.encode())
            for video in self.splits.get(split, ()):
                person = f"person {video.person}\n" if video.person else ""
                digest.update(f"\n{video.name}\n{video.n_rows}\n{person}".encode())
                if video.labels is not None:
                    digest.update(np.ascontiguousarray(video.labels).tobytes())
        return digest.hexdigest()

    def require_labels(self, split: str, fingerprint: object, run_id: str) -> None:
        """Make sure that a run was scored on the labels of this data set.

        Args:
            split: the split that was scored.
            fingerprint: hash of the labels that the run was scored on; see :meth:`fingerprint`.
            run_id: the run, for the message.

        Raises:
            DataError: the run was scored on other labels.
        """
        present = self.fingerprint(split)
        if present != fingerprint:
            raise DataError(
                f"{run_id} was scored on other labels than those of {self.name} {split}",
                where=self.root,
                found=f"labels {present[:8]}",
                expected=f"labels {str(fingerprint or 'unknown')[:8]}, as the run has",
                do="Name the data set that the run was made on, or make the run again on this one",
            )

    def images_fingerprint(self, *splits: str) -> str:
        """Return the hash of frame numbers and file sizes of all images; copying or moving the data set keeps it.

        Where images are decoded from video files, the hash includes the decoder: its versions differ in colours.
        """
        count_frames(video for split in splits for video in self.splits.get(split, ()))
        digest = hashlib.sha256()
        for split in splits:
            for video in self.splits.get(split, ()):
                digest.update(f"\n{video.name}\n{video.decoder}".encode())
                digest.update(video.images.frames.tobytes())
                digest.update(video.images.sizes.tobytes())
        return digest.hexdigest()
