"""A painter of faces: filled curves back to front, then soft shade and light over all of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from harness.datasets.synthetic.expressions import MUSCLES
from harness.datasets.synthetic.folds import FOLDS, fold_strengths
from harness.datasets.synthetic.hair import STYLES
from harness.datasets.synthetic.people import Colour, Person, mix
from harness.datasets.synthetic.rig import CANVAS, FRACTION_BITS, UNIT, Floats, Pixels, Pose, place_contours, ribbons
from harness.system.images import Image, opencv

Shape = Mapping[str, Pixels]

_SHADE = CANVAS // 4  # shade is smooth, so a quarter of the size will do
_FLAT = 128  # shade that leaves a colour as it is
_BLACK: Colour = (20, 16, 18)
_WHITE: Colour = (255, 255, 255)
_FAINT = 0.12  # folds fainter than this aren't drawn


class _Brush:
    """OpenCV's drawing calls for positions in 1/16 pixel and widths in face units."""

    def __init__(self, canvas: Image, unit: float, bits: int = FRACTION_BITS, smooth: bool = True) -> None:
        self.canvas, self.unit, self.bits, self._cv2 = canvas, unit, bits, opencv()
        self._edge = self._cv2.LINE_AA if smooth else self._cv2.LINE_8

    def fill(self, outline: Pixels, colour: Colour) -> None:
        self._cv2.fillPoly(self.canvas, [outline], colour, self._edge, self.bits)

    def line(self, points: Pixels, colour: Colour, width: float, closed: bool = False) -> None:
        thickness = max(1, round(width * self.unit))
        self._cv2.polylines(self.canvas, [points], closed, colour, thickness, self._edge, self.bits)

    def dot(self, centre: Pixels, radius: float, colour: Colour) -> None:
        x, y = centre
        size = max(1, round(radius * self.unit * (1 << self.bits)))
        self._cv2.circle(self.canvas, (int(x), int(y)), size, colour, -1, self._edge, self.bits)


def _between(first: Pixels, second: Pixels) -> Pixels:
    """Return the closed outline between two open lines."""
    return np.concatenate([first, second[::-1]])


def _paint_eye(brush: _Brush, person: Person, shape: Shape, side: int) -> None:
    cv2 = opencv()
    upper, lower = shape["upper_lid"][side], shape["lower_lid"][side]
    outline = _between(upper, lower)
    # white and iris go through a stencil, or a half-closed eye would show an iris on its lid
    x, y, width, height = cv2.boundingRect(outline)
    x0, x1 = max(0, (x >> brush.bits) - 2), min(CANVAS, (x + width >> brush.bits) + 3)
    y0, y1 = max(0, (y >> brush.bits) - 2), min(CANVAS, (y + height >> brush.bits) + 3)
    if x1 <= x0 or y1 <= y0:
        return
    origin = np.array([x0, y0], np.int32) << brush.bits
    region = np.ascontiguousarray(brush.canvas[y0:y1, x0:x1])
    stencil = np.zeros(region.shape[:2], np.uint8)
    cv2.fillPoly(stencil, [outline - origin], 255, 8, brush.bits)
    eye = _Brush(region.copy(), brush.unit)
    eye.canvas[:] = (240, 238, 234)
    centre = shape["iris"][side, 0] - origin
    eye.dot(centre, 0.105, mix(person.iris, _BLACK, 0.45))
    eye.dot(centre, 0.088, person.iris)
    eye.dot(centre, 0.048, _BLACK)
    fine = brush.unit * (1 << brush.bits)
    eye.dot(centre - np.rint([0.03 * fine, 0.035 * fine]).astype(np.int32), 0.02, _WHITE)
    eye.line(upper - origin + np.array([0, round(0.02 * fine)], np.int32), (196, 190, 188), 0.03)
    cv2.copyTo(eye.canvas, stencil, region)
    brush.canvas[y0:y1, x0:x1] = region
    skin_shadow = mix(person.skin, (60, 30, 24), 0.55)
    brush.fill(shape[_stroke("lower_lid")][side], mix(person.skin, skin_shadow, 0.55))
    brush.fill(shape[_stroke("upper_lid")][side], mix(skin_shadow, _BLACK, 0.75))


