"""The rig of a face: from muscles and head pose to pixel positions of every contour, all frames of a video at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.anatomy import CONTOURS, Contour
from harness.datasets.synthetic.expressions import MUSCLES
from harness.datasets.synthetic.hair import STYLES
from harness.datasets.synthetic.people import Person, Proportions

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.int32]

CANVAS = 224  # pixels, side of the image that is drawn before it is scaled to the crop's size
FRACTION_BITS = 4  # positions are in 1/16 pixel, as OpenCV's `shift` wants them
UNIT = 0.335 * CANVAS  # pixels that half a head's width measures at zoom 1
_MIDDLE_OF_FACE = (0.5, 0.485)  # shares of the image; a little above its middle, so that a dropped jaw fits in
_STEPS = 4  # samples between two control points
_HEAD_AXES = (1.10, 1.60, 0.80)  # half-axes of the ellipsoid on whose surface the features lie
_PART_CENTRES = {
    "eye": (0.41, -0.05),
    "glasses": (0.41, -0.05),
    "brow": (0.43, -0.43),
    "nose": (0, 0.1),
    "mouth": (0, 0.67),
}
_MIDDLE = 0.12  # within this distance of the middle, a point obeys the muscles of both sides


@dataclass(frozen=True)
class Pose:
    """Position of the head, by frame.

    Attributes:
        turn: ``(frames, 3)`` yaw, pitch and roll in degrees.
        shift: ``(frames, 2)`` offset of the head's middle from the image's, in shares of the image.
        zoom: ``(frames,)`` 1 fills the crop as a face detector's box does.
        gaze: ``(frames, 2)`` offset of the irises in face units.
    """

    turn: Floats
    shift: Floats
    zoom: Floats
    gaze: Floats

    @classmethod
    def frontal(cls, frames: int) -> Pose:
        """Return the pose of a head that looks straight into the camera."""
        return cls(np.zeros((frames, 3)), np.zeros((frames, 2)), np.ones(frames), np.zeros((frames, 2)))


def _spline(n: int, closed: bool) -> Floats:
    """Return Catmull-Rom weights ``(samples, n)``: a smooth curve is the weights times its n control points."""
    if n == 1:
        return np.ones((1, 1))
    spans = n if closed else n - 1
    weights = np.zeros((spans * _STEPS + (not closed), n))
    for row in range(len(weights)):
        span = min(row // _STEPS, spans - 1)
        t = row / _STEPS - span
        basis = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3)
        for offset, value in zip((-1, 0, 1, 2), basis, strict=True):
            at = (span + offset) % n if closed else min(max(span + offset, 0), n - 1)
            weights[row, at] += value / 2
    return weights


def _fitted(points: Floats, part: str, proportions: dict[str, Proportions]) -> Floats:
    if part not in proportions:
        return points
    p, centre = proportions[part], np.array(_PART_CENTRES.get(part, (0, 0)))
    fitted: Floats = centre + (points - centre) * (p.sx, p.sy) + (p.dx, p.dy)
    return fitted


def _both_sides(half: Floats, kind: str) -> Floats:
    """Mirror points ``(..., c, 2)`` of the right half: lines ``(..., lines, points, 2)`` of the face, left first."""
    mirrored: Floats = half * (-1, 1)
    if kind == "pair":
        return np.stack([mirrored, half], -3)
    halves = [mirrored[..., :0:-1, :], half] if kind == "span" else [half, mirrored[..., -2:0:-1, :]]
    return np.expand_dims(np.concatenate(halves, -2), -3)


def _bent(contour: Contour, person: Person, muscles: Floats) -> tuple[Floats, Floats]:
    """Return one contour's sampled points ``(frames, lines, samples, 2)`` and their rest ``(lines, samples, 2)``."""
    rest = _both_sides(_fitted(np.array(contour.rest, float), contour.part, person.proportions), contour.kind)
    pulls = np.zeros((len(MUSCLES), *rest.shape))
    for muscle, pull in contour.pulls.items():
        pulls[MUSCLES.index(muscle)] = _both_sides(np.array(pull, float), contour.kind)
    right = np.clip(rest[..., :1] / (2 * _MIDDLE) + 0.5, 0, 1)
    moved = rest + np.tensordot(muscles[:, 0], pulls, 1) * (1 - right) + np.tensordot(muscles[:, 1], pulls, 1) * right
    curve = _spline(rest.shape[-2], contour.kind == "ring")
    return curve @ moved, curve @ rest


