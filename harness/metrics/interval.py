"""Bootstrap intervals over videos: frames of one video depend on each other, so the bootstrap draws whole videos.

Videos of one person depend on each other, too: if persons are known, all videos of a person are drawn at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)

REPLICATES = 10_000
LEVEL = 0.95
SEED = 0

_COUNTED_AT_ONCE = 60_000  # number of draws that fit a processor's cache
_WEIGHTS_AT_ONCE = 6_000_000  # weights in memory: enough for thousands of videos


@dataclass(frozen=True)
class Units:
    """Units that a bootstrap draws: each video alone, or all videos of a person at once.

    Attributes:
        number: number of units.
        noun: name of a unit, ``video`` or ``person``.
        place: unit of each video, ``(n_videos,)``; ``None`` if each video is a unit.
    """

    number: int
    noun: str = "video"
    place: npt.NDArray[np.int64] | None = None

    def of_videos(self, weights: Float) -> Float:
        """Return weights of videos from weights of units, ``(..., number)`` to ``(..., n_videos)``."""
        return weights if self.place is None else weights[..., self.place]


def units_of(videos: Sequence[str], groups: Mapping[str, str]) -> Units:
    """Return the units of a set of videos.

    Without any person, units have the order of the videos; else they are sorted by name.

    Args:
        videos: names of the videos, in the order of the statistics.
        groups: person of each video; a video that is missing here is a unit by itself.
    """
    if not any(video in groups for video in videos):
        return Units(len(videos))
    # the kind keeps a video's name apart from an equal name of a person
    unit_of_video = [("person", groups[video]) if video in groups else ("video", video) for video in videos]
    number_of = {unit: k for k, unit in enumerate(sorted(set(unit_of_video)))}
    return Units(len(number_of), "person", np.array([number_of[unit] for unit in unit_of_video], np.int64))


def bootstrap_weights(n_videos: int, *, replicates: int = REPLICATES, seed: int = SEED) -> Float:
    """Return the number of times that each video is drawn in each replicate.

    Returns:
        float64 ``(replicates, n_videos)``; each row sums to ``n_videos``. Equal arguments give equal draws, so that two
        runs on the same videos can be compared in pairs.
    """
    return _draw(np.random.default_rng(seed), n_videos, replicates)


def bootstrap(
    evaluate: Callable[[Float], Mapping[Key, Float]],
    units: Units | int,
    *,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> dict[Key, Float]:
    """Return the scores of each replicate, with the draws of :func:`bootstrap_weights`.

    Args:
        evaluate: function from weights ``(r, n_videos)`` to scores ``(r,)``, such as :meth:`Metric.evaluate` of a table
            of statistics; it is called with some of the replicates at a time.
        units: units to draw; a number of videos to draw each video alone.
        replicates: number of replicates.
        seed: seed of the draws.

    Returns:
        float64 ``(replicates,)`` by the keys of ``evaluate``.
    """
    units = Units(units) if isinstance(units, int) else units
    n, n_videos = units.number, units.number if units.place is None else len(units.place)
    if replicates * n_videos <= _WEIGHTS_AT_ONCE:
        return dict(evaluate(units.of_videos(_cached_weights(n, replicates, seed))))
    generator = np.random.default_rng(seed)
    step = max(1, _WEIGHTS_AT_ONCE // n_videos)
    sizes = [min(step, replicates - start) for start in range(0, replicates, step)]
    parts = [evaluate(units.of_videos(_draw(generator, n, size))) for size in sizes]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


# cached, as runs of one split follow each other and need the same draws
@functools.lru_cache(maxsize=1)
def _cached_weights(n_videos: int, replicates: int, seed: int) -> Float:
    weights = bootstrap_weights(n_videos, replicates=replicates, seed=seed)
    weights.setflags(write=False)
    return weights


def _draw(generator: np.random.Generator, n_videos: int, replicates: int) -> Float:
    out = np.empty((replicates, n_videos))
    step = max(1, _COUNTED_AT_ONCE // n_videos)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        cells = generator.integers(0, n_videos, size=(rows, n_videos)) + np.arange(rows)[:, None] * n_videos
        out[start : start + rows] = np.bincount(cells.ravel(), minlength=rows * n_videos).reshape(rows, n_videos)
    return out


def percentile_interval(replicates: Float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of replicates, ``(low, high)``."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
