"""Numbers of images, and of annotations, that are off in most videos alike: such differences have one cause.

Images that are missing here and there are gaps. An offset, every second image, or images that all end early also affect
the images that exist: they may show another frame than their number says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Video
from harness.datasets.images.numbered import ImageFiles
from harness.errors import problem
from harness.system.counts import counted, verb_for
from harness.system.groups import grouped
from harness.tasks import VD

_TOLERANCE = 0.02  # ratios of lengths within which they are the same
_MOST = 0.8  # of the videos that must be off in one way, where others may differ in any
_HALF = 0.5  # of the videos that must be off in one way, where no other may be off by less
_FEW = 3  # videos that may end early alike by chance
_ALIKE = 0.95  # of a video's images that must be those of every second frame
_SHORT = 5  # images of a video that may lie two apart by chance


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a video's images.

    Attributes:
        name: the video's name.
        n: the video's length.
        first: number of the first image.
        last: number of the last image.
        count: number of images up to the video's end.
        step: from one image to the next; 1 unless nearly all lie on every second frame, or every third, and so on.
        files: True where the images are files, False where a video file is decoded.
    """

    name: str
    n: int
    first: int
    last: int
    count: int
    step: int
    files: bool


def doubts_of_positions(videos: Sequence[Video]) -> list[str]:
    """Return problems that most videos share: of annotations, if there are any, or else of images.

    Labelled videos and those of the test set may come from two downloads: each of the two sets is checked alone if the
    videos share no problem as a whole.
    """
    if late := _late_annotations(videos):
        return [late, *doubts_of_numbers([video for video in videos if video.labels is None])]
    if problems := doubts_of_numbers(videos):
        return problems
    labelled = [video for video in videos if video.labels is not None]
    others = [video for video in videos if video.labels is None]
    return doubts_of_numbers(labelled) + doubts_of_numbers(others) if labelled and others else []


def doubts_of_numbers(videos: Sequence[Video]) -> list[str]:
    """Return problems with the numbers of images that most videos share."""
    rows = [_numbers(video) for video in videos if len(video.images) and video.n_frames]
    if len(rows) < 2:
        return []
    noun, files = videos[0].noun, [row for row in rows if row.files]
    text = _beyond(rows, noun) or _every_other(files, noun) or _at_another_rate(rows, noun) or _renumbered(files, noun)
    if text:
        return [text]
    return [text for text in (_late_start(files, noun), _early_end(files, noun)) if text]


def first_annotated(videos: Sequence[Video]) -> str:
    """Return a note if annotations begin after frame 1 in most videos, but images do not; empty otherwise."""
    first = _first_annotations(videos)
    k, names = _most_frequent(first)
    if _late_annotations(videos) or k < 2 or len(names) < max(_FEW, _MOST * len(first)):
        return ""
    frames = "frame 1 counts" if k == 2 else f"frames 1 to {k - 1} count"
    return (
        f"annotations begin with frame {k} in {len(names)} of {counted(len(first), 'video')}, such as {names[0]}: "
        f"{frames} nowhere; if the row of frame {k} belongs to frame 1, their numbers are {k - 1} too high"
    )


def _numbers(video: Video) -> _Numbers:
    frames = video.images.frames
    count = int((frames <= video.n_frames).sum())
    files = isinstance(video.images, ImageFiles)
    return _Numbers(video.name, video.n_frames, int(frames[0]), int(frames[-1]), count, _step(frames), files)


def _step(frames: npt.NDArray[np.int64]) -> int:
    if len(frames) <= _SHORT:
        return 1
    step = int(np.median(np.diff(frames)))
    return step if step > 1 and np.bincount(frames % step).max() >= _ALIKE * len(frames) else 1


def _most_frequent(by_name: dict[str, int]) -> tuple[int, list[str]]:
    """Return the most frequent number, the lowest of several, and the names that have it."""
    names = grouped((value, name) for name, value in sorted(by_name.items(), key=lambda pair: pair[1]))
    return max(names.items(), key=lambda pair: len(pair[1]), default=(0, []))


def _beyond(rows: Sequence[_Numbers], noun: str) -> str:
    k, names = _most_frequent({row.name: row.last - row.n for row in rows})
    if k <= 0 or len(names) < _MOST * len(rows):
        return ""
    late = sum(row.first == k + 1 for row in rows)
    first = next(row for row in rows if row.name == names[0])
    if late >= _HALF * len(rows) and all(row.first > k for row in rows):
        do = (
            f"{late} of these videos {verb_for(late, 'begin')} with {noun} {k + 1}: numbers are {k} too high. "
            "Rename them, the first first"
        )
    else:
        do = (
            f"The first {noun} is {min(row.first for row in rows)}: either the labels end early or their frame numbers "
            f"are too low, or there are {noun}s too many somewhere; hold one near the end against its label"
        )
    what = f"{noun}s go on to {k} beyond the last frame in {len(names)} of {counted(len(rows), 'video')}"
    return problem(what, found=f"{noun} {first.last} in {first.name}, which has {counted(first.n, 'frame')}", do=do)


def _every_other(rows: Sequence[_Numbers], noun: str) -> str:
    step, names = _most_frequent({row.name: row.step for row in rows if row.count > _SHORT})
    if step < 2 or len(names) < 2 or len(names) < _MOST * sum(row.count > _SHORT for row in rows):
        return ""
    first = next(row for row in rows if row.name == names[0])
    ordinal = {2: "second", 3: "third"}.get(step, f"{step}th")
    return problem(
        f"only every {ordinal} frame has a {noun} in {len(names)} of {counted(len(rows), 'video')}",
        found=f"{counted(first.count, noun)} for {counted(first.n, 'frame')} of {first.name}, "
        f"from {first.first} to {first.last}",
        expected=f"one {noun} per frame",
        do=f"Extract every frame: those between count as without a {noun}",
    )


