"""Scenes of people who stand, stroll and talk with their hands, until two of them come to blows, drawn frame by frame.

Violence differs from the rest in how fast arms and bodies move, and towards whom; colours, places and the number of
people say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.motion import drift
from harness.system.images import Image, opencv

Floats = npt.NDArray[np.float64]

SHORTEST = 5  # frames that a stretch of peace or of violence lasts at least
MIN_FRAMES = 4 * SHORTEST
JPEG_QUALITY = 90
_MEAN_STRETCH = 45  # frames, in a long video
_SHIFT = 4  # bits of a pixel's fraction: slow motion must not jump
_FLOOR = 0.93  # height of the floor in the image
_SKIN = np.array([170, 190, 235])  # blue, green, red
# lengths in body heights, from tables of human proportions (Winter, Biomechanics and Motor Control, 1979)
_THIGH, _SHIN, _TORSO, _UPPER_ARM, _FOREARM, _HEAD = 0.245, 0.246, 0.288, 0.186, 0.2, 0.075


@dataclass(frozen=True)
class Action:
    """The motion of all people in one video, and its labels.

    Attributes:
        violent: int64 ``(frames,)``, 0 or 1: the labels.
        joints: float64 ``(frames, people, 12, 2)``, in image heights: head, neck, hip, shoulder, then elbow and hand
            of both arms, knee and foot of one leg, knee and foot of the other.
        heights: ``(people,)`` in image heights.
    """

    violent: npt.NDArray[np.int64]
    joints: Floats
    heights: Floats


def stretches(rng: np.random.Generator, frames: int) -> npt.NDArray[np.int64]:
    """Return labels ``(frames,)`` that change at least three times."""
    count = max(4, round(frames / _MEAN_STRETCH))
    shares = rng.gamma(4.0, size=count)
    spare = frames - count * SHORTEST
    cuts = np.rint(np.cumsum(shares) / shares.sum() * spare).astype(np.int64) + SHORTEST * np.arange(1, count + 1)
    first = int(rng.integers(2))
    return (first + np.searchsorted(cuts, np.arange(frames), side="right")) % 2


def act(rng: np.random.Generator, frames: int, width: float) -> Action:
    """Invent an action.

    Args:
        rng: source of random numbers.
        frames: length of the video.
        width: width of the image, in image heights.
    """
    people = int(rng.integers(2, 5))
    violent = stretches(rng, frames)
    rage = np.convolve(np.pad(violent, 2, mode="edge"), np.ones(5) / 5, mode="valid")  # a blow takes time to begin
    heights = rng.uniform(0.5, 0.68, people)
    home = (np.linspace(0.2, 0.8, people) + rng.uniform(-0.05, 0.05, people)) * width
    x = home + drift(rng, frames, people, 0.05, 41)
    first = int(rng.integers(people - 1))
    pair = np.array([first, first + 1])
    reach = 0.33 * heights[pair].mean()
    middle = x[:, pair].mean(1, keepdims=True)
    x[:, pair] += rage[:, None] * (middle + np.array([-reach, reach]) - x[:, pair])
    facing = np.where(np.arange(people) <= first, 1.0, -1.0)
    talk, strike, struck = _calm(rng, frames, people), np.zeros((frames, people, 2)), np.zeros((frames, people))
    blows = _blows(rng, frames)
    strike[:, pair] = blows * rage[:, None, None]
    struck[:, pair] = np.roll(strike[:, pair[::-1]].max(2), 2, axis=0)  # two frames after the other's blow
    return Action(violent, _joints(x, heights, facing, talk, strike, struck), heights)


def _calm(rng: np.random.Generator, frames: int, people: int) -> Floats:
    """Return slow swings of arms and legs ``(frames, people, 2)``, in radians."""
    return np.stack([drift(rng, frames, people, 0.35, 25), drift(rng, frames, people, 0.15, 31)], 2)


def _blows(rng: np.random.Generator, frames: int) -> Floats:
    """Return the blows of both fighters' arms ``(frames, 2, 2)``, 0 to 1: short, and one arm after the other."""
    period = rng.uniform(7, 11, (2, 1))
    phase = rng.uniform(0, 2 * np.pi, (2, 1)) + np.array([0, np.pi])
    wave = np.sin(2 * np.pi * np.arange(frames)[:, None, None] / period + phase)
    return np.asarray(np.clip(wave, 0, 1) ** 2)


