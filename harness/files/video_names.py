"""Names of videos in another spelling than the known one: recognised only if exactly one known name fits.

Tools add to a video's name: OpenFace writes ``102_aligned``, scripts ``102_pred`` or ``102.mp4``. If the right names
are known, from a template, from labels or from the table of a real test set, such a name means one video for certain.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.system.groups import grouped

FILM = r"\.(?:mp4|m4v|mov|3gp|avi|mkv|webm|ts|mts|m2ts|mpg|mpeg|wmv|flv|wav|mp3)"
"""Extensions of video and audio files, as a regular expression for the end of a name, to use without case."""

_ADDED = re.compile(
    r"(?:[-_. ]+(?:cropped|crops?|aligned|faces?|frames?|images?|pred(?:s|icted|ictions?)?|results?|outputs?|labels?"
    r"|openface|mp4|m4v|mov|avi|mkv|webm)|[-_ ]?\(\d+\))$",
    re.IGNORECASE,
)
_FILM_AT_END = re.compile(rf"{FILM}$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_. ]+")
_OTHER_PERSON = re.compile(r"[-_. ]*(?:left|right|\d+)[-_. ]*", re.IGNORECASE)  # these distinguish videos
_ENOUGH = 2  # least number of names with one rest that counts as added by a tool


def known_as(names: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Return the known name of each name in another spelling.

    Spellings differ in case, separators, leading zeros, folders before the name, or endings that tools add
    (``_aligned``, ``_pred``, ``.mp4``); or all names begin or end with one text.

    Args:
        names: names in a submission.
        known: official names.

    Returns:
        The known name by name; names that fit several known ones, and two names for one video, are left out.
    """
    right = set(known)
    unknown = [name for name in dict.fromkeys(names) if name not in right]
    if not unknown or not right:
        return {}
    read = _Index(right).read(unknown)
    if len(read) < len(unknown):
        read |= _without_common_rest([name for name in unknown if name not in read], right)
    times = Counter(read.values())
    there = set(names)
    return {name: video for name, video in read.items() if times[video] == 1 and video not in there}


def under_several(names: Collection[str], known: Collection[str]) -> dict[str, list[str]]:
    """Return the videos that have several names, such as ``102`` and ``102_aligned``, each with its names."""
    right = set(known)
    unknown = [name for name in names if name not in right]
    if not unknown or not right:
        return {}
    read = _Index(right).read(unknown)
    by_video = grouped((read.get(name, name), name) for name in names if name in right or name in read)
    return {video: names_of_video for video, names_of_video in by_video.items() if len(names_of_video) > 1}


def difference(name: str, known: str) -> str:
    """Return a message for a name in another spelling."""
    before, _, after = name.rpartition(known)
    surplus = [repr(part) for part in (before, after) if part]
    if known in name and surplus:
        verb = "is" if len(surplus) == 1 else "are"
        return f"{' and '.join(surplus)} {verb} too much in {name[:80]!r}, expected {known!r}"
    return f"found {name[:80]!r}, expected {known!r}"


class _Index:
    """Index of known names by their parts in a looser spelling."""

    def __init__(self, known: Collection[str]) -> None:
        self._levels: list[dict[tuple[str, ...], set[str]]] = [{}, {}]
        self._ends: dict[tuple[str, ...], set[str]] = {}
        for name in known:
            for level, by_key in enumerate(self._levels):
                by_key.setdefault(_key(name, level), set()).add(name)
            for end in _ends(_key(name, 1)):
                self._ends.setdefault(end, set()).add(name)

    def read(self, names: Sequence[str]) -> dict[str, str]:
        video_by_name = {}
        for name in names:
            video = next((next(iter(videos)) for videos in self._candidates(name) if len(videos) == 1), None)
            if video is not None:
                video_by_name[name] = video
        return video_by_name

    def _candidates(self, name: str) -> Iterator[set[str]]:
        for level, by_key in enumerate(self._levels):
            yield by_key.get(_key(name, level), set())
        key = _key(name, 1)
        if len(key) > 1 or any(len(end) > 1 for end in self._ends):
            yield self._ends.get(key, set())  # folders are missing
            yield from (self._levels[1].get(end, set()) for end in _ends(key))  # folders are too many


def _key(name: str, level: int) -> tuple[str, ...]:
    """Return the parts of a name in a looser spelling; from level 1 on without the endings that tools add."""
    parts = [part for part in name.replace("\\", "/").casefold().split("/") if part not in ("", ".")]
    if parts and level:
        parts[-1] = without_additions(parts[-1])
    return tuple(_plain(part) for part in parts)


def _plain(part: str) -> str:
    plain = _SEPARATORS.sub("_", part.strip()).strip("_")
    return plain.lstrip("0") or "0" if plain.isdecimal() else plain


def _ends(key: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (key[k:] for k in range(1, len(key)))


def without_additions(name: str) -> str:
    """Return a name without the endings that tools add; the whole name if it consists of these alone."""
    while (shorter := _ADDED.sub("", _FILM_AT_END.sub("", name))) and shorter != name:
        name = shorter
    return name


def without_film(name: str) -> str:
    """Return a name without the extension of a video or audio file."""
    return _FILM_AT_END.sub("", name) or name


def _without_common_rest(names: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Return the known names of names that all begin, or all end, with one text that the known names lack."""
    by_case = grouped((video.casefold(), video) for video in known)
    texts = {name: name.casefold() for name in names}
    first = next(iter(texts.values()))
    longest_first = sorted(by_case, key=len, reverse=True)
    ends = [first[len(video) :] for video in longest_first if first.startswith(video)]
    starts = [first[: -len(video)] for video in longest_first if first.endswith(video)]
    sides = ((ends, str.endswith, str.removesuffix), (starts, str.startswith, str.removeprefix))
    for rest, has, without in ((rest, has, without) for rests, has, without in sides for rest in rests if rest):
        if all(has(text, rest) for text in texts.values()):
            cut = {name: by_case.get(without(text, rest), []) for name, text in texts.items()}
            if _is_added(rest, cut):
                return {name: videos[0] for name, videos in cut.items() if len(videos) == 1}
    return {}


def _is_added(rest: str, cut: Mapping[str, Sequence[str]]) -> bool:
    """Tell if a tool added a rest: several names have it, and it is no mark of a person or part, such as ``_left``."""
    return sum(len(videos) == 1 for videos in cut.values()) >= _ENOUGH and not _OTHER_PERSON.fullmatch(rest)
