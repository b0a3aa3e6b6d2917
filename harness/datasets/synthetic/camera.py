"""The recording: a wall behind the person, then the lens, the sensor and the JPEG file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.faces import render_faces
from harness.datasets.synthetic.motion import drift, move_head, move_lamp
from harness.datasets.synthetic.people import Person, mix
from harness.datasets.synthetic.rig import CANVAS, Floats
from harness.system.images import Image, opencv

CROP_SIDES = (112, 160)  # pixels, smallest and largest crop; Aff-Wild2's own are about as large
JPEG_QUALITY = 90
_MARGIN = 24  # pixels of wall beyond the image, for the camera's drift


def _wall(rng: np.random.Generator, person: Person) -> Image:
    """Return an out-of-focus room ``(CANVAS + 2 * _MARGIN,) * 2 + (3,)``."""
    cv2 = opencv()
    side = CANVAS + 2 * _MARGIN
    wall = np.full((side, side, 3), person.wall, np.uint8)
    for _ in range(int(rng.integers(2, 6))):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 30, 30), (side, side, 150, 150)))
        colour = mix(person.wall, (int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256))), 0.35)
        cv2.rectangle(wall, (x - w // 2, y - h // 2), (x + w // 2, y + h // 2), colour, -1)
    return np.asarray(cv2.GaussianBlur(wall, (0, 0), float(rng.uniform(5, 12))), np.uint8)


def film(rng: np.random.Generator, person: Person, muscles: Floats) -> Iterator[bytes]:
    """Record a performance as face crops.

    Args:
        rng: source of the camera's random numbers.
        person: the person to draw.
        muscles: ``(frames, 2, muscles)``, see :func:`~harness.datasets.synthetic.faces.render_faces`.

    Yields:
        One JPEG file per frame, square, of one size for the whole video.
    """
    cv2 = opencv()
    frames = len(muscles)
    side = int(rng.integers(CROP_SIDES[0], CROP_SIDES[1] + 1))
    pose, lamp, wall = move_head(rng, frames), move_lamp(rng, frames), _wall(rng, person)
    pan = np.clip(np.rint(_MARGIN + drift(rng, frames, 2, 6.0, 51)), 0, 2 * _MARGIN).astype(np.int64)
    blur = float(rng.uniform(0.3, 0.75))
    # one sheet of grain, read from another corner each frame: fresh noise for every pixel would cost more than the face
    grain = np.rint(rng.normal(0, rng.uniform(1.5, 4.0), (side + 64, side + 64, 3))).astype(np.int16)
    corners = rng.integers(0, 65, (frames, 2))
    images = render_faces(person, muscles, pose, lamp, side=side, backdrops=_seen(wall, pan))
    for image, (u, v) in zip(images, corners, strict=True):
        crop = cv2.GaussianBlur(image, (0, 0), blur)
        noisy = np.clip(crop + grain[u : u + side, v : v + side], 0, 255).astype(np.uint8)
        _, encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        yield encoded.tobytes()


def _seen(wall: Image, pan: npt.NDArray[np.int64]) -> Iterator[Image]:
    """Yield the part of the wall that the camera sees, frame by frame."""
    for x, y in pan:
        yield wall[y : y + CANVAS, x : x + CANVAS]
