"""Sampling of the clips that an epoch trains on, and of the frames in them that count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from solutions.clips.settings import ClipTraining

Integers = npt.NDArray[np.int64]

UNLABELLED = -1


@dataclass(frozen=True)
class Drawn:
    """Clips of one epoch, in training order.

    Attributes:
        videos: int64 ``(k,)``, index of each clip's video.
        frames: int64 ``(k, clip_length)``, 0-based frames of the video.
        targets: int64 ``(k, clip_length)``, labels of the frames; -1 for frames that are left out of the loss.
    """

    videos: Integers
    frames: Integers
    targets: Integers

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.videos)

    def take(self, rows: Integers | slice) -> Drawn:
        """Return the clips with some row numbers."""
        return Drawn(self.videos[rows], self.frames[rows], self.targets[rows])


class Sampler:
    """Random sampler of an epoch's clips.

    In mode ``paper`` each video gives one clip, however long the video is (the authors' notebook). The clip starts
    anywhere, or, with a probability of ``positive_clips``, so that its middle is at a violent frame, as far as the
    video's ends allow. If a video is shorter than a clip, its last frame is repeated, and the label counts each time.

    In mode ``fixed`` every video is cut into clips end to end, from a first frame that changes from epoch to epoch,
    and the clips are shuffled. Each annotated frame counts once in an epoch that holds all clips; ``epoch_clips`` takes
    a part of the clips, or repeats the cutting. With a step of s, s clips lie in each other's gaps. A clip that would
    extend beyond its video is moved inwards, so that training has only the edges that inference has; frames that are
    then in two clips count once. Frames that are repeated because a video is shorter than a clip count once, too.

    Args:
        labels: one int64 array ``(n,)`` per video, -1 for frames without annotation.
        training: settings of clips and mode.

    Raises:
        DataError: all frames lack annotation.
    """

    def __init__(self, labels: Sequence[Integers], training: ClipTraining) -> None:
        """Lay all videos end to end, and look up the violent frames."""
        self.training = training
        self.lengths = np.array([len(entry) for entry in labels], np.int64)
        self.labels = np.concatenate([*labels, np.empty(0, np.int64)]).astype(np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._video = np.repeat(np.arange(len(labels)), self.lengths)
        self._violent = np.flatnonzero(self.labels == 1)
        if not (self.labels != UNLABELLED).any():
            raise DataError("no training frame is annotated")
        annotated = np.bincount(self._video, self.labels != UNLABELLED, len(labels)) > 0
        self._usable = np.flatnonzero(self.lengths if training.mode == "paper" else annotated)
        self.span = (training.clip_length - 1) * training.step + 1

    @property
    def n_clips(self) -> int:
        """Number of clips, the same in every epoch."""
        if self.training.mode == "paper":
            return len(self._usable)
        n_annotated = int((self.labels != UNLABELLED).sum())
        return self.training.epoch_clips or math.ceil(n_annotated / self.training.clip_length)

    def epoch(self, rng: np.random.Generator) -> Drawn:
        """Return the clips of an epoch."""
        return self._one_per_video(rng) if self.training.mode == "paper" else self._end_to_end(rng)

    def _one_per_video(self, rng: np.random.Generator) -> Drawn:
        videos = rng.permutation(self._usable)
        room = np.maximum(self.lengths[videos] - self.span, 0)
        starts = rng.integers(0, room + 1)
        chosen = rng.random(len(videos)) < self.training.positive_clips
        for at in np.flatnonzero(chosen):
            low, high = np.searchsorted(self._violent, self._starts[videos[at]] + [0, self.lengths[videos[at]]])
            if low < high:
                middle = self._violent[rng.integers(low, high)] - self._starts[videos[at]]
                starts[at] = np.clip(middle - self.span // 2, 0, room[at])
        return self._drawn(videos, starts)

    def _end_to_end(self, rng: np.random.Generator) -> Drawn:
        n_around = rng.binomial(self.n_clips, self.training.positive_clips) if len(self._violent) else 0
        parts = [self._around(rng.choice(self._violent, n_around))] if n_around else []
        missing = self.n_clips - n_around
        while missing:
            cut = self._cut(rng)
            parts.append(cut.take(rng.permutation(len(cut))[:missing]))
            missing -= len(parts[-1])
        return _joined(parts).take(rng.permutation(self.n_clips))

    def _cut(self, rng: np.random.Generator) -> Drawn:
        """Cut all videos into clips end to end."""
        length, step = self.training.clip_length, self.training.step
        block = length * step  # frames that ``step`` clips lying in each other's gaps cover
        videos, starts = [], []
        for video in self._usable:
            first = np.arange(-rng.integers(block), self.lengths[video], block)
            firsts = (first[:, None] + np.arange(step)).ravel()
            videos.append(np.full(len(firsts), video))
            starts.append(firsts)
        which, start = np.concatenate(videos), np.concatenate(starts)
        owned = start, start + block
        # move inwards by whole steps, so that a clip stays on its own share of the frames
        last = np.maximum(self.lengths[which] - self.span, 0)
        start = np.where(start > last, start - -(-(start - last) // step) * step, start)
        start = np.where(start < 0, start + -(start // step) * step, start)
        drawn = self._drawn(which, start)
        outside = (drawn.frames < owned[0][:, None]) | (drawn.frames >= owned[1][:, None])
        drawn.targets[outside] = UNLABELLED
        return drawn.take(np.flatnonzero((drawn.targets != UNLABELLED).any(1)))

    def _around(self, frames: Integers) -> Drawn:
        """Return clips whose middle is near some frames, numbered over all videos laid end to end."""
        videos = self._video[frames]
        room = np.maximum(self.lengths[videos] - self.span, 0)
        return self._drawn(videos, np.clip(frames - self._starts[videos] - self.span // 2, 0, room))

    def _drawn(self, videos: Integers, starts: Integers) -> Drawn:
        frames = starts[:, None] + np.arange(self.training.clip_length) * self.training.step
        last = self.lengths[videos][:, None] - 1
        targets = self.labels[self._starts[videos][:, None] + np.minimum(frames, last)]
        if self.training.mode == "fixed":
            targets[frames > last] = UNLABELLED
        return Drawn(videos, np.minimum(frames, last), targets)


def _joined(parts: Sequence[Drawn]) -> Drawn:
    return Drawn(
        np.concatenate([part.videos for part in parts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )
