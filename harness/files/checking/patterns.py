"""Systematic differences between the frames that a file has and those that it must have, each with its likely cause.

Frames that are missing at scattered places are gaps. Frames that are missing at the end of every video, a constant
offset or a constant ratio have one cause. The rows that are present may have the same fault: filling the others would
hide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.groups import grouped

Frames = npt.NDArray[np.integer[Any]]

MOST_FILLED = 0.05
"""Share of a video's frames that may be filled. A larger share is a lost part and no gap."""
MOST_AT_ENDS = 5
"""Frames of a video that may be filled, regardless of their share, if the user trusts the frame numbers."""

FILLED = frozenset({"end", "start", "ends", "longer", "period", "position"})
"""Kinds of patterns that can be mended if the user trusts the frame numbers."""

_MOST = 0.8  # least share of the differing videos that must differ in one way
_RATE = 0.005  # a ratio of lengths closer to 1 than this counts as a different end
_ROUNDING = 1.5  # frames by which a length may miss the constant ratio, as lengths are whole
_CHANCE = 1e-4  # highest probability by which scattered gaps may explain one place missing in several videos
_FEWEST = 3  # least number of videos, or of missing frames of one video, that make a pattern


@dataclass(frozen=True)
class Pattern:
    """Systematic difference between the frames of a file and the required ones.

    Attributes:
        kind: ``shift``, ``shifts`` (different ones), ``stride``, ``rate``, ``end``, ``start``, ``ends``, ``longer``,
            ``period`` or ``position``.
        message: the difference in words, and its likely cause.
        video: the first video that shows the difference.
        offset: for ``shift``, the number that was added to every frame number.
        everywhere: True if every video shows the difference.
        fillable: True if few enough frames are missing to be filled.
    """

    kind: str
    message: str
    video: str
    offset: int = 0
    everywhere: bool = True
    fillable: bool = True

    @property
    def way_on(self) -> str:
        """Advice to the user about the difference."""
        if self.kind == "shift" and self.everywhere:
            return f"If only the numbers are wrong: abaw repair … --shift {-self.offset:+d}. If not, predict again"
        if self.kind in ("shift", "shifts"):
            return "Number the frames of these videos as those of the others, or predict again: --shift would move all"
        if self.kind in FILLED and not self.fillable:
            return f"Predict these frames: more than {MOST_AT_ENDS}, or {MOST_FILLED:.0%} of a video, are not filled"
        if self.kind in ("period", "position"):
            return (
                "If the numbers of all other rows are right: abaw repair … --trust-numbers fills these frames. If not, "
                "predict again"
            )
        if self.kind in FILLED:
            return (
                "If the numbers are right: abaw repair … --trust-numbers fills the ends from the nearest frame and "
                "drops what is beyond. If not, predict again"
            )
        return "Predict every frame, or repeat each prediction for all frames that it stands for"


def find_pattern(have: Mapping[str, Frames], required_frames: Mapping[str, Frames]) -> Pattern | None:
    """Return the difference that most differing videos have in common; ``None`` if they share none.

    One frame missing at the same place of many videos is a pattern, too, if it is improbable by chance; other frames
    may be missing beside it.

    Args:
        have: increasing frame numbers by video, as in the file.
        required_frames: increasing frame numbers by video, as they must be.
    """
    both = [name for name in have if name in required_frames and len(have[name]) and len(required_frames[name])]
    different = [name for name in both if not np.array_equal(have[name], required_frames[name])]
    if not different or (len(different) == 1 and len(both) > 1):
        return None
    found_kinds = [(name, *_kind(have[name], required_frames[name])) for name in different]
    kinds = grouped((kind, name) for name, kind, _ in found_kinds)
    offsets = grouped((offset, name) for name, kind, offset in found_kinds if kind == "shift")
    enough = _MOST * len(different)
    if len(kinds.get("shift", ())) >= enough:
        offset = max(offsets, key=lambda k: len(offsets[k]))
        return _shifted(offset, offsets, enough, len(both))
    kind, names = max(kinds.items(), key=lambda pair: len(pair[1]))
    if len(names) < enough or kind == "gaps":
        return _at_one_place(have, required_frames, both)
    if kind in ("end", "longer") and len(names) > 1 and (rate := _common_rate(have, required_frames, names)):
        return _at_another_rate(rate, names, have, required_frames)
    return _described(kind, names, have, required_frames, len(both))


