"""Errors of single videos and recordings, raised as one error after all others are finished."""

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
    """Reasons for which an item was left out of the cache.

    Attributes:
        unreadable: one message per unreadable image, or one on the recording.
        reason: message of any other error.
    """

    unreadable: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, error: Exception | None) -> Self:
        """Build the reason from an error."""
        return cls(reason=str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}")


def raise_failed(contents: str, items: Sequence[Item], failed: Mapping[str, Failed]) -> None:
    """Raise one error that lists all failed items, in their order, if there are any.

    Args:
        contents: content of the cache for the message, such as ``features``.
        items: all items that were processed.
        failed: reasons by name of the item.

    Raises:
        DataError: files are unreadable.
        SolutionError: at least one item failed for another reason.
    """
    if not failed:
        return
    first = items[0]
    part = first.images.noun if isinstance(first, Video) else ""
    noun = "video" if part else "text" if isinstance(first, TextItem) else "audio file"
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
    """Return the first lines below each other, followed by the number of further ones."""
    return "\n  " + first_of(lines, _SHOWN, "\n  ")
