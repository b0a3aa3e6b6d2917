"""Features of poses for networks: the authors' 406 columns with all their quirks, and cleaned ones.

Both are computed over a whole video from the rows of :class:`~solutions.encoders.pose.encoder.PoseEncoder`, on each
read, because that is faster than reading them from disk. Both have a row for every official frame. A frame that lacks
an image counts as empty: all columns are 0, also the presence columns of ``pose:clean``.

Landmarks are MediaPipe's 33 (0 nose, 11/12 shoulders, 13/14 elbows, 15/16 wrists, 23/24 hips, 25/26 knees, 27/28
ankles; left first). The module uses NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from solutions.encoders.pose.encoder import LANDMARKS, PEOPLE, VALUES

FORMAT = 1
"""Version of the columns' meaning, increased with each change: networks of another version are trained again."""

Rows = npt.NDArray[np.float32]

PAPER_DIM = 406

_PAIRED = ((15, 15), (15, 16), (16, 15), (16, 16), (11, 11), (12, 12), (23, 23), (24, 24))
"""Landmarks of the first and the second person whose distances are columns 397 to 404."""


def paper(raw: npt.NDArray[np.floating[Any]]) -> Rows:
    """Return the authors' features of a video (their public ``precompute_features.py``), quirks included.

    0-98 first person, x, y, z of each landmark; 99-197 second person; 198-296 and 297-395 their differences to the
    previous frame; 396-405 distances in x and y between both people: of their centroids, left wrists, left and right
    wrist, right and left wrist, right wrists, left shoulders, right shoulders, left hips, right hips, and of their mean
    points, which repeats the first.

    Coordinates are shares of width and of height, so that distances depend on direction. All values of an absent person
    are 0: velocities jump when people come, go or change places, and in the first frame they equal the pose. With one
    person the first distance is that to the image's corner, the others are 0.

    Args:
        raw: ``(n, 267)``, a row for each frame of a video.

    Returns:
        float32 ``(n, 406)``.
    """
    people, here, _ = _split_columns(raw)
    poses = people[..., :3].reshape(-1, PEOPLE, 3 * LANDMARKS)
    velocities = np.diff(poses, axis=0, prepend=np.zeros_like(poses[:1]))
    points = people[..., :2]
    apart = points.mean(2)[:, 0] - points.mean(2)[:, 1]
    first, second = (points[:, person, list(which)] for person, which in enumerate(zip(*_PAIRED, strict=True)))
    both = here.all(1)
    between = np.linalg.norm(first - second, axis=2) * both[:, None]
    centroids = np.linalg.norm(apart, axis=1)
    rows = [*poses.transpose(1, 0, 2), *velocities.transpose(1, 0, 2), centroids[:, None], between]
    return np.concatenate([*rows, (centroids * both)[:, None]], axis=1, dtype=np.float32)


JOINTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Nose, shoulders, elbows, wrists, hips, knees, ankles. The other landmarks are details of face, hands and feet."""

NOT_THE_SAME = 1.5
"""Distance, in body sizes, from a person's position in the previous frame above which it is another person."""

FORGOTTEN = 12
"""Number of frames without people after which places are assigned again."""

_WRISTS = (JOINTS.index(15), JOINTS.index(16))
_N = len(JOINTS)

PERSON_BLOCKS = {
    "here": 1, "centre": 2, "size": 1, "joints": 2 * _N, "visibility": _N, "velocity": 2 * _N, "speed": _N, "drift": 2,
}  # fmt: skip
"""Columns of each of the two people in ``pose:clean``, in order: presence, 0 or 1; centre of the joints relative to the
image's middle; logarithm of the body's size; joints relative to the centre, x then y of each, in body sizes; visibility
of the joints; displacement of each joint since the previous frame, in body sizes; lengths of these displacements;
displacement of the centre. A length is a share of the image's height, a body's size the root mean square distance of
its joints from their centre."""

PAIR_BLOCKS = {"both": 1, "apart": 2, "near": 1, "overlap": 1, "closing": 1, "reach": 2, "sizes": 1}
"""Columns on both people, after those of the second person: presence of both, 0 or 1; vector from the first person's
centre to the second's, in body sizes; 1 over 1 plus its length; intersection over union of their boxes; decrease of
their distance; least distance of a wrist of the first from any joint of the second, and the reverse, each as 1 over 1
plus the distance; logarithm of the ratio of their sizes. All are 0 unless both people are present."""

CLEAN_DIM = PEOPLE * sum(PERSON_BLOCKS.values()) + sum(PAIR_BLOCKS.values())


