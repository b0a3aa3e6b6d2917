"""Loading of clips: threads read and augment clips while the optimiser works on earlier ones."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from harness.system.read_ahead import in_order
from solutions.clips.augment import FlowPictures, Inputs, augment
from solutions.clips.clips import Clips, FeatureClips, Integers
from solutions.clips.sampling import Drawn
from solutions.clips.settings import ClipTraining

_AHEAD = 2
"""Clips in memory, being read or waiting, per thread or per clip of a pass; this bounds the use of memory."""


@dataclass(frozen=True)
class Loading:
    """Reader of clips from the disk.

    Attributes:
        clips: the training videos.
        training: settings of batches and augmentation.
        flow_pictures: encoding of motion in flow images, see :func:`~solutions.clips.augment.mirrored_flow`.
        workers: number of threads.
    """

    clips: Clips
    training: ClipTraining
    flow_pictures: FlowPictures
    workers: int

    def passes(self, passes: Iterable[Drawn], seed: Sequence[int]) -> Generator[Inputs, None, None]:
        """Yield the inputs of each pass, ``(b, t, …)`` each, in the order of the passes.

        A task of a thread reads the images of one clip, or the features of one pass, which cost little.

        Args:
            passes: clips of each pass; the next pass is requested when there is room for its clips.
            seed: seed of the augmentation, which the number of a clip in the epoch extends.
        """
        parts_of_passes: deque[int] = deque()

        def tasks() -> Iterator[Callable[[], Inputs]]:
            begun = 0
            for drawn in passes:
                parts = self._parts(drawn, seed, begun)
                parts_of_passes.append(len(parts))
                begun += len(drawn)
                yield from parts

        ahead = _AHEAD * max(self.workers, self.training.batch)
        with (
            ThreadPoolExecutor(self.workers) as pool,
            contextlib.closing(in_order(pool, tasks(), ahead)) as inputs,
        ):
            for first in inputs:
                parts = [first, *islice(inputs, parts_of_passes.popleft() - 1)]
                yield {key: np.concatenate([part[key] for part in parts]) for key in first}

    def _parts(self, drawn: Drawn, seed: Sequence[int], begun: int) -> list[Callable[[], Inputs]]:
        if isinstance(self.clips, FeatureClips):
            return [partial(self.clips.read, drawn.videos, drawn.frames)]
        return [
            partial(self._clip, int(video), frames, (*seed, begun + k))
            for k, (video, frames) in enumerate(zip(drawn.videos, drawn.frames, strict=True))
        ]

    def _clip(self, video: int, frames: Integers, seed: Sequence[int]) -> Inputs:
        """Return the augmented inputs of one clip, as a batch of size 1."""
        rng, read = np.random.default_rng(seed), self.clips.read(video, frames)
        return {key: values[None] for key, values in augment(read, self.training, rng, self.flow_pictures).items()}
