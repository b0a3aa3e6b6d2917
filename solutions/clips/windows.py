"""Sliding windows over a whole video: each frame's probabilities are averaged over the windows that hold it.

This is the authors' procedure (the inference cell of their notebook) with three changes: windows go through the network
in batches; frames that overlapping windows share are read or encoded once; and with a step above 1 windows start at all
phases, so that every frame is in at least one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.system.counts import counted
from harness.system.read_ahead import read_ahead
from solutions.clips.settings import Windows

Frames = npt.NDArray[np.int64]
Inputs = Mapping[str, npt.NDArray[Any]]
"""Inputs of a clip network by name, ``(b, length, …)`` each."""


def windows_of(n: int, windows: Windows) -> Frames:
    """Return the frames of every window, counted from 0.

    A window starts every ``stride`` frames, and the last one ends with the video; each phase of the step has its own
    windows. If a window is longer than the video, the video's last frame is repeated.

    Args:
        n: frames of the video, at least 1.
        windows: length, stride and step.

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
    """Return the mean of each frame's probabilities over the windows that hold it.

    Args:
        frames: int64 ``(w, length)``, frames of all windows.
        probabilities: float32 ``(w, length, outputs)``.
        n: frames of the video.

    Returns:
        float32 ``(n, outputs)``, summed in float64.

    Raises:
        SolutionError: a frame is in no window.
    """
    voters, votes = frames.ravel(), probabilities.reshape(frames.size, -1)
    count = np.bincount(voters, minlength=n)
    if not count.all():
        raise SolutionError(
            "windows leave frames without a vote",
            found=f"{int((count == 0).sum())} of {counted(n, 'frame')}, the first is {int((count == 0).argmax()) + 1}",
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
    """Return the probabilities of every frame of a video.

    Args:
        n: frames of the video, at least 1.
        windows: length, stride and step.
        read: function from increasing frames to inputs by name, ``(k, …)``. Each frame is read once.
        probabilities: function from a batch of inputs, ``(b, length, …)`` by name, to float32 ``(b, length, outputs)``.
        batch: windows per forward pass.

    Returns:
        float32 ``(n, outputs)``.

    Raises:
        SolutionError: a frame is in no window.
    """
    frames = windows_of(n, windows)
    batches = [frames[at : at + batch] for at in range(0, len(frames), batch)]
    votes = [probabilities(inputs) for inputs in read_ahead(_gathered(read, batches))]
    return averaged(frames, np.concatenate(votes), n)


def _gathered(read: Callable[[Frames], Inputs], batches: Iterable[Frames]) -> Iterator[Inputs]:
    """Yield the inputs of each batch of windows; rows stay in memory as long as a later window may hold them."""
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
