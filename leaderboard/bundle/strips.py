"""Small pictures inside a table: scores with their intervals on one scale, and a bar for each class. SVG, no style."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.tables.table import Row

WIDTH, HEIGHT = 220, 20
_EDGE, _MIDDLE = 8, HEIGHT / 2
_BAR, _GAP = 9, 2
_MARKS = {
    "run": '<circle class="point" cx="{x:.1f}" cy="{y}" r="4.5"/>',
    "paper": '<path class="hollow" d="M{x:.1f} {y}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>',
    "baseline": '<path class="hollow" d="M{x:.1f} {y}m-4.5 -4.5h9v9h-9z"/>',
    "leaderboard": '<path class="hollow" d="M{x:.1f} {y}m0 -5.5l5.5 10h-11z"/>',
}


@dataclass(frozen=True)
class Scale:
    """From a score to a place in the picture; ``ticks`` are round numbers."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Pixels from the left."""
        share = (value - self.low) / (self.high - self.low)
        return _EDGE + min(max(share, 0.0), 1.0) * (WIDTH - 2 * _EDGE)


def scale_of(rows: Iterable[Row]) -> Scale | None:
    """A scale that holds all scores, intervals and constants; ``None`` without any."""
    values = [float(row[key]) for row in rows for key in ("score", "low", "high", "constant") if key in row]
    if not values:
        return None
    low, high = min(values), max(values)
    step = _round_step(max(high - low, 0.02) / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    last += first == last
    return Scale(first * step, last * step, tuple(round(k * step, 6) for k in range(first, last + 1)))


def _round_step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * 0.999)


def axis(scale: Scale) -> Markup:
    """The scale's numbers, for the head of the column."""
    shown = scale.ticks if len(scale.ticks) <= 6 else scale.ticks[::2]
    ticks = "".join(
        f'<text class="tick" x="{scale.x(tick):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{tick:.4g}</text>'
        for tick in shown
    )
    return _svg(WIDTH, HEIGHT, "", ticks)


def interval(row: Row, scale: Scale) -> Markup:
    """A row's score, its interval and what a constant gets."""
    parts = [f'<path class="grid" d="M{scale.x(tick):.1f} 0v{HEIGHT}"/>' for tick in scale.ticks]
    if "constant" in row:
        parts.append(f'<path class="constant" d="M{scale.x(row["constant"]):.1f} 0v{HEIGHT}"/>')
    if "low" in row and "high" in row:
        parts.append(f'<path class="line" d="M{scale.x(row["low"]):.1f} {_MIDDLE}H{scale.x(row["high"]):.1f}"/>')
    if "score" not in row:
        return _svg(WIDTH, HEIGHT, "no score", "".join(parts))
    mark = _MARKS.get(str(row["kind"]), _MARKS["run"])
    parts.append(mark.format(x=scale.x(row["score"]), y=_MIDDLE))
    said = f"{row['score']:.3f}"
    if "low" in row and "high" in row:
        said += f", 95 % interval {row['low']:.3f} to {row['high']:.3f}"
    if "constant" in row:
        said += f"; a constant gets {row['constant']:.3f}"
    return _svg(WIDTH, HEIGHT, said, "".join(parts))


def bars(row: Row, targets: Sequence[str]) -> Markup | None:
    """A bar for each class, dimension or action unit in official order, 1 the full height; ``None`` if not known."""
    values = [row.get(target) for target in targets]
    if any(value is None for value in values):
        return None
    known = [(name, float(value)) for name, value in zip(targets, values, strict=True) if value is not None]
    parts = []
    for k, (name, value) in enumerate(known):
        tall, x = max(value, 0.0) * HEIGHT, k * (_BAR + _GAP)
        title = f"<title>{html.escape(name)} {value:.3f}</title>"
        # the whole column answers to the pointer, however low its bar
        parts.append(f'<g>{title}<path class="slot" d="M{x} 0h{_BAR}v{HEIGHT}h-{_BAR}z"/>')
        parts.append(f'<path class="bar" d="M{x} {HEIGHT}h{_BAR}v-{tall:.1f}h-{_BAR}z"/></g>')
    said = ", ".join(f"{name} {value:.2f}" for name, value in known)
    return _svg(len(targets) * (_BAR + _GAP) - _GAP, HEIGHT, said, "".join(parts))


def _svg(width: int, height: int, said: str, inside: str) -> Markup:
    """A picture with its words; ``inside`` is ours and escaped already."""
    label = f'role="img" aria-label="{html.escape(said)}"' if said else 'aria-hidden="true"'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return Markup(f"<svg {label} {size}>{inside}</svg>")  # noqa: S704 - numbers, and names that were escaped above
