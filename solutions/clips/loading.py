"""Clips read, and augmented, by threads while the optimiser is busy with those before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from solutions.clips.augment import FlowPictures, Inputs, augment
from solutions.clips.clips import Clips, FeatureClips, Integers
from solutions.clips.sampling import Drawn
from solutions.clips.settings import ClipTraining

_AHEAD = 2
"""Clips a thread that are read, or waiting, at any time: no more of a video is ever in memory."""


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
        """Inputs of each pass, ``(b, t, …)`` each, in order, whatever the threads' order.

        Pictures are read a clip a task. Features, which cost little, are read a pass a task.

        Args:
            seed: of the augmentation, with the number of a clip in the epoch.
        """
        coming = iter(passes)
        queue: deque[list[Future[Inputs]]] = deque()
        begun = 0
        with ThreadPoolExecutor(self.workers) as pool:

            def refill() -> None:
                nonlocal begun
                while len(queue) < 2 or sum(map(len, queue)) < _AHEAD * self.workers:
                    drawn = next(coming, None)
                    if drawn is None:
                        return
                    queue.append(self._submit(pool, drawn, seed, begun))
                    begun += len(drawn)

            refill()
            try:
                while queue:
                    found = [future.result() for future in queue.popleft()]
                    refill()
                    yield {key: np.concatenate([part[key] for part in found]) for key in found[0]}
            finally:
                for future in (future for futures in queue for future in futures):
                    future.cancel()

    def _submit(self, pool: ThreadPoolExecutor, drawn: Drawn, seed: Sequence[int], begun: int) -> list[Future[Inputs]]:
        if isinstance(self.clips, FeatureClips):
            return [pool.submit(self.clips.read, drawn.videos, drawn.frames)]
        return [
            pool.submit(self._clip, int(video), frames, (*seed, begun + k))
            for k, (video, frames) in enumerate(zip(drawn.videos, drawn.frames, strict=True))
        ]

    def _clip(self, video: int, frames: Integers, seed: Sequence[int]) -> Inputs:
        """A batch of one."""
        rng, read = np.random.default_rng(seed), self.clips.read(video, frames)
        return {key: values[None] for key, values in augment(read, self.training, rng, self.flow_pictures).items()}