def _part_lips_and_lids(curves: dict[str, Floats]) -> None:
    """Keep lids and lips from crossing: lids stop at lids, lips at lips."""
    above = curves["upper_lid"][..., 1]
    np.minimum(above, curves["lower_lid"][..., 1], out=above)
    top, bottom = curves["lip_top_inner"], curves["lip_bottom_inner"]
    middle = (top + bottom) / 2
    crossed = top[..., 1:] > bottom[..., 1:]
    top[:], bottom[:] = np.where(crossed, middle, top), np.where(crossed, middle, bottom)
    taper = 0.022 * np.sin(np.linspace(0, np.pi, top.shape[-2]))
    np.minimum(curves["lip_top"][..., 1], top[..., 1] - taper, out=curves["lip_top"][..., 1])
    np.maximum(curves["lip_bottom"][..., 1], bottom[..., 1] + taper, out=curves["lip_bottom"][..., 1])
    gap = bottom[..., 1] - top[..., 1]
    # the edge of the teeth stays straight, whatever the lip above it does
    edge = top[..., top.shape[-2] // 2, 1, None] + 0.075
    curves["teeth"] = top.copy()
    curves["teeth"][..., 1] += np.clip(edge - top[..., 1], 0, 0.75 * gap)
    curves["tongue"] = bottom - np.stack([np.zeros_like(gap), np.clip(gap - 0.14, 0, 0.10)], -1)


def _projected(points: Floats, depth: Floats, pose: Pose) -> Pixels:
    """Rotate about the head's middle and look along the depth axis: 1/16 pixels ``(frames, lines, samples, 2)``."""
    yaw, pitch, roll = (np.radians(pose.turn[:, k])[:, None, None] for k in range(3))
    x, y = points[..., 0], points[..., 1]
    x, z = x * np.cos(yaw) + depth * np.sin(yaw), depth * np.cos(yaw) - x * np.sin(yaw)
    y = y * np.cos(pitch) + z * np.sin(pitch)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    flat = np.stack([x, y], -1) * (UNIT * pose.zoom)[:, None, None, None]
    flat += ((_MIDDLE_OF_FACE + pose.shift) * CANVAS)[:, None, None, :]
    return np.asarray(np.rint(flat * (1 << FRACTION_BITS)), np.int32)


def _depth(contour: Contour, rest: Floats) -> Floats:
    if contour.depth is not None:
        return np.full(rest.shape[:-1], contour.depth + contour.lift)
    a, b, c = _HEAD_AXES
    inside = 1 - (rest[..., 0] / a) ** 2 - (rest[..., 1] / b) ** 2
    return np.asarray(c * np.sqrt(np.maximum(inside, 0)) + contour.lift, np.float64)


def place_contours(person: Person, muscles: Floats, pose: Pose) -> dict[str, Pixels]:
    """Return the positions of all contours of a face.

    Args:
        person: the person, with the proportions of the face.
        muscles: ``(frames, 2, muscles)`` contraction in [0, 1] of :data:`MUSCLES`, left and right half of the image.
        pose: position of the head, by frame.

    Returns:
        By contour, int32 ``(frames, lines, samples, 2)`` x and y on the canvas in 1/16 pixel.
    """
    curves: dict[str, Floats] = {}
    depths: dict[str, Floats] = {}
    for name, contour in CONTOURS.items():
        curves[name], rest = _bent(contour, person, muscles)
        depths[name] = _depth(contour, rest)
    _part_lips_and_lids(curves)
    depths["teeth"] = depths["tongue"] = depths["lip_top_inner"] - 0.05
    curves["iris"] = curves["iris"] + pose.gaze[:, None, None, :]
    style, head = STYLES[person.hair_style], person.proportions
    for name, outline, depth in (("hair_back", style.back, -0.3), ("hair_front", style.front, 0.12)):
        if outline:
            points = _spline(len(outline), True) @ _fitted(np.array(outline), "head", head)
            curves[name] = np.broadcast_to(points, (len(muscles), 1, *points.shape))
            depths[name] = np.full((1, len(points)), depth)
    return {name: _projected(points, depths[name], pose) for name, points in curves.items()}


def ribbons(lines: Pixels, widths: Floats, taper: tuple[float, float]) -> Pixels:
    """Return the outlines of brush strokes along open lines.

    Filled outlines with soft edges are drawn five times as fast as OpenCV's thick lines, and may end in a point.

    Args:
        lines: ``(frames, lines, samples, 2)`` in 1/16 pixel.
        widths: ``(frames,)`` in pixels, at the thickest place.
        taper: width at the first and the last sample, relative to the thickest place.

    Returns:
        ``(frames, lines, 2 * samples, 2)`` in 1/16 pixel.
    """
    along = np.gradient(lines.astype(np.float64), axis=2)
    across = np.stack([-along[..., 1], along[..., 0]], -1) / np.maximum(
        np.linalg.norm(along, axis=-1, keepdims=True), 1
    )
    t = np.linspace(-1, 1, lines.shape[2])
    profile = 1 - t**2 * np.where(t < 0, 1 - taper[0], 1 - taper[1])
    half = 0.5 * (1 << FRACTION_BITS) * widths[:, None, None, None] * profile[:, None] * across
    return np.asarray(np.rint(np.concatenate([lines + half, (lines - half)[:, :, ::-1]], 2)), np.int32)
