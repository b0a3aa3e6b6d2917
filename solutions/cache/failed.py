"""Errors of single videos and recordings, raised as one at the end, when all others are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from harness.datasets.dataset import Video
from harness.errors import AbawError, DataError, SolutionError
from harness.system.counts import counted, first_of
from solutions.cache.recording import Item, TextItem

_SHOWN = 5


@dataclass(frozen=True)
class Failed:
    """Why nothing was made of a video.

    Attributes:
        unreadable: a message on each of its images, or on the recording, that can't be read.
        reason: what else went wrong.
    """

    unreadable: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, error: Exception | None) -> Self:
        """Because of an error."""
        return cls(reason=str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}")


def raise_failed(contents: str, items: Sequence[Item], failed: Mapping[str, Failed]) -> None:
    """Raise one error that lists all that failed, in the items' order, if any did.

    Args:
        contents: what was to be made, ``features``.
        items: all that were to be done.
        failed: why nothing was made, by an item's name.

    Raises:
        DataError: files that can't be read.
        SolutionError: something else went wrong with an item at least.
    """
    if not failed:
        return
    first = items[0]
    part = first.images.noun if isinstance(first, Video) else ""
    noun = "video" if part else "text" if isinstance(first, TextItem) else "sound file"
    in_order = [(item.name, failed[item.name]) for item in items if item.name in failed]
    unreadable = [message for _, failure in in_order for message in failure.unreadable]
    others = [f"{name}: {failure.reason}" for name, failure in in_order if failure.reason]
    left = len(items) - len(in_order)
    rest = counted(left, noun) if part else left
    rest_kept = f"{contents} of the other {rest} are kept, and the same command does only what is missing"
    parts = []
    if unreadable:
        of = counted(sum(bool(failure.unreadable) for _, failure in in_order), noun)
        what = f"{counted(len(unreadable), part)} of {of}" if part else of
        parts.append(f"{what} can't be read; {rest_kept}:{listed(unreadable)}")
    if others:
        parts.append(f"{counted(len(others), noun)} could not be done; {rest_kept}:{listed(others)}")
    raise (SolutionError if others else DataError)("\n".join(parts))


def listed(lines: Sequence[str]) -> str:
    """Return the first lines below each other, and how many more there are."""
    return "\n  " + first_of(lines, _SHOWN, "\n  ")