def _paint_mouth(brush: _Brush, person: Person, shape: Shape) -> None:
    top, top_in, bottom_in, bottom = (
        shape[name][0] for name in ("lip_top", "lip_top_inner", "lip_bottom_inner", "lip_bottom")
    )
    brush.fill(_between(top_in, bottom_in), (74, 22, 28))
    brush.fill(_between(shape["tongue"][0], bottom_in), (186, 84, 88))
    brush.fill(_between(top_in, shape["teeth"][0]), (244, 240, 230))
    brush.fill(_between(top, top_in), mix(person.lips, (90, 20, 30), 0.18))
    brush.fill(_between(bottom_in, bottom), person.lips)
    seam = mix(person.lips, (50, 12, 16), 0.7)
    brush.fill(shape[_stroke("lip_top_inner")][0], seam)
    brush.fill(shape[_stroke("lip_bottom_inner")][0], seam)


def _paint_folds(brush: _Brush, person: Person, shape: Shape, strengths: Floats) -> None:
    dark = mix(person.skin, (70, 30, 22), 0.75)
    for (contour, fold), (left, right) in zip(FOLDS.items(), strengths.T.tolist(), strict=True):
        strokes = shape[_stroke(contour)]
        # a line across the middle belongs to both sides
        shares = (left, right) if len(strokes) == 2 else ((left + right) / 2,)
        for stroke, share in zip(strokes, shares, strict=True):
            if share > _FAINT or fold.rest:
                brush.fill(stroke, mix(person.skin, dark, share))


def _stroke(contour: str) -> str:
    """Return the name of a contour's brush stroke among the shapes of a frame."""
    return f"{contour} stroke"


def _add_strokes(contours: dict[str, Pixels], person: Person, zoom: Floats) -> None:
    """Add the outlines of the brush strokes to ``contours``: lines of the face with a width, thinner at their ends."""
    strokes: dict[str, tuple[float, tuple[float, float]]] = dict.fromkeys(FOLDS, (0.03, (0.3, 0.3))) | {
        "brow": (person.brow_width, (0.75, 0.25)),
        "upper_lid": (person.lash_width, (0.6, 0.9)),
        "lower_lid": (0.018, (0.5, 0.8)),
        "nose_base": (0.026, (0.6, 0.6)),
        "lip_top_inner": (0.018, (0.9, 0.9)),
        "lip_bottom_inner": (0.014, (0.9, 0.9)),
    }
    for name, (width, taper) in strokes.items():
        contours[_stroke(name)] = ribbons(contours[name], width * UNIT * zoom, taper)


def _paint_beard(brush: _Brush, person: Person, shape: Shape) -> None:
    if person.beard == "none":
        return
    colour = mix(person.hair, person.skin, 0.72 if person.beard == "stubble" else 0.06)
    if person.beard in ("full", "stubble"):
        brush.fill(shape["beard"][0], colour)
    brush.fill(shape["moustache"][0], colour)


def _paint_glasses(brush: _Brush, shape: Shape) -> None:
    frame = (48, 42, 46)
    for side in (0, 1):
        brush.line(shape["glasses"][side], frame, 0.04, closed=True)
        brush.line(shape["temple"][side], frame, 0.035)
    brush.line(np.stack([shape["glasses"][0, 3], shape["glasses"][1, 3]]), frame, 0.035)


def _paint(canvas: Image, person: Person, shape: Shape, folds: Floats, zoom: float) -> None:
    brush = _Brush(canvas, UNIT * zoom)
    deep = mix(person.skin, (96, 44, 30), 0.4)
    if "hair_back" in shape:
        brush.fill(shape["hair_back"][0], mix(person.hair, _BLACK, 0.3))
    brush.fill(shape["neck"][0], deep)
    brush.fill(shape["shirt"][0], person.shirt)
    for ear in shape["ear"]:
        brush.fill(ear, mix(person.skin, deep, 0.35))
    brush.fill(shape["head"][0], person.skin)
    _paint_beard(brush, person, shape)
    _paint_folds(brush, person, shape, folds)
    for side in (0, 1):
        _paint_eye(brush, person, shape, side)
        brush.fill(shape[_stroke("brow")][side], mix(mix(person.hair, _BLACK, 0.15), person.skin, 0.12))
        brush.dot(shape["nostril"][side, 0], 0.034, mix(deep, (50, 16, 14), 0.6))
    brush.fill(shape[_stroke("nose_base")][0], mix(person.skin, deep, 0.85))
    _paint_mouth(brush, person, shape)
    if "hair_front" in shape:
        cover = STYLES[person.hair_style].cover
        brush.fill(shape["hair_front"][0], mix(person.skin, person.hair, cover))
    if person.glasses:
        _paint_glasses(brush, shape)


