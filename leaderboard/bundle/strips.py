"""Small SVG charts in the cells of a table: scores with intervals on one scale, and a bar per class; unstyled."""

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
    """Linear scale from scores to pixels.

    Attributes:
        low, high: scores at the left and right end.
        ticks: round numbers from ``low`` to ``high``.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Return the position of a score, in pixels from the left."""
        share = (value - self.low) / (self.high - self.low)
        return _EDGE + min(max(share, 0.0), 1.0) * (WIDTH - 2 * _EDGE)


def scale_of(rows: Iterable[Row]) -> Scale | None:
    """Return a scale that spans all scores, intervals and constants; ``None`` if there are no values."""
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
    """Return the numbers of the scale, for the head of the column."""
    shown = scale.ticks if len(scale.ticks) <= 6 else scale.ticks[::2]
    ticks = "".join(
        f'<text class="tick" x="{scale.x(tick):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{tick:.4g}</text>'
        for tick in shown
    )
    return _svg(WIDTH, HEIGHT, "", ticks)


def interval(row: Row, scale: Scale) -> Markup:
    """Return a chart with a row's score, its interval and the score of a constant prediction."""
    parts = [f'<path class="grid" d="M{scale.x(tick):.1f} 0v{HEIGHT}"/>' for tick in scale.ticks]
    if "constant" in row:
        parts.append(f'<path class="constant" d="M{scale.x(row["constant"]):.1f} 0v{HEIGHT}"/>')
    if "low" in row and "high" in row:
        parts.append(f'<path class="line" d="M{scale.x(row["low"]):.1f} {_MIDDLE}H{scale.x(row["high"]):.1f}"/>')
    if "score" not in row:
        return _svg(WIDTH, HEIGHT, "no score", "".join(parts))
    mark = _MARKS.get(str(row["kind"]), _MARKS["run"])
    parts.append(mark.format(x=scale.x(row["score"]), y=_MIDDLE))
    text = f"{row['score']:.3f}"
    if "low" in row and "high" in row:
        text += f", 95 % interval {row['low']:.3f} to {row['high']:.3f}"
    if "constant" in row:
        text += f"; a constant gets {row['constant']:.3f}"
    return _svg(WIDTH, HEIGHT, text, "".join(parts))


def bars(row: Row, targets: Sequence[str]) -> Markup | None:
    """Return one bar per class, dimension or unit in official order, full height for 1; ``None`` if one is unknown."""
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
    text = ", ".join(f"{name} {value:.2f}" for name, value in known)
    return _svg(len(targets) * (_BAR + _GAP) - _GAP, HEIGHT, text, "".join(parts))


def _svg(width: int, height: int, text: str, content: str) -> Markup:
    """Return an SVG element with ``text`` for screen readers; ``content`` must be escaped already."""
    label = f'role="img" aria-label="{html.escape(text)}"' if text else 'aria-hidden="true"'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return Markup(f"<svg {label} {size}>{content}</svg>")  # noqa: S704 - numbers, and names that were escaped above