def _kind(have: Frames, required: Frames) -> tuple[str, int]:
    missing = np.setdiff1d(required, have, assume_unique=True)
    beyond = np.setdiff1d(have, required, assume_unique=True)
    if len(beyond):
        for offset in (int(have[-1] - required[-1]), int(have[0] - required[0])):
            if offset and len(missing) and np.isin(have - offset, required, assume_unique=True).all():
                return "shift", offset
        if len(missing) and beyond[0] > required[-1] and missing[0] == required[0]:
            return "shift", int(have[0] - required[0])
        if len(missing) and beyond[-1] < required[0] and missing[-1] == required[-1]:
            return "shift", int(have[-1] - required[-1])
        return ("longer" if not len(missing) and beyond[0] > required[-1] else "gaps"), 0
    steps = np.diff(have)
    if len(have) > 2 and len(np.unique(steps)) == 1 and steps[0] > 1 and (np.diff(required) == 1).all():
        return "stride", int(steps[0])
    before, behind = int((missing < have[0]).sum()), int((missing > have[-1]).sum())
    if before + behind == len(missing):
        return ("ends" if before and behind else "start" if before else "end"), 0
    period = np.unique(np.diff(missing))
    if len(missing) >= _FEWEST and len(period) == 1 and period[0] > 1:
        return "period", int(period[0])
    return "gaps", 0


def _at_one_place(
    have: Mapping[str, Frames], required_frames: Mapping[str, Frames], names: list[str]
) -> Pattern | None:
    """Return a pattern if one place, from the first or the last frame, is missing in too many videos for chance."""
    places, share = [list[Frames](), list[Frames]()], 0.0
    for name in names:
        gone = np.flatnonzero(~np.isin(required_frames[name], have[name], assume_unique=True))
        share += len(gone) / len(required_frames[name])
        places[0].append(gone)
        places[1].append(len(required_frames[name]) - 1 - gone)
    counted = [np.bincount(np.concatenate(video_places)) for video_places in places]
    at = 1 if not len(counted[0]) or counted[1].max() >= counted[0].max() else 0
    place = int(counted[at].argmax()) if len(counted[at]) else 0
    of = [name for name, gone in zip(names, places[at], strict=True) if (gone == place).any()]
    if len(of) < max(_FEWEST, len(names) / 2) or _at_least(len(of), share) * len(counted[at]) > _CHANCE:
        return None
    if place == 0:
        return _described("end" if at else "start", of, have, required_frames, len(names))
    number = f"frame {int(required_frames[of[0]][place])}" if not at else f"the frame {place} before the last one"
    message = f"{number} of {len(of)} of {len(names)} videos has no row: one cause, and no scattered gaps"
    return Pattern("position", message, of[0], fillable=_fillable(of, have, required_frames))


def _at_least(k: int, expected: float) -> float:
    """Return the probability of at least ``k`` events (k >= 1) whose mean number is ``expected`` (Poisson)."""
    from scipy.special import gammainc  # imported late: few files need it

    return float(gammainc(k, expected))


def _fillable(names: list[str], have: Mapping[str, Frames], required_frames: Mapping[str, Frames]) -> bool:
    """Tell if every video lacks at most as many frames as may be filled."""
    return all(
        len(np.setdiff1d(required_frames[name], have[name]))
        <= max(MOST_AT_ENDS, MOST_FILLED * len(required_frames[name]))
        for name in names
    )


