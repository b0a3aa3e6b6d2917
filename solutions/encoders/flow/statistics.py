"""The ``flow-statistics`` encoder: what moves in a frame, how fast, where, and against what the camera does.

No weights, no download. Lengths are hundredths of the picture's size (the root of its area), so that neither resolution
nor aspect ratio changes them; speeds are such lengths a frame.
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
"""Raised whenever the meaning of a column changes: features cached under another number are made anew."""

SIZE = 160
"""Pixels: root of the area of the grey picture that flow is taken of; its aspect ratio is kept."""

SHORTEST = 32
"""Pixels: least side of it, as Farneback's pyramid needs some."""

QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.97, 0.995)
GRID = 4
BINS = 8
MOVING = 0.6
"""Speed over which a point belongs to something that moves."""

ROUNDS = 4
"""Of fitting the camera's motion, each with less weight on what the one before did not explain."""

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
"""Columns, in order.

any: 1, or 0 for a first frame, all of whose columns but those of its picture are 0.
flow: mean, standard deviation and quantiles of the speed.
residual: the same after the camera's motion is taken away.
camera: its motion, an affine field fitted robustly: speed at the middle, growth, rotation, shear; how many points obey.
grid: mean residual speed in each of 4 x 4 cells, row by row.
directions: residual motion by direction, 8 bins weighted by speed, as shares; length of the mean of unit vectors.
gradients: mean and 0.97 quantile of the residual's absolute divergence, rotation and shear.
regions: connected regions that move faster than MOVING: how many (of 1 % of the picture or more); the share of all, of
the largest, of the second; the largest's middle (x, y), width, height and speed; how fast the two largest near
each other.
change: as residual, of how much the flow differs from that of the frame before.
picture: mean and deviation of grey; strength of its edges, and how much that changed; mean absolute difference to the
frame before, and what of it remains when the motion is undone.
Speeds and what is made of them are the logarithm of 1 plus the number.
"""

DIM = sum(BLOCKS.values())


class FlowStatisticsEncoder:
    """A row of statistics for each frame, see ``BLOCKS``, of the flow at ``SIZE``."""

    name = "flow-statistics"
    dim = DIM
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float32)),)
    parallel: Parallel = "processes"
    batch_size = 64
    context = 2

    def identity(self) -> dict[str, Any]:
        """The settings above, and OpenCV's version."""
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
        """Grey, resized by area to ``SIZE``."""
        cv2 = opencv()
        height, width = image.shape[:2]
        factor = SIZE / (height * width) ** 0.5
        size = max(SHORTEST, round(width * factor)), max(SHORTEST, round(height * factor))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def encode(self, images: Sequence[Image], before: Sequence[Image] = ()) -> npt.NDArray[np.float32]:
        """float32 ``(len(images), DIM)``; see :class:`~solutions.encoders.encoder.Encoder`. Never NaN."""
        frames = [*before, *images]
        motions = [None, *(_Motion(one, two) for one, two in pairwise(frames))]
        own = range(len(before), len(frames))
        rows = [_row(frames[k], motions[k], motions[k - 1] if k else None) for k in own]
        return np.array(rows, np.float32).reshape(len(images), self.dim)


class _Motion:
    """What moved between two frames, at every other point of every other line.

    Attributes:
        unit: one of the picture's lengths (a hundredth of its size) in pixels.
        flow: float32 ``(h, w, 2)``.
        points: float32 ``(h, w, 2)``, x and y from the middle, in hundredths.
        camera: float64 ``(3, 2)``, the affine field that most points obey: at the middle, along x, along y.
        residual: ``flow`` without it.
        before, after: both frames at full size, grey.
    """

    def __init__(self, before: Image, after: Image) -> None:
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
    """The affine field that most points obey: least squares, points that disagree weighing less with each round."""
    basis = np.column_stack([np.ones(len(points)), points])
    weights = np.ones(len(points))
    for _ in range(ROUNDS):
        weighted = basis * weights[:, None]
        # a breath of ridge: a picture of 1 x 1 has no slope
        field = np.linalg.solve(weighted.T @ basis + 1e-6 * np.eye(3), weighted.T @ flow)
        away = np.linalg.norm(flow - basis @ field, axis=1)
        weights = 1 / (1 + (away / (np.median(away) + 0.05)) ** 2)
    return np.asarray(field)


def _row(frame: Image, motion: _Motion | None, earlier: _Motion | None) -> list[float]:
    """Columns of one frame, ``BLOCKS`` in order."""
    if motion is None:
        nothing = [0.0] * (DIM - BLOCKS["picture"])
        return [*nothing, *_picture(frame, None)]
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
        "picture": _picture(frame, motion),
    }
    return [float(value) for name in BLOCKS for value in blocks[name]]


def _logarithm(values: Any) -> npt.NDArray[np.floating[Any]]:
    """Of 1 plus the size, with its sign."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _speeds(speed: Flow) -> Sequence[float]:
    return [*_logarithm([speed.mean(), speed.std(), *np.quantile(speed, QUANTILES)])]


def _camera_columns(motion: _Motion) -> Sequence[float]:
    (u, v), (along_x, turn_v), (turn_u, along_y) = motion.camera
    # the slopes are tiny: 100 of them are what the picture's edges see
    slopes = 100 * np.array([(along_x + along_y) / 2, (turn_v - turn_u) / 2])
    shear = 50 * np.hypot(along_x - along_y, turn_u + turn_v)
    return [*_logarithm([np.hypot(u, v), *slopes, shear]), float((motion.speed < MOVING).mean())]


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
    _, labels, found, _ = cv2.connectedComponentsWithStats(moving, connectivity=8)
    height, width = moving.shape
    areas = found[1:, cv2.CC_STAT_AREA] / moving.size
    order = np.argsort(-areas, kind="stable")[:2]
    if not len(order):
        return [0.0] * 10
    centres, velocities = [], []
    for label in order + 1:
        left, top, w, h, _ = found[label]
        box = np.s_[top : top + h, left : left + w]
        inside = labels[box] == label
        centres.append(motion.points[box][inside].mean(0) / 100)
        velocities.append(motion.residual[box][inside].mean(0))
    _, _, w, h, _ = found[order[0] + 1]
    closing = 0.0
    if len(order) == 2:
        apart = centres[1] - centres[0]
        closing = -float((velocities[1] - velocities[0]) @ apart / max(float(np.linalg.norm(apart)), 1e-6))
    return [
        float(np.log1p((areas >= 0.01).sum())), float(areas.sum()), areas[order[0]],
        areas[order[1]] if len(order) == 2 else 0.0, *centres[0], w / width, h / height,
        *_logarithm([np.linalg.norm(velocities[0]), closing]),
    ]  # fmt: skip


def _picture(frame: Image, motion: _Motion | None) -> Sequence[float]:
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
