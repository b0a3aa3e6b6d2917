"""Plan of a drawn data set: its videos, their lengths, and their missing parts.

Every video has random streams of its own, keyed by seed, split, index in the split and purpose: asking for more videos
or changing one part of the generator leaves the others as they were.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.performance import MIN_FRAMES, Performance
from harness.tasks import SPLITS, Task

Mask = npt.NDArray[np.bool_]

_NAMES = ("{}-30-640x360", "video{}", "{}-30-1280x720", "{}", "video{}_1")  # as Aff-Wild2 spells them
_LENGTH = 0  # purpose of the stream that a length comes from, in every data set
_LATE_START = ("train", 1)
# Aff-Wild2 has one such video in its test split: video2_left, 1,921 of 2,065 crops missing
_MOSTLY_MISSING = ("test", 1)


class Purpose(enum.IntEnum):
    """The use of a random stream; part of its key, so never renumber."""

    LENGTH = 0
    PERSON = 1
    PERFORMANCE = 2
    CAMERA = 3
    VOICE = 4
    CROPS = 5
    EXPR = 6
    VA = 7
    AU = 8


@dataclass(frozen=True)
class DrawnVideo(ABC):
    """One video of any drawn data set. It has random streams of its own, so that more videos leave it as it was.

    Attributes:
        index: index of the video in the split, from 0.
        mean_frames: mean length of all videos.
    """

    seed: int
    split: str
    index: int
    mean_frames: int
    least_frames: ClassVar[int]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the video."""

    @property
    def frames(self) -> int:
        """Frames of this video, 70 to 130 % of the mean."""
        return max(self.least_frames, round(self.mean_frames * self.stream(_LENGTH).uniform(0.7, 1.3)))

    def stream(self, purpose: int) -> np.random.Generator:
        """Return the video's own random numbers for one purpose."""
        return np.random.default_rng([self.seed, SPLITS.index(self.split), self.key(purpose), purpose])

    def key(self, purpose: int) -> int:
        """Return the index in the split of the video whose random numbers this one uses for a purpose."""
        return self.index


@dataclass(frozen=True)
class VideoPlan(DrawnVideo):
    """One video of the data set.

    The first two videos of a split show two people of one recording, ``x_left`` and ``x_right``; the left one speaks.
    """

    least_frames: ClassVar[int] = MIN_FRAMES

    @property
    def recording(self) -> int:
        """Index in the split of the video that gives the recording its name and its length."""
        return 0 if self.index == 1 else self.index

    @property
    def base(self) -> str:
        """Name of the recording, unique over all splits."""
        number = len(SPLITS) * self.recording + SPLITS.index(self.split) + 1
        return _NAMES[self.recording % len(_NAMES)].format(number)

    @property
    def name(self) -> str:
        """Official name of the video."""
        return self.base + {0: "_left", 1: "_right"}.get(self.index, "")

    @property
    def speaks(self) -> bool:
        """True where the voice in the recording is this person's."""
        return self.recording == self.index

    def key(self, purpose: int) -> int:
        """Return the recording's index for the length, this video's for all else."""
        return self.recording if purpose == Purpose.LENGTH else self.index

    def crops_there(self) -> Mask:
        """Return a mask ``(frames,)``, True where a crop exists: short gaps, one late start, one near absence."""
        rng, frames = self.stream(Purpose.CROPS), self.frames
        there = np.ones(frames, bool)
        for _ in range(1 + int(rng.poisson(0.8))):
            start, length = int(rng.integers(1, frames)), 1 + int(rng.gamma(1.5, 2.0))
            there[start : start + min(length, frames // 20)] = False
        if (self.split, self.index) == _LATE_START:
            there[: int(frames * rng.uniform(0.1, 0.2))] = False
        if (self.split, self.index) == _MOSTLY_MISSING:
            there[int(frames * rng.uniform(0.2, 0.3)) :] = False
        return there

    def annotated(self, task: Task, performance: Performance) -> Mask:
        """Return a mask ``(frames,)``, True where the frame is annotated for a task.

        Unlabelled stretches lie across the change from one expression to the next and leave half of each, so that every
        class keeps labels.

        Args:
            task: EXPR, VA or AU.
            performance: the person's expressions through the video.
        """
        rng, cuts = self.stream(Purpose[task.name]), performance.cuts
        there = np.ones(self.frames, bool)
        for _ in range(1 + int(rng.poisson(0.5))):
            at = int(rng.integers(1, len(cuts) - 1))
            before, after = (np.diff(cuts)[at - 1 : at + 1] * rng.uniform(0.15, 0.4, 2)).astype(int)
            there[cuts[at] - max(before, 1) : cuts[at] + after] = False
        return there