def _shade(person: Person, shape: Shape, muscles: Floats, zoom: float, light: Floats) -> Image:
    """Return the relief of the face as ``(_SHADE, _SHADE, 3)`` gains around ``_FLAT``: hollows dark, cheeks rosy."""
    cv2 = opencv()
    gains = np.full((_SHADE, _SHADE, 3), _FLAT, np.uint8)
    # a quarter of the size: the same numbers with two more fraction bits
    brush = _Brush(gains, UNIT * zoom * _SHADE / CANVAS, FRACTION_BITS + 2, smooth=False)
    brush.line(np.ascontiguousarray(shape["head"][0, ::2]), (104, 100, 98), 0.14, closed=True)
    raised = muscles[:, MUSCLES.index(6)] * 0.6 + muscles[:, MUSCLES.index(12)] * 0.4
    shadow_side = int(light[0] < 0)
    for side in (0, 1):
        glow = float(raised[side])
        brush.dot(shape["cheek"][side, 0], 0.23, (round(136 + 8 * glow), round(124 - 6 * glow), round(122 - 6 * glow)))
        brush.line(shape["lid_crease"][side], (108, 104, 104), 0.10)
        brush.line(shape["bridge"][side], (100, 94, 92) if side == shadow_side else (140, 140, 140), 0.09)
    brush.line(shape["nose_base"][0], (92, 86, 84), 0.08)
    brush.dot(shape["nose_tip"][0, 0], 0.09, (150, 148, 146))
    brush.line(shape["chin_fold"][0], (102, 98, 96), 0.08)
    brush.line(shape["forehead"][0], (138, 138, 136), 0.22)
    return np.asarray(cv2.GaussianBlur(gains, (0, 0), 1.6), np.uint8)


def _normals() -> Floats:
    """Return unit normals ``(_SHADE, _SHADE, 3)`` of a head that fills the image, without a visible rim."""
    y, x = (np.mgrid[0:_SHADE, 0:_SHADE] + 0.5) / _SHADE * 2 - 1
    towards = np.stack([x, y / 1.2, np.exp(-1.4 * (x**2 + (y / 1.2) ** 2))], -1)
    return np.asarray(towards / np.linalg.norm(towards, axis=-1, keepdims=True), np.float64)


_AMBIENT, _DIRECT = 0.70, 0.36  # shares of the light that comes from everywhere and from the lamp


def render_faces(
    person: Person,
    muscles: Floats,
    pose: Pose,
    light: Floats,
    *,
    side: int = CANVAS,
    backdrops: Iterable[Image] | None = None,
) -> Iterator[Image]:
    """Draw a person, frame after frame.

    Args:
        person: the person to draw.
        muscles: ``(frames, 2, muscles)`` contraction in [0, 1] of :data:`MUSCLES`, left and right half of the image.
        pose: position of the head, by frame.
        light: ``(frames, 3)`` direction from the head to the lamp (x right, y down, z to the camera) times its gain.
        side: side of the images, in pixels.
        backdrops: by frame, RGB uint8 ``(CANVAS, CANVAS, 3)`` behind the person; a plain wall by default.

    Yields:
        RGB uint8 ``(side, side, 3)``.
    """
    cv2 = opencv()
    contours = place_contours(person, muscles, pose)
    _add_strokes(contours, person, pose.zoom)
    folds = fold_strengths(person, muscles)
    normals = _normals()
    if backdrops is None:
        backdrops = itertools.repeat(np.full((CANVAS, CANVAS, 3), person.wall, np.uint8), len(muscles))
    for k, backdrop in enumerate(backdrops):
        shape = {name: positions[k] for name, positions in contours.items()}
        canvas = backdrop.copy()
        zoom = float(pose.zoom[k])
        _paint(canvas, person, shape, folds[k], zoom)
        # einsum, as a product this small keeps every core of a threaded BLAS spinning
        lit = _AMBIENT + _DIRECT * np.maximum(np.einsum("yxc,c->yx", normals, light[k]), 0)[..., None]
        gains = np.minimum(_shade(person, shape, muscles[k], zoom, light[k]) * lit, 255).astype(np.uint8)
        canvas = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_LINEAR)
        yield cv2.multiply(canvas, cv2.resize(gains, (side, side), interpolation=cv2.INTER_LINEAR), scale=1 / _FLAT)