def _joints(x: Floats, heights: Floats, facing: Floats, talk: Floats, strike: Floats, struck: Floats) -> Floats:
    """Return the joints by forward kinematics; angles go forwards from straight down (the torso's from straight up)."""

    def along(angle: Floats, length: float) -> Floats:
        direction = np.stack([np.sin(angle) * facing, np.cos(angle)], -1)
        return np.asarray(direction * (length * heights)[:, None], np.float64)

    stride = talk[..., 1] + 0.25 * strike.max(2)
    hip = np.stack([x, np.broadcast_to(_FLOOR - (_THIGH + _SHIN) * heights, x.shape)], -1)
    lean = 0.05 + 0.25 * strike.max(2) - 0.6 * struck
    neck = hip - along(-lean, _TORSO)
    head = neck - along(-1.3 * lean, 1.2 * _HEAD)
    shoulder = neck + 0.12 * (hip - neck)
    limbs = []
    for side in (0, 1):
        # at rest a bent arm that gestures; a blow throws it out, straight, at the height of the other's head
        raised = 0.25 + np.abs(talk[..., 0]) * (0.6 + 0.4 * side) + 1.35 * strike[..., side] + 0.8 * struck
        bent = (0.5 + 0.8 * np.abs(talk[..., 0])) * (1 - strike[..., side]) + 0.9 * struck
        elbow = shoulder + along(raised, _UPPER_ARM)
        limbs += [elbow, elbow + along(raised + bent, _FOREARM)]
    for sign in (1.0, -1.0):
        knee = hip + along(0.12 * sign + sign * stride, _THIGH)
        limbs += [knee, knee + along(0.6 * (0.12 * sign + sign * stride) - 0.1, _SHIN)]
    return np.stack([head, neck, hip, shoulder, *limbs], 2)


def draw(rng: np.random.Generator, action: Action, size: tuple[int, int]) -> Iterator[bytes]:
    """Draw the images of an action.

    Args:
        rng: source of the camera's random numbers.
        action: the action to draw.
        size: width and height in pixels.

    Yields:
        One JPEG file per frame.
    """
    cv2 = opencv()
    width, height = size
    clothes = rng.integers(30, 226, (len(action.heights), 3, 3))
    clothes[:, 2] = _SKIN * rng.uniform(0.35, 1, (len(clothes), 1))
    room = _room(rng, width, height)
    shake = np.rint(drift(rng, len(action.joints), 2, 0.012 * height, 21)).astype(np.int64)
    grain = rng.normal(0, rng.uniform(1.5, 4.0), (height + 32, width + 32, 3)).astype(np.int16)
    corners = rng.integers(0, 33, (len(action.joints), 2)).tolist()
    points = np.rint((action.joints * height + shake[:, None, None]) * 2**_SHIFT).astype(np.int32)
    for people, (dx, dy), (u, v) in zip(points, shake.tolist(), corners, strict=True):
        image = np.roll(room, (dy, dx), (0, 1))
        for joints, colours, tall in zip(people, clothes.tolist(), action.heights.tolist(), strict=True):
            _draw_person(image, joints, colours, tall * height)
        noisy = np.clip(image + grain[u : u + height, v : v + width], 0, 255).astype(np.uint8)
        _, encoded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        yield encoded.tobytes()


def _room(rng: np.random.Generator, width: int, height: int) -> Image:
    """Draw a wall, a floor and objects that stand there."""
    cv2 = opencv()
    room = np.empty((height, width, 3), np.uint8)
    edge = int(height * rng.uniform(0.55, 0.75))
    room[:edge], room[edge:] = rng.integers(90, 200, 3), rng.integers(60, 160, 3)
    for _ in range(int(rng.integers(2, 6))):
        x, w, h = (int(v * height) for v in rng.uniform((0, 0.1, 0.1), (width / height, 0.4, 0.5)))
        colour = [int(v) for v in rng.integers(40, 220, 3)]
        cv2.rectangle(room, (x, edge + h // 4), (x + w, edge - h), colour, -1)
    return np.asarray(cv2.GaussianBlur(room, (0, 0), 0.01 * height))


def _draw_person(image: Image, joints: npt.NDArray[np.int32], colours: list[list[int]], height: float) -> None:
    cv2 = opencv()
    head, neck, hip, shoulder, elbow, hand, other_elbow, other_hand, knee, foot, other_knee, other_foot = joints
    shirt, trousers, skin = colours
    thin, thick = max(1, round(0.05 * height)), max(2, round(0.15 * height))

    def line(colour: list[int], thickness: int, *points: npt.NDArray[np.int32]) -> None:
        cv2.polylines(image, [np.array(points)], False, colour, thickness, cv2.LINE_AA, _SHIFT)

    line([c // 2 for c in shirt], thin, shoulder, other_elbow, other_hand)
    line(trousers, thin + 1, hip, other_knee, other_foot)
    line(trousers, thin + 1, hip, knee, foot)
    line(shirt, thick, neck, hip)
    radius = round(_HEAD * height * 2**_SHIFT)
    cv2.circle(image, head.tolist(), radius, skin, -1, cv2.LINE_AA, _SHIFT)
    line(skin, thin, shoulder, elbow, hand)
