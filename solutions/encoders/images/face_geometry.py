"""Features of face landmarks, independent of head pose, position and scale, with left and right averaged.

The points are those of MediaPipe's attention mesh: 468 on the surface (Kartynnik et al. 2019, arXiv:1907.06724),
numbered as in its canonical face model, and five for each iris (Grishchenko et al. 2020, arXiv:2006.10962). Coordinates
are pixels: x to the right, y down, z away from the camera on about the scale of x.

An expression is a change of shape, so that all other differences are removed first. The module uses NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

N_LANDMARKS = 478
"""Number of points: 468 on the surface, then five for each iris."""

Pairs = tuple[tuple[int, int], ...]

# mirror pairs (left in the image, right in the image); members of each part are those of MediaPipe's FACEMESH_*
# connections, and the pairs follow from the mesh's symmetry
EYES: Pairs = (
    (7, 249), (33, 263), (133, 362), (144, 373), (145, 374), (153, 380), (154, 381), (155, 382),
    (157, 384), (158, 385), (159, 386), (160, 387), (161, 388), (163, 390), (173, 398), (246, 466),
)  # fmt: skip
IRISES: Pairs = ((468, 473), (469, 476), (470, 475), (471, 474), (472, 477))
BROWS: Pairs = (
    (46, 276), (52, 282), (53, 283), (55, 285), (63, 293), (65, 295), (66, 296), (70, 300), (105, 334), (107, 336),
)  # fmt: skip
LIPS: Pairs = (
    (0, 0), (13, 13), (14, 14), (17, 17), (37, 267), (39, 269), (40, 270), (61, 291), (78, 308), (80, 310), (81, 311),
    (82, 312), (84, 314), (87, 317), (88, 318), (91, 321), (95, 324), (146, 375), (178, 402), (181, 405), (185, 409),
    (191, 415),
)  # fmt: skip
NOSE: Pairs = (
    (1, 1), (2, 2), (4, 4), (5, 5), (6, 6), (19, 19), (94, 94), (168, 168), (195, 195), (197, 197),
    (45, 275), (48, 278), (64, 294), (97, 326), (98, 327), (115, 344), (220, 440),
)  # fmt: skip

OUTLINE: Pairs = (
    (10, 10), (152, 152), (21, 251), (54, 284), (58, 288), (67, 297), (93, 323), (103, 332), (109, 338), (127, 356),
    (132, 361), (136, 365), (148, 377), (149, 378), (150, 379), (162, 389), (172, 397), (176, 400), (234, 454),
)  # fmt: skip

POINTS: Pairs = EYES + IRISES + BROWS + LIPS + NOSE + OUTLINE
"""MediaPipe's contours. Adding the rest of the mesh, cheeks and forehead, did not improve a classifier."""

PARTS: tuple[slice, ...] = (
    slice(0, len(EYES) + 1),  # including the iris's centre
    slice(len(EYES) + len(IRISES), len(EYES) + len(IRISES) + len(BROWS)),
    slice(len(EYES) + len(IRISES) + len(BROWS), len(EYES) + len(IRISES) + len(BROWS) + len(LIPS)),
)
"""Eye, brow and lips within ``POINTS``, whose shape is described separately: their position differs between people."""

# points that hardly move with an expression; they define the head's axes
_ACROSS: Pairs = ((33, 263), (133, 362), (127, 356), (234, 454), (132, 361), (93, 323), (162, 389), (21, 251))
_FOREHEAD = (9, 10, 151)
_NOSE_BASE = (2, 94)

_LEFT, _RIGHT = (np.array(side) for side in zip(*POINTS, strict=True))
_ACROSS_LEFT, _ACROSS_RIGHT = (np.array(side) for side in zip(*_ACROSS, strict=True))

DIM = 2 * (len(POINTS) + sum(part.stop - part.start for part in PARTS))
"""Number of columns: x and y of every point relative to the face, then relative to its part."""


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.full_like(vector, np.nan)


def frontal(points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Return one face turned to the camera, centred, at unit size.

    The head's axes follow from its points: x runs across the face, y from the forehead to the base of the nose, z is
    perpendicular. There is no learned shape, so that a row depends on its own face alone. Size is the root mean square
    distance in 3-D of all points from the point between the temples; unlike the distance of the eyes, it is independent
    of yaw.

    Args:
        points: ``(478, 3)``, pixels.

    Returns:
        float64 ``(478, 3)``, without unit; unchanged by a rotation in 3-D, a shift or a scaling of ``points``.
        All NaN if points coincide, so that an axis is undefined.
    """
    face = np.asarray(points, np.float64)
    across = _unit((face[_ACROSS_RIGHT] - face[_ACROSS_LEFT]).sum(axis=0))
    down = face[list(_NOSE_BASE)].mean(axis=0) - face[list(_FOREHEAD)].mean(axis=0)
    down = _unit(down - (down @ across) * across)
    axes = np.stack([across, down, np.cross(across, down)])
    between_temples = (face[_ACROSS_RIGHT] + face[_ACROSS_LEFT]).mean(axis=0) / 2
    size = np.sqrt(((face - between_temples) ** 2).sum(axis=1).mean())
    return np.asarray((face - face.mean(axis=0)) @ axes.T / size)


def expression_features(points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Return the positions of the contours on a frontal face, left and right averaged, and the shapes of its parts.

    Averaging mirror points halves the number of columns and the landmark noise. Depth is left out: the mesh estimates
    it from the image, and adding it did not improve a classifier.

    Args:
        points: ``(478, 3)``, pixels.

    Returns:
        float32 ``(DIM,)``: x, y of each pair of ``POINTS``, centred on the face; then x, y of each pair of ``PARTS``,
        centred on the part.
    """
    face = frontal(points)
    left, right = face[_LEFT, :2], face[_RIGHT, :2]
    half = (left + right * np.array([-1.0, 1.0])) / 2
    parts = [half[part] - half[part].mean(axis=0) for part in PARTS]
    return np.asarray(np.concatenate([half, *parts]).reshape(-1), np.float32)
