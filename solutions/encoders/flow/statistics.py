"""Encoder ``flow-statistics``: statistics of the motion in a frame, relative to the camera's motion, without weights.

Lengths are hundredths of the image's size (the square root of its area), so that they are independent of resolution and
aspect ratio; speeds are such lengths per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel, Part
from solutions.encoders.flow.encoder import FARNEBACK, Flow, farneback

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

SIZE = 160
"""Square root of the area, in pixels, of the grey image for which flow is computed; its aspect ratio is kept."""

SHORTEST = 32
"""Shortest side of that image in pixels, a limit of Farneback's pyramid."""

QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.97, 0.995)
GRID = 4
BINS = 8
MOVING = 0.6
"""Speed above which a point counts as moving."""

ROUNDS = 4
"""Rounds of fitting the camera's motion; each one reduces the weight of points that the previous fit misses."""

BLOCKS = {
    "any": 1,
    "flow": 2 + len(QUANTILES),
    "residual": 2 + len(QUANTILES),
    "camera": 5,
    "grid": GRID * GRID,
    "directions": BINS + 1,
    "gradients": 6,
    "regions": 10,
    "change": 2 + len(QUANTILES),
    "picture": 6,
}  # fmt: skip
"""Blocks of columns with their widths, in order.

any: 1; 0 for the first frame of a video, in which all columns are 0 except for those of the last block.
flow: mean, standard deviation and quantiles of the speed.
residual: mean, standard deviation and quantiles of the speed after subtracting the camera's motion.
camera: the camera's motion, a robustly fitted affine field: speed at the middle, growth, rotation, shear; share of
points that follow this field.
grid: mean residual speed in each of 4 x 4 cells, row by row.
directions: residual motion by direction, 8 bins weighted by speed, as shares; length of the speed-weighted mean
direction.
gradients: mean and 0.97 quantile of the residual's absolute divergence, rotation and shear.
regions: connected regions that move faster than MOVING: number (of at least 1 % of the image); share of the image of
all regions, of the largest and of the second; middle (x, y), width, height and speed of the largest; speed at which the
two largest approach each other.
change: mean, standard deviation and quantiles of the difference between the flow and that of the previous frame.
The last block: mean and deviation of grey; strength of edges, and its change; mean absolute difference to the previous
frame, before and after compensating the motion.
Speeds and quantities computed from them are the logarithm of 1 plus the number.
"""

DIM = sum(BLOCKS.values())


class FlowStatisticsEncoder:
    """Encoder with one row of flow statistics per frame, see ``BLOCKS``."""

    name = "flow-statistics"
    dim = DIM
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float32)),)
    parallel: Parallel = "processes"
    batch_size = 64
    context = 2

    def identity(self) -> dict[str, Any]:
        """Return the constants of this module and OpenCV's version."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "opencv": str(opencv().__version__),
            "size": SIZE,
            "farneback": FARNEBACK,
            "quantiles": list(QUANTILES),
            "moving": MOVING,
            "blocks": BLOCKS,
        }

    def prepare(self, image: Image) -> Image:
        """Return the grey image, resized by area to ``SIZE``."""
        cv2 = opencv()
        height, width = image.shape[:2]
        factor = SIZE / (height * width) ** 0.5
        size = max(SHORTEST, round(width * factor)), max(SHORTEST, round(height * factor))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def encode(self, images: Sequence[Image], before: Sequence[Image] = ()) -> npt.NDArray[np.float32]:
        """Return float32 ``(len(images), DIM)`` without NaN; see :class:`~solutions.encoders.encoder.Encoder`."""
        frames = [*before, *images]
        motions = [None, *(_Motion(one, two) for one, two in pairwise(frames))]
        indices = range(len(before), len(frames))
        rows = [_row(frames[k], motions[k], motions[k - 1] if k else None) for k in indices]
        return np.array(rows, np.float32).reshape(len(images), self.dim)


class _Motion:
    """Motion between two frames, at every second point of every second line.

    Attributes:
        unit: unit of length, a hundredth of the image's size, in pixels.
        flow: float32 ``(h, w, 2)``.
        points: float32 ``(h, w, 2)``, x and y from the middle, in units.
        camera: float64 ``(3, 2)``, affine field that most points follow: at the middle, along x, along y.
        residual: float32 ``(h, w, 2)``, flow minus the camera's field.
        before: first frame at full size, grey.
        after: second frame at full size, grey.
    """

    def __init__(self, before: Image, after: Image) -> None:
        """Compute the flow and fit the camera's motion."""
        self.before, self.after = before, after
        height, width = after.shape
        self.unit = (height * width) ** 0.5 / 100
        self.whole: Flow = farneback(before, after)
        self.flow: Flow = self.whole[::2, ::2] / np.float32(self.unit)
        y, x = np.mgrid[0:height:2, 0:width:2].astype(np.float32)
        self.points = np.dstack([x - width / 2, y - height / 2]) / np.float32(self.unit)
        self.camera = _camera(self.points[::4, ::4].reshape(-1, 2), self.flow[::4, ::4].reshape(-1, 2))
        self.residual = self.flow - (self.camera[0] + self.points @ self.camera[1:]).astype(np.float32)
        self.speed = np.hypot(self.residual[..., 0], self.residual[..., 1])


def _camera(points: Flow, flow: Flow) -> npt.NDArray[np.float64]:
    """Return the affine field that most points follow, by least squares with less weight on outliers each round."""
    basis = np.column_stack([np.ones(len(points)), points])
    weights = np.ones(len(points))
    for _ in range(ROUNDS):
        weighted = basis * weights[:, None]
        # a small ridge term keeps the system solvable for an image of 1 x 1
        field = np.linalg.solve(weighted.T @ basis + 1e-6 * np.eye(3), weighted.T @ flow)
        away = np.linalg.norm(flow - basis @ field, axis=1)
        weights = 1 / (1 + (away / (np.median(away) + 0.05)) ** 2)
    return np.asarray(field)


