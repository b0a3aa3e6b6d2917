"""What could not be made of some videos, or of their sound, and why: told at the end, when all others are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from harness.datasets.dataset import Video
from harness.errors import AbawError, DataError, SolutionError
from harness.system.counts import counted, first_of

_SHOWN = 5


@dataclass(frozen=True)
class Failed:
    """Why nothing was made of a video.

    Attributes:
        unreadable: a message on each of its pictures that can't be read.
        reason: what else went wrong.
    """

    unreadable: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, error: Exception | None) -> Self:
        """Because of an error."""
        return cls(reason=str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}")


def raise_failed(contents: str, videos: Sequence[Video], failed: Mapping[str, Failed]) -> None:
    """Tell of all that failed, in the videos' order, as one error, if any did.

    Args:
        contents: what was to be made, ``features``.
        videos: all that were to be done.

    Raises:
        DataError: pictures that can't be read.
        SolutionError: something else went wrong with a video at least.
    """
    if not failed:
        return
    found = [(video, failed[video.name]) for video in videos if video.name in failed]
    unreadable = [message for _, own in found for message in own.unreadable]
    others = [f"{video.name}: {own.reason}" for video, own in found if own.reason]
    rest = counted(len(videos) - len(found), "video")
    kept = f"{contents} of the other {rest} are kept, and the same command does only what is missing"
    parts = []
    if unreadable:
        of = counted(sum(bool(own.unreadable) for _, own in found), "video")
        pictures = counted(len(unreadable), videos[0].images.noun)
        parts.append(f"{pictures} of {of} can't be read; {kept}:{listed(unreadable)}")
    if others:
        parts.append(f"{counted(len(others), 'video')} could not be done; {kept}:{listed(others)}")
    raise (SolutionError if others else DataError)("\n".join(parts))


def listed(lines: Sequence[str]) -> str:
    """Return the first lines below each other, and how many more there are."""
    return "\n  " + first_of(lines, _SHOWN, "\n  ")