def clean(raw: npt.NDArray[np.floating[Any]]) -> Rows:
    """Return poses of people in stable places, in units of their size; see the blocks above for the columns.

    Coordinates are isotropic: x is multiplied by the image's width over its height. The velocity of a person who was
    absent in the previous frame, or farther away than ``NOT_THE_SAME``, is 0. All columns of an absent person are 0.

    Args:
        raw: ``(n, 267)``, a row for each frame of a video.

    Returns:
        float32 ``(n, CLEAN_DIM)``.
    """
    people, here, aspect = _split_columns(raw)
    joints = people[:, :, JOINTS]
    points = joints[..., :2] * np.stack([aspect, np.ones_like(aspect)], 1)[:, None, None]
    order = _places(points, here)
    points, visibility, here = (_in_order(rows, order) for rows in (points, joints[..., 3], here))
    centre, size = points.mean(2), _sizes(points)
    same = np.zeros_like(here)
    gone = np.linalg.norm(np.diff(centre, axis=0), axis=2) / np.maximum(size[1:], size[:-1])
    same[1:] = here[1:] & here[:-1] & (gone < NOT_THE_SAME)
    velocity = np.zeros_like(points)
    velocity[1:] = np.diff(points, axis=0) / size[1:, :, None, None]
    velocity *= same[..., None, None]
    middle = np.stack([aspect, np.ones_like(aspect)], 1)[:, None] / 2
    blocks = {
        "here": here[..., None],
        "centre": centre - middle,
        "size": np.log(size)[..., None],
        "joints": (points - centre[:, :, None]) / size[..., None, None],
        "visibility": visibility,
        "velocity": velocity,
        "speed": np.linalg.norm(velocity, axis=3),
        "drift": velocity.mean(2),
    }
    each = [blocks[name].reshape(len(raw), PEOPLE, width) for name, width in PERSON_BLOCKS.items()]
    one_by_one = (np.concatenate(each, axis=2) * here[..., None]).reshape(-1, PEOPLE * sum(PERSON_BLOCKS.values()))
    return np.concatenate([one_by_one, _between(points, centre, size, here, same)], axis=1, dtype=np.float32)


def _split_columns(
    raw: npt.NDArray[np.floating[Any]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return landmarks ``(n, 2, 33, 4)``, presence ``(n, 2)``, and width over height ``(n,)``, 1 without an image."""
    rows = np.asarray(raw, np.float64)
    values = PEOPLE * LANDMARKS * VALUES
    people = rows[:, :values].reshape(-1, PEOPLE, LANDMARKS, VALUES)
    return people, rows[:, values : values + PEOPLE] > 0, np.where(rows[:, -1] > 0, rows[:, -1], 1)


def _sizes(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the root mean square distance of joints ``(..., joints, 2)`` from their centre; 1 if they coincide."""
    size = np.sqrt(points.var(-2).sum(-1))
    return np.where(size > 1e-6, size, 1)


def _places(points: npt.NDArray[np.float64], here: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return True for frames ``(n,)`` in which the first and the second person of the rows must swap.

    From one frame with people to the next, people keep or swap their places, whichever moves them less. A swap holds
    until the next swap, so that a person who returns, alone or with the other, gets the same place.
    """
    occupied = np.flatnonzero(here.any(1))
    changed = np.zeros(len(points), bool)
    now, then = occupied[1:], occupied[:-1]
    centre, size = points.mean(2), _sizes(points)
    away = np.linalg.norm(centre[now, :, None] - centre[then, None], axis=3)
    away /= np.maximum(size[now, :, None], size[then, None])
    known = here[now, :, None] & here[then, None] & (now - then <= FORGOTTEN)[:, None, None]
    cost = np.where(known, np.minimum(away, NOT_THE_SAME), NOT_THE_SAME)
    changed[now] = cost[:, 0, 1] + cost[:, 1, 0] < cost[:, 0, 0] + cost[:, 1, 1]
    return np.asarray(np.cumsum(changed) % 2 == 1)


def _in_order(rows: npt.NDArray[Any], changed: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return np.where(changed.reshape(-1, *(1,) * (rows.ndim - 1)), rows[:, ::-1], rows)


def _between(
    points: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    size: npt.NDArray[np.float64],
    here: npt.NDArray[np.bool_],
    same: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Return the columns on both people, ``PAIR_BLOCKS`` in order."""
    unit = size.mean(1)
    apart = (centre[:, 1] - centre[:, 0]) / unit[:, None]
    distance = np.linalg.norm(apart, axis=1)
    closing = np.zeros_like(distance)
    closing[1:] = -np.diff(distance) * same[1:].all(1)
    low, high = points.min(2), points.max(2)
    area = (high - low).prod(2)
    shared = np.maximum(high.min(1) - low.max(1), 0).prod(1)
    reach = [
        np.linalg.norm(points[:, one, _WRISTS, None] - points[:, 1 - one, None], axis=3).min((1, 2)) / unit
        for one in range(PEOPLE)
    ]
    blocks = {
        "both": here.all(1)[:, None],
        "apart": apart,
        "near": 1 / (1 + distance[:, None]),
        "overlap": (shared / np.maximum(area.sum(1) - shared, 1e-6))[:, None],
        "closing": closing[:, None],
        "reach": 1 / (1 + np.stack(reach, 1)),
        "sizes": np.log(size[:, 1] / size[:, 0])[:, None],
    }
    return np.asarray(np.concatenate([blocks[name] for name in PAIR_BLOCKS], axis=1) * here.all(1)[:, None])
