"""Persons behind names of videos: BAH names the person in the first folder of a video's name."""

from __future__ import annotations

from collections.abc import Iterable

from harness.tasks import AH, AHV

_PREFIX = "Videos"
_OF_BAH = (AH.name, AHV.name)


def person_of_name(name: str) -> str:
    """Return the person whom a video of BAH shows; empty for a name without folders.

    The 10th and 11th editions put ``Videos/`` before the person.

    Example:
        >>> person_of_name("82711/Visite 1/82711_Question_1_2024-01-15 10-20-30_Video.mp4")
        '82711'
        >>> person_of_name("Videos/82711/Visite_1/a.mp4")
        '82711'
    """
    folders = name.split("/")[:-1]
    if folders[:1] == [_PREFIX]:
        folders = folders[1:]
    return folders[0] if folders else ""


def persons_by_name(task: str, videos: Iterable[str]) -> dict[str, str]:
    """Return the person of each video if the name contains it; empty for tasks other than AH and AHV."""
    if task not in _OF_BAH:
        return {}
    return {video: person for video in videos if (person := person_of_name(video))}
