"""Late fusion: a weighted mean of several streams' scores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.errors import UsageError
from harness.system.counts import counted

Float = npt.NDArray[np.float64]

MOST_STREAMS = 5
_STEPS = 10  # a tenth


def blend(streams: Sequence[Float], weights: Sequence[float | Float]) -> Float:
    """Return the weighted sum of streams (abaw10, eq. 4): ``w * p1 + (1 - w) * p2``.

    Args:
        streams: float64 ``(n, outputs)`` each.
        weights: one per stream: a number, or a factor for each output ``(outputs,)``, as eq. 3 and 4 together require.

    Returns:
        float64 ``(n, outputs)``.
    """
    total = streams[0] * weights[0]
    for stream, weight in zip(streams[1:], weights[1:], strict=True):
        total += stream * weight
    return total


def shares(candidates: Sequence[float], n_streams: int, steps: int = _STEPS) -> tuple[tuple[float, ...], ...]:
    """Return the candidates for the streams' weights: ``(w, 1 - w)`` for two streams, all shares in steps for more.

    Args:
        candidates: shares ``w`` of the first of two streams.
        n_streams: number of streams.
        steps: number of steps from 0 to 1, tenths by default.

    Raises:
        UsageError: too many streams for all combinations to be tried.
    """
    if n_streams == 1:
        return ((1.0,),)
    if n_streams == 2:
        return tuple((w, 1 - w) for w in candidates)
    if n_streams > MOST_STREAMS:
        raise UsageError(
            "weights can't be chosen for so many streams: all combinations in equal steps are tried",
            found=counted(n_streams, "stream"),
            expected=f"at most {MOST_STREAMS}",
            do="Give the weights, or blend in two steps",
        )
    # positions that cut the steps into one piece per stream
    cuts = itertools.combinations_with_replacement(range(steps + 1), n_streams - 1)
    edges = ((0, *cut, steps) for cut in cuts)
    return tuple(tuple((b - a) / steps for a, b in itertools.pairwise(edge)) for edge in edges)