def _row(frame: Image, motion: _Motion | None, earlier: _Motion | None) -> list[float]:
    """Return the columns of one frame, ``BLOCKS`` in order."""
    if motion is None:
        nothing = [0.0] * (DIM - BLOCKS["picture"])
        return [*nothing, *_grey_columns(frame, None)]
    change = motion.flow - earlier.flow if earlier is not None and earlier.flow.shape == motion.flow.shape else None
    none = np.zeros((1, 1), np.float32)
    blocks = {
        "any": [1.0],
        "flow": _speeds(np.hypot(motion.flow[..., 0], motion.flow[..., 1])),
        "residual": _speeds(motion.speed),
        "camera": _camera_columns(motion),
        "grid": _grid(motion.speed),
        "directions": _directions(motion),
        "gradients": _gradients(motion.residual),
        "regions": _regions(motion),
        "change": _speeds(none if change is None else np.hypot(change[..., 0], change[..., 1])),
        "picture": _grey_columns(frame, motion),
    }
    return [float(value) for name in BLOCKS for value in blocks[name]]


def _logarithm(values: Any) -> npt.NDArray[np.floating[Any]]:
    """Return the logarithm of 1 plus the absolute value, with the sign of the value."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _speeds(speed: Flow) -> Sequence[float]:
    return [*_logarithm([speed.mean(), speed.std(), *np.quantile(speed, QUANTILES)])]


def _camera_columns(motion: _Motion) -> Sequence[float]:
    (u, v), (along_x, turn_v), (turn_u, along_y) = motion.camera
    # the gradients are per unit: times 100 they are per size of the image
    gradients = 100 * np.array([(along_x + along_y) / 2, (turn_v - turn_u) / 2])
    shear = 50 * np.hypot(along_x - along_y, turn_u + turn_v)
    return [*_logarithm([np.hypot(u, v), *gradients, shear]), float((motion.speed < MOVING).mean())]


def _grid(speed: Flow) -> Sequence[float]:
    cells = opencv().resize(speed, (GRID, GRID), interpolation=opencv().INTER_AREA)
    return [*_logarithm(cells.reshape(-1))]


def _directions(motion: _Motion) -> Sequence[float]:
    total = max(float(motion.speed.sum()), 1e-6)
    angle = np.arctan2(motion.residual[..., 1], motion.residual[..., 0])
    bins = np.floor((angle / (2 * np.pi) + 1 / (2 * BINS)) * BINS).astype(int) % BINS
    shares = np.bincount(bins.reshape(-1), motion.speed.reshape(-1), BINS) / total
    return [*shares, float(np.hypot(*motion.residual.sum((0, 1)))) / total]


def _gradients(residual: Flow) -> Sequence[float]:
    if min(residual.shape[:2]) < 2:
        return [0.0] * 6
    (u_y, u_x), (v_y, v_x) = (np.gradient(residual[..., k]) for k in (0, 1))
    sizes = [np.abs(u_x + v_y), np.abs(v_x - u_y), np.hypot(u_x - v_y, u_y + v_x)]
    return [*_logarithm([value for size in sizes for value in (size.mean(), np.quantile(size, 0.97))])]


def _regions(motion: _Motion) -> Sequence[float]:
    cv2 = opencv()
    moving = (motion.speed > MOVING).astype(np.uint8)
    _, labels, components, _ = cv2.connectedComponentsWithStats(moving, connectivity=8)
    height, width = moving.shape
    areas = components[1:, cv2.CC_STAT_AREA] / moving.size
    order = np.argsort(-areas, kind="stable")[:2]
    if not len(order):
        return [0.0] * 10
    centres, velocities = [], []
    for label in order + 1:
        left, top, w, h, _ = components[label]
        box = np.s_[top : top + h, left : left + w]
        inside = labels[box] == label
        centres.append(motion.points[box][inside].mean(0) / 100)
        velocities.append(motion.residual[box][inside].mean(0))
    _, _, w, h, _ = components[order[0] + 1]
    closing = 0.0
    if len(order) == 2:
        apart = centres[1] - centres[0]
        closing = -float((velocities[1] - velocities[0]) @ apart / max(float(np.linalg.norm(apart)), 1e-6))
    return [
        float(np.log1p((areas >= 0.01).sum())), float(areas.sum()), areas[order[0]],
        areas[order[1]] if len(order) == 2 else 0.0, *centres[0], w / width, h / height,
        *_logarithm([np.linalg.norm(velocities[0]), closing]),
    ]  # fmt: skip


def _grey_columns(frame: Image, motion: _Motion | None) -> Sequence[float]:
    edges = _edges(frame)
    columns = [frame.mean() / 255, frame.std() / 255, edges]
    if motion is None:
        return [*columns, 0.0, 0.0, 0.0]
    cv2 = opencv()
    height, width = frame.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    undone = cv2.remap(frame, x + motion.whole[..., 0], y + motion.whole[..., 1], cv2.INTER_LINEAR)
    before = motion.before if motion.before.shape == frame.shape else cv2.resize(motion.before, (width, height))
    apart = (float(cv2.absdiff(before, other).mean()) / 25 for other in (frame, undone))
    return [*columns, edges - _edges(before), *_logarithm([*apart])]


def _edges(grey: Image) -> float:
    cv2 = opencv()
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).mean()) / 255
