"""Systematic differences between the frames that a file has and those that it must have, each with its likely cause.

Frames that are missing here and there are gaps. Frames that are missing at the end of every video, a constant offset or
a constant ratio have one cause, which may concern the frames that *are* there, too: filling such gaps would hide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.integer[Any]]
_MOST = 0.8  # share of the videos that differ that must differ in the same way
_RATE = 0.005  # ratios closer to 1 than this are told by their ends
_ROUNDING = 1.5  # frames by which a constant ratio may be missed, as lengths are whole


@dataclass(frozen=True)
class Pattern:
    """A systematic difference.

    Attributes:
        kind: ``shift``, ``stride``, ``rate``, ``end``, ``start`` or ``longer``.
        message: what was found, and what may have caused it.
        video: the first video that shows it.
        offset: for ``shift``, what was added to every frame number.
    """

    kind: str
    message: str
    video: str
    offset: int = 0

    @property
    def way_on(self) -> str:
        """What the user can do about it."""
        if self.kind == "shift":
            return f"If only the numbers are wrong: abaw repair … --shift {-self.offset:+d}. If not, predict again"
        if self.kind in ("end", "start", "longer"):
            return (
                "If the numbers are right: abaw repair … --trust-numbers fills the ends from the nearest frame and "
                "drops what is beyond. If not, predict again"
            )
        return "Predict every frame, or repeat each prediction for all frames that it stands for"


def find_pattern(have: Mapping[str, Frames], wanted: Mapping[str, Frames]) -> Pattern | None:
    """Find what most videos that differ have in common; None if these have nothing in common.

    Args:
        have: increasing frame numbers by video, as in the file.
        wanted: the same, as they must be.
    """
    both = [name for name in have if name in wanted and len(have[name]) and len(wanted[name])]
    different = [name for name in both if not np.array_equal(have[name], wanted[name])]
    if not different or (len(different) == 1 and len(both) > 1):
        return None
    kinds: dict[str, list[str]] = {}
    offsets: dict[int, list[str]] = {}
    for name in different:
        kind, offset = _kind(have[name], wanted[name])
        kinds.setdefault(kind, []).append(name)
        if kind == "shift":
            offsets.setdefault(offset, []).append(name)
    enough = _MOST * len(different)
    if offsets and len(max(offsets.values(), key=len)) >= enough:
        return _shifted(max(offsets, key=lambda k: len(offsets[k])), offsets, len(both))
    kind, names = max(kinds.items(), key=lambda pair: len(pair[1]))
    if len(names) < enough or kind == "gaps":
        return None
    if kind in ("end", "longer") and len(names) > 1 and (rate := _common_rate(have, wanted, names)):
        return _at_another_rate(rate, names, have, wanted)
    return _described(kind, names, have, wanted, len(both))


def _kind(have: Frames, wanted: Frames) -> tuple[str, int]:
    if len(have) == len(wanted) and len(np.unique(have - wanted)) == 1:
        return "shift", int(have[0] - wanted[0])
    steps = np.diff(have)
    if len(have) > 2 and len(np.unique(steps)) == 1 and steps[0] > 1 and (np.diff(wanted) == 1).all():
        return "stride", int(steps[0])
    missing = np.setdiff1d(wanted, have, assume_unique=True)
    beyond = np.setdiff1d(have, wanted, assume_unique=True)
    if len(missing) and not len(beyond):
        if missing[0] > have[-1]:
            return "end", 0
        if missing[-1] < have[0]:
            return "start", 0
    if len(beyond) and not len(missing) and beyond[0] > wanted[-1]:
        return "longer", 0
    if len(beyond) and len(missing) and (steps == 1).all() and have[0] != wanted[0]:
        return "shift", int(have[0] - wanted[0])
    return "gaps", 0


def _common_rate(have: Mapping[str, Frames], wanted: Mapping[str, Frames], names: list[str]) -> float:
    """The ratio of lengths that all these videos share; 0 if there is none but 1."""
    there = np.array([len(have[name]) for name in names], float)
    right = np.array([len(wanted[name]) for name in names], float)
    rate = float(there.sum() / right.sum())
    if len(np.unique(right - there)) == 1:
        return 0.0  # the same number everywhere
    if abs(rate - 1) < _RATE or (np.abs(there - rate * right) > _ROUNDING).any() or len(np.unique(right)) == 1:
        return 0.0
    return rate


def _shifted(offset: int, offsets: Mapping[int, list[str]], total: int) -> Pattern:
    name = offsets[offset][0]
    what = "numbered from 0" if offset == -1 else f"numbers are {abs(offset)} too {'high' if offset > 0 else 'low'}"
    message = f"frame {what} in {len(offsets[offset])} of {total} videos, the first is {name}: a constant offset"
    return Pattern("shift", message, name, offset)


def _at_another_rate(
    rate: float, names: list[str], have: Mapping[str, Frames], wanted: Mapping[str, Frames]
) -> Pattern:
    name = names[0]
    message = (
        f"{len(names)} videos have {rate:.2f} times the frames that they must have ({name}: {len(have[name])} for "
        f"{len(wanted[name])}): extracted at another rate, as {25 * rate:.1f} frames per second for 25"
    )
    return Pattern("rate", message, name)


def _described(
    kind: str, names: list[str], have: Mapping[str, Frames], wanted: Mapping[str, Frames], total: int
) -> Pattern:
    name = names[0]
    counts = [abs(len(wanted[n]) - len(have[n])) for n in names]
    least, most = min(counts), max(counts)
    k = f"{least}" if least == most else f"{least} to {most}"
    of = f"{len(names)} of {total} videos" if total > 1 else name
    if kind == "stride":
        step = int(have[name][1] - have[name][0])
        return Pattern(kind, f"only every {_ordinal(step)} frame of {of} has a row", name)
    frames = "frame" if least == most == 1 else f"{k} frames"
    if kind == "end":
        cause = "a decoder that gives fewer frames than the official count, or predictions that begin late"
        return Pattern(kind, f"no row for the last {frames} of {of}, and no other is missing: {cause}", name)
    if kind == "start":
        cause = "numbers that begin late, or a window that needs frames before the first"
        return Pattern(kind, f"no row for the first {frames} of {of}, and no other is missing: {cause}", name)
    cause = "a decoder that gives more frames than the official count; which ones are too many can't be told"
    return Pattern("longer", f"{k} rows too many at the end of {of}: {cause}", name)


def _ordinal(k: int) -> str:
    return {2: "second", 3: "third"}.get(k, f"{k}th")