def _at_another_rate(rows: Sequence[_Numbers], noun: str) -> str:
    last, n = np.array([row.last for row in rows], float), np.array([row.n for row in rows], float)
    rate = float(last.sum() / n.sum())
    alike = (np.abs(last - rate * n) <= np.maximum(2, 0.01 * n)).mean()
    if len(np.unique(n)) == 1 or abs(rate - 1) <= _TOLERANCE or alike < _MOST:
        return ""
    first = rows[0]
    return problem(
        f"the last {noun}'s number is about {rate:.2f} times the number of frames in {counted(len(rows), 'video')}",
        found=f"{first.last:,} in {first.name}, which has {counted(first.n, 'frame')}",
        expected=f"one {noun} per frame, numbered as the labels",
        do="They look extracted at another frame rate: extract every frame",
    )


def _renumbered(rows: Sequence[_Numbers], noun: str) -> str:
    """Return a problem if most videos have images without gaps that end early, by a different number in each."""
    short = [row for row in rows if row.count < row.n]
    ordered = [row for row in short if row.first == 1 and row.last == row.count]
    missing = [row.n - row.count for row in ordered]
    if len(ordered) < max(_FEW, _MOST * len(short), _HALF * len(rows)) or len(set(missing)) == 1:
        return ""
    first = max(ordered, key=lambda row: row.n - row.count)
    return problem(
        f"{noun}s have no gap but end early, by {min(missing)} to {max(missing)}, in {len(ordered)} of "
        f"{counted(len(rows), 'video')}",
        found=f"{noun}s 1 to {first.last:,} in {first.name}, which has {counted(first.n, 'frame')}",
        expected=f"gaps where a frame has no {noun}",
        do=f"If they were numbered one after the other, without the frames that have no {noun}, each behind the "
        "first such frame stands for too early a one: extract them again, with the frame's number in each name. If "
        "only the ends are missing, extract these",
    )


def _early_end(rows: Sequence[_Numbers], noun: str) -> str:
    """Return a problem if images end the same number of frames early in most videos, and no later in any."""
    early, names = _most_frequent({row.name: row.n - row.last for row in rows})
    k = min((row.n - row.last for row in rows), default=0)
    if k <= 0 or early != k or len(names) < max(_FEW, _HALF * len(rows)):
        return ""
    first = next(row for row in rows if row.name == names[0])
    frames = "frame" if k == 1 else f"{k} frames"
    zero = ", as where they were counted from 0 and number 0 was lost" if k == 1 else ""
    return problem(
        f"no video has a {noun} for its last {frames}, and {len(names)} of {len(rows)} "
        f"{verb_for(len(names), 'have')} one just before",
        found=f"{noun} {first.last} is the last in {first.name}, which has {counted(first.n, 'frame')}",
        do=f"Numbers may be {k} too low{zero}: hold one against its frame in the video. If they are, rename them, "
        "the last one first, or extract them again, from 1; if not, extract the ends",
    )


def _late_start(rows: Sequence[_Numbers], noun: str) -> str:
    """Return a problem if images begin at the same frame after frame 1 in most videos, and no earlier in any."""
    first, names = _most_frequent({row.name: row.first for row in rows})
    if first < 2 or first != min(row.first for row in rows) or len(names) < max(_FEW, _HALF * len(rows)):
        return ""
    return problem(
        f"no video has a {noun} before frame {first}, and {len(names)} of {len(rows)} begin just there",
        found=f"{noun} {first} is the first in {names[0]}",
        expected=f"{noun} 1, as labels count",
        do=f"Hold one against its frame in the video. If numbers are {first - 1} too high, rename them, the first "
        "one first; if not, extract the first frames, too",
    )


def _first_annotations(videos: Sequence[Video]) -> dict[str, int]:
    """Return the first annotated frame of each video of a violence data set."""
    labels = {video.name: video.labels for video in videos if video.noun == VD.noun and video.labels is not None}
    return {
        name: int((values != VD.invalid).argmax()) + 1
        for name, values in labels.items()
        if (values != VD.invalid).any()
    }


def _late_annotations(videos: Sequence[Video]) -> str:
    """Return a problem if, in most videos, annotations begin late and go on beyond the last image by as many frames."""
    first = _first_annotations(videos)
    ends = {video.name: video.n_frames - int(video.images.frames[-1]) for video in videos if len(video.images)}
    offsets = {name: at - 1 for name, at in first.items() if name in ends}
    k, names = _most_frequent({name: k if k > 0 and ends[name] == k else 0 for name, k in offsets.items()})
    if k < 1 or len(names) < max(2, _MOST * len(offsets)):
        return ""
    return problem(
        f"annotations begin with frame {k + 1} and end {k} beyond the last {VD.noun} in {len(names)} of "
        f"{counted(len(offsets), 'video')}",
        found=f"frames {k + 1} to {next(v.n_frames for v in videos if v.name == names[0])} in {names[0]}",
        expected=f"frames from 1, as the {VD.noun}s",
        do=f"Their numbers are {k} too high: subtract {k} from each in the annotation files",
    )
