"""Clips read, and augmented, by threads while the optimiser is busy with those before."""

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
"""Clips that are read, or waiting, for each thread or each clip of a pass: no more of a video is ever in memory."""


@dataclass(frozen=True)
class Loading:
    """How clips come from the disk.

    Attributes:
        flow_pictures: how motion is written in pictures of flow.
        workers: threads.
    """

    clips: Clips
    training: ClipTraining
    flow_pictures: FlowPictures
    workers: int

    def passes(self, passes: Iterable[Drawn], seed: Sequence[int]) -> Generator[Inputs, None, None]:
        """Yield the inputs of each pass, ``(b, t, …)`` each, in order, whatever the threads' order.

        Images are read one clip per task. Features, which cost little, are read one pass per task.

        Args:
            passes: asked for one by one, as there is room for their clips.
            seed: of the augmentation, with the number of a clip in the epoch.
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
        """A batch of one."""
        rng, read = np.random.default_rng(seed), self.clips.read(video, frames)
        return {key: values[None] for key, values in augment(read, self.training, rng, self.flow_pictures).items()}
