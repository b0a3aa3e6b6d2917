"""Files behind a run, read frame by frame: scores, official file, and the labels and images of its data set.

Any of these files may be missing, because run folders move and data sets may lie on other machines. Each reader's error
names the missing file.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import Picture, UnreadablePictures
from harness.datasets.open import open_split
from harness.datasets.transcript_store import TranscriptStore
from harness.datasets.transcripts import Transcript
from harness.errors import AbawError, DataError
from harness.files.checking.submission import open_submission
from harness.files.labels.truth import read_truth
from harness.records.run import RunRecord
from harness.records.scores import SCORES_FILE, read_scores, scored_videos
from harness.system.images import opencv
from harness.tasks import TASKS, Task
from leaderboard.data.reach import official_of, own_file, require_own_file
from leaderboard.data.timeline import Timeline, Track, spoken_lines

_FARTHEST = 2000  # last frame of a video file that can be decoded while a reader waits
_SIDE = 128  # pixels of a thumbnail
_QUALITY = 90


@dataclass(frozen=True)
class Split:
    """Videos of a run's split, as they are on disk now.

    Attributes:
        videos: videos by name, with labels if the split has labels.
        same: True if names, lengths and labels equal those that the run saw; ``None`` for a split without labels.
        words: transcripts in the cache, imported or recognised; ``None`` without a cache.
    """

    videos: Mapping[str, Video]
    same: bool | None
    words: TranscriptStore | None = None

    @cached_property
    def labels(self) -> Mapping[str, npt.NDArray[Any]]:
        """Official labels by video, for videos that have labels."""
        return {name: video.labels for name, video in self.videos.items() if video.labels is not None}

    def transcript(self, video: str) -> Transcript | None:
        """Return the transcript of a video; ``None`` for an unknown video or one without a transcript.

        Raises:
            DataError: the cached transcript is unreadable.
        """
        on_disk = self.videos.get(video)
        if on_disk is None:
            return None
        return self.words.of(on_disk) if self.words is not None else on_disk.transcript


Answer = Mapping[str, npt.NDArray[Any]]
"""Decisions of a run: official values by video, one row per frame."""


def read_split(record: RunRecord, root: Path, cache: Path | None = None, labels: Path | None = None) -> Split:
    """Return the videos of a run's split. Only this split of the data set is read.

    Args:
        record: record of the run.
        root: root of the data set, from :func:`leaderboard.data.reach.data_root`.
        cache: folder of all caches, which keep the lengths of video files; ``None`` keeps them in memory.
        labels: labels that an imported official file was scored on.

    Raises:
        DataError: a file of the data set is unreadable; the message quotes no content of the file.
    """
    task = TASKS[record.task]
    try:
        videos = tuple(_videos(root, task, record.split, record.options.get("crops"), cache, labels))
    except (AbawError, OSError, ValueError):
        do = f"See why with: abaw data check {shlex.quote(str(root))}"
        raise DataError("the data set can't be read", where=root, do=do) from None
    labelled = any(video.labels is not None for video in videos)
    data = Dataset(str(record.data.get("name")), root, task, {record.split: videos})
    same = data.fingerprint(record.split) == record.data.get("fingerprint") if labelled else None
    words = TranscriptStore(cache, data) if cache is not None else None
    return Split({video.name: video for video in videos}, same, words)


def _videos(
    root: Path, task: Task, split: str, crops: object, cache: Path | None, scored_on: Path | None
) -> Sequence[Video]:
    try:
        return open_split(root, task, split, crops=str(crops) if crops else None, cache=cache)
    except DataError:
        if split != "test":
            raise
        return _of_labels(scored_on or root, task)


def _of_labels(path: Path, task: Task) -> Sequence[Video]:
    """Return videos that have only labels: those that an imported official file was scored on."""
    truth = read_truth(path, task.name)
    if task.level == "video" or truth.rows is None:
        return [Video(name, len(labels), labels) for name, labels in truth.labels.items()]
    videos, places = [], dict(truth.rows.by_video())
    for name, labels in truth.labels.items():  # frames without a row have no label
        frames = truth.rows.frame[places.get(name, slice(0))]
        values = np.full(int(frames.max(initial=-1)) + 1, task.invalid, labels.dtype)
        values[frames] = labels
        videos.append(Video(name, len(values), values))
    return videos


def read_decisions(record: RunRecord, folder: Path) -> Answer:
    """Return the official values in a run's official file by video, from frame 1 to the last frame in the file.

    Raises:
        AbawError: the official file is missing or unreadable.
    """
    task, path = TASKS[record.task], official_of(record, folder)
    try:
        opened = open_submission(path, task=task.name, known=False)
    except AbawError:
        do = f"See why with: abaw validate {shlex.quote(str(path))}"
        raise DataError("the run's official file can't be read", where=path, do=do) from None
    decisions_by_video: dict[str, npt.NDArray[Any]] = {}
    first = (opened.format.row.first if opened.format.row else 1) or 0
    for part in opened.parts.values():
        for name, places in part.rows.by_video():
            rows, frame = part.rows.values[places], part.rows.frame[places] - first
            if task.kind == "classes" and rows.ndim > 1:  # probabilities stand before the label
                rows = rows[:, -1].astype(np.int64)
            values = np.full((int(frame.max()) + 1, *rows.shape[1:]), task.invalid, rows.dtype)
            values[frame[frame >= 0]] = rows[frame >= 0]
            decisions_by_video[name] = values
    return decisions_by_video


def read_timeline(
    task: Task,
    video: str,
    tracks: Sequence[tuple[str, npt.NDArray[Any] | None, npt.NDArray[Any] | None]],
    split: Split | None,
    words: Transcript | None = None,
) -> Timeline | None:
    """Return a video's timeline, from the parts that are known; ``None`` if none of them has a frame.

    Args:
        task: task of the runs.
        video: name of the video.
        tracks: name, scores and decisions of each run.
        split: split of the runs; ``None`` if it is unreadable.
        words: transcript of the video; ``None`` without one.
    """
    on_disk = split.videos.get(video) if split else None
    labels = on_disk.labels if on_disk is not None else None
    answers = [values for _, scores, decisions in tracks for values in (scores, decisions) if values is not None]
    n = max(map(len, [*answers, *([] if labels is None else [labels])]), default=0)
    if not n:
        return None
    bare = None
    if task.level == "frame" and on_disk is not None and (on_disk.image_folder is not None or on_disk.film is not None):
        there = on_disk.images.frames
        bare = np.ones(n, bool)
        bare[there[there <= n] - 1] = False
    padded = [
        Track(name, _padded(scores, n, np.nan), _padded(decisions, n, task.invalid))
        for name, scores, decisions in tracks
    ]
    fps = on_disk.fps if on_disk is not None and task.level == "frame" else None
    lines = spoken_lines(words, fps, n) if words is not None else ()
    return Timeline(task, video, n, _padded(labels, n, task.invalid), bare, padded, lines)


def _padded(values: npt.NDArray[Any] | None, n: int, fill: float) -> npt.NDArray[Any] | None:
    if values is None or len(values) == n:
        return values
    rest = np.full((n - len(values), *values.shape[1:]), fill, values.dtype)
    return np.asarray(np.concatenate([values, rest]))


def video_scores(record: RunRecord, folder: Path, video: str) -> npt.NDArray[np.float32] | None:
    """Return a run's scores of one video, float32 ``(rows, outputs)``; ``None`` for a video without scores.

    Raises:
        DataError: the file of scores is unreadable, or lies outside the run's own folder.
    """
    require_own_file(record, folder, SCORES_FILE, "scores are")
    return read_scores(folder, only=[video]).get(video)


def video_names(record: RunRecord, folder: Path) -> list[str]:
    """Return the names of the videos that a run has scores of; an empty list without a file of scores."""
    if own_file(record, folder, SCORES_FILE) is None:
        return []
    return scored_videos(folder)


def thumbnails(video: Video, first: int, last: int, most: int) -> list[Picture]:
    """Return up to ``most`` images, spread evenly over frames ``first`` to ``last`` and scaled down.

    Raises:
        AbawError: an image is unreadable, or lies too far into a video file.
    """
    crops = video.images
    inside = np.flatnonzero((crops.frames >= first) & (crops.frames <= last))
    return _small_images(video, inside[np.unique(np.linspace(0, len(inside) - 1, min(most, len(inside))).astype(int))])


def thumbnails_of(video: Video, frames: Sequence[int]) -> list[Picture]:
    """Return the images of some frames, scaled down; frames without an image are left out.

    Raises:
        AbawError: an image is unreadable, or lies too far into a video file.
    """
    return _small_images(video, np.flatnonzero(np.isin(video.images.frames, np.asarray(frames, np.int64))))


def _small_images(video: Video, chosen: npt.NDArray[np.intp]) -> list[Picture]:
    """Return the images at the given indices of a video's images, scaled down."""
    crops = video.images
    if not len(chosen):
        return []
    if not crops.random_access and chosen[-1] > _FARTHEST:
        what = f"pictures beyond frame {_FARTHEST:,} of a film take too long to get at"
        raise DataError(what, where=video.film, do="Decode the films once, with: abaw data frames ROOT")
    try:
        with crops.reader() as reader:
            images = reader.read(chosen.tolist())
    except UnreadablePictures as error:
        raise DataError(error.messages[0]) from None
    return [Picture(image.frame, _small(image.image)) for image in images]


def _small(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    cv2, longest = opencv(), max(image.shape[:2])
    if longest <= _SIDE:
        return image
    size = [max(1, round(side * _SIDE / longest)) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def picture_address(image: npt.NDArray[np.uint8]) -> str:
    """Return an image as a ``data:`` address, which holds the whole JPEG file.

    A browser shows the image without asking the server, which deletes media files at the next run of a page's script.

    Args:
        image: RGB uint8 ``(h, w, 3)``.

    Raises:
        DataError: OpenCV can't encode the image.
    """
    cv2 = opencv()
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise DataError("the picture can't be written as a JPEG", found=f"shape {image.shape}")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