def _common_rate(have: Mapping[str, Frames], required_frames: Mapping[str, Frames], names: list[str]) -> float:
    """Return the ratio of present to required frames that all these videos share; 0 if the ratio differs or is 1."""
    there = np.array([len(have[name]) for name in names], float)
    right = np.array([len(required_frames[name]) for name in names], float)
    rate = float(there.sum() / right.sum())
    if len(np.unique(right - there)) == 1:
        return 0.0  # the same number everywhere
    if abs(rate - 1) < _RATE or (np.abs(there - rate * right) > _ROUNDING).any() or len(np.unique(right)) == 1:
        return 0.0
    return rate


def _shifted(offset: int, offsets: Mapping[int, list[str]], enough: float, total: int) -> Pattern:
    of = offsets[offset]
    if len(of) < enough:
        n, name = sum(map(len, offsets.values())), next(iter(offsets.values()))[0]
        span = f"{min(offsets):+d} to {max(offsets):+d}"
        return Pattern("shifts", f"frame numbers of {n} of {total} videos are off by {span}", name, everywhere=False)
    what = "numbered from 0" if offset == -1 else f"numbers are {abs(offset)} too {'high' if offset > 0 else 'low'}"
    message = f"frame {what} in {len(of)} of {total} videos, the first is {of[0]}: a constant offset"
    return Pattern("shift", message, of[0], offset, everywhere=len(of) == total)


def _at_another_rate(
    rate: float, names: list[str], have: Mapping[str, Frames], required_frames: Mapping[str, Frames]
) -> Pattern:
    name = names[0]
    message = (
        f"{len(names)} videos have {rate:.2f} times the frames that they must have ({name}: {len(have[name])} for "
        f"{len(required_frames[name])}): extracted at another rate, as {25 * rate:.1f} frames per second for 25"
    )
    return Pattern("rate", message, name)


def _described(
    kind: str, names: list[str], have: Mapping[str, Frames], required_frames: Mapping[str, Frames], total: int
) -> Pattern:
    name = names[0]
    of = f"{len(names)} of {total} videos" if total > 1 else name
    if kind == "stride":
        step = int(have[name][1] - have[name][0])
        return Pattern(kind, f"only every {_ordinal(step)} frame of {of} has a row", name)
    if kind == "longer":
        k = _span([len(have[n]) - len(required_frames[n]) for n in names])
        cause = "a decoder that gives more frames than the official count; which ones are too many can't be told"
        return Pattern(kind, f"{k} {'row' if k == '1' else 'rows'} too many at the end of {of}: {cause}", name)
    fillable = _fillable(names, have, required_frames)
    if kind == "period":
        missing = np.setdiff1d(required_frames[name], have[name])
        step = int(missing[1] - missing[0])
        cause = "what a batch or a window begins or ends with was lost"
        return Pattern(kind, f"every {_ordinal(step)} frame of {of} has no row: {cause}", name, fillable=fillable)
    before = [int((required_frames[n] < have[n][0]).sum()) for n in names]
    behind = [int((required_frames[n] > have[n][-1]).sum()) for n in names]
    scattered = any(
        len(np.setdiff1d(required_frames[n], have[n])) > b + e for n, b, e in zip(names, before, behind, strict=True)
    )
    only = "beside scattered gaps" if scattered else "and no other is missing"
    if kind == "end":
        cause = "a decoder that gives fewer frames than the official count, or predictions that begin late"
        message = f"no row for the last {_frames(behind)} of {of}, {only}: {cause}"
    elif kind == "start":
        cause = "numbers that begin late, or a window that needs frames before the first"
        message = f"no row for the first {_frames(before)} of {of}, {only}: {cause}"
    else:
        cause = "a window that needs frames on both sides"
        message = f"no row for the first {_span(before)} and the last {_frames(behind)} of {of}, {only}: {cause}"
    return Pattern(kind, message, name, fillable=fillable)


def _span(counts: list[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _frames(counts: list[int]) -> str:
    return "frame" if max(counts) == 1 else f"{_span(counts)} frames"


def _ordinal(k: int) -> str:
    return {2: "second", 3: "third"}.get(k, f"{k}th")
