"""Sliding windows over a whole video: every frame's probabilities are averaged over the windows that hold it.

The authors' procedure (their notebook's inference cell), but for three things: windows go through the network in
batches, what is common to overlapping windows is read or encoded once, and with a step above 1 all phases are done, so
that no frame is left without a vote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.system.read_ahead import read_ahead
from solutions.clips.settings import Windows

Frames = npt.NDArray[np.int64]
Inputs = Mapping[str, npt.NDArray[Any]]
"""What a clip network takes, by key: ``(b, length, …)`` each."""


def windows_of(n: int, windows: Windows) -> Frames:
    """The frames of every window, counted from 0.

    A window starts every ``stride`` frames, and one ends with the video; each phase of the step has its own. Where a
    window does not fit, its last frames are the video's last one, as often as needed.

    Args:
        n: frames of the video, at least 1.

    Returns:
        int64 ``(w, length)``, by start.
    """
    last = n - ((windows.length - 1) * windows.step + 1)
    starts = []
    for phase in range(min(windows.step, n)):
        final = phase + max(0, last - phase) // windows.step * windows.step
        starts += [*range(phase, last + 1, windows.stride), final]
    first = np.array(sorted(set(starts)), np.int64)
    return np.minimum(first[:, None] + windows.step * np.arange(windows.length), n - 1)


def averaged(frames: Frames, probabilities: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.float32]:
    """Mean of each frame's votes.

    Args:
        frames: int64 ``(w, length)``, of all windows.
        probabilities: float32 ``(w, length, outputs)``.

    Returns:
        float32 ``(n, outputs)``, summed up in float64.

    Raises:
        SolutionError: a frame has no vote.
    """
    voters, votes = frames.ravel(), probabilities.reshape(frames.size, -1)
    count = np.bincount(voters, minlength=n)
    if not count.all():
        raise SolutionError(
            "windows leave frames without a vote",
            found=f"{int((count == 0).sum())} of {n} frames, the first is {int((count == 0).argmax()) + 1}",
            do="Give the recipe a stride no longer than a window",
        )
    sums = [np.bincount(voters, column, n) for column in votes.T]
    return np.asarray(np.stack(sums, 1) / count[:, None], np.float32)


def slide(
    n: int,
    windows: Windows,
    read: Callable[[Frames], Inputs],
    probabilities: Callable[[Inputs], npt.NDArray[np.float32]],
    batch: int,
) -> npt.NDArray[np.float32]:
    """Probabilities of every frame of a video.

    Args:
        n: its frames, at least 1.
        read: what is known of some frames, increasing: ``(k, …)`` by key. Each frame is asked for once.
        probabilities: of a batch of windows, ``(b, length, …)`` by key: float32 ``(b, length, outputs)``.
        batch: windows a forward pass.

    Returns:
        float32 ``(n, outputs)``.

    Raises:
        SolutionError: a frame has no vote.
    """
    frames = windows_of(n, windows)
    batches = [frames[at : at + batch] for at in range(0, len(frames), batch)]
    votes = [probabilities(inputs) for inputs in read_ahead(_gathered(read, batches))]
    return averaged(frames, np.concatenate(votes), n)


def _gathered(read: Callable[[Frames], Inputs], batches: Iterable[Frames]) -> Iterator[Inputs]:
    """Inputs of windows by start; what is read is kept as long as a window to come may hold it."""
    held, rows = np.empty(0, np.int64), dict[str, npt.NDArray[Any]]()
    for frames in batches:
        new = np.setdiff1d(frames, held)
        keep = held >= frames[0, 0]
        if len(new):
            fresh = read(new)
            rows = {key: np.concatenate([rows[key][keep], fresh[key]]) if key in rows else fresh[key] for key in fresh}
            held = np.concatenate([held[keep], new])
        order = held.argsort()
        place = order[np.searchsorted(held, frames, sorter=order)]
        yield {key: values[place] for key, values in rows.items()}
