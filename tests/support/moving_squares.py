"""Small films with something moving in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.system.images import opencv


def moving_square(n: int, *, step: tuple[int, int] = (3, 1), size: tuple[int, int] = (72, 96)) -> list[np.ndarray]:
    """RGB pictures of a bright textured square that moves by so many pixels a frame over a dim textured ground."""
    rng = np.random.default_rng(0)
    ground = opencv().GaussianBlur(rng.integers(0, 90, (*size, 3), dtype=np.uint8), (0, 0), 1.5)
    square = opencv().GaussianBlur(rng.integers(90, 256, (24, 24, 3), dtype=np.uint8), (0, 0), 1.0)
    pictures = []
    for k in range(n):
        picture = ground.copy()
        x, y = 10 + k * step[0] % (size[1] - 44), 20 + k * step[1] % (size[0] - 60)
        picture[y : y + 24, x : x + 24] = square
        pictures.append(picture)
    return pictures


def write_film(path: Path, pictures: list[np.ndarray]) -> None:
    """As an mp4, 25 pictures a second."""
    cv2 = opencv()
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()


def write_frames(folder: Path, pictures: list[np.ndarray], *, first: int = 1) -> None:
    """As numbered files, lossless."""
    cv2 = opencv()
    folder.mkdir(parents=True)
    for k, picture in enumerate(pictures, first):
        cv2.imwrite(str(folder / f"{k:05d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
