"""Sources of a video's images: a folder with one file per frame, a video file, or images made from other images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Picture:
    """The image of one frame.

    Attributes:
        frame: 1-based number.
        image: RGB uint8 ``(h, w, 3)``.
        raw: bytes of its file, which the hash of the source includes; empty where the source is hashed as a whole.
    """

    frame: int
    image: npt.NDArray[np.uint8]
    raw: bytes = b""


class PictureReader(Protocol):
    """A reader of the images of one video while they are open; several threads may call it at once."""

    def read(self, indices: Sequence[int]) -> list[Picture]:
        """Return images by their index into the source's ``frames``, each decoded once.

        Indices beyond the end of a video file are left out.

        Raises:
            UnreadablePictures: one message for each image that can't be decoded, or for a video file that ends early.
        """


class Pictures(Protocol):
    """The images of one video."""

    @property
    def noun(self) -> str:
        """Word for an image in messages; see :class:`~harness.datasets.dataset.Video`."""

    @property
    def frames(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 ``(k,)``, increasing and 1-based."""

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each file that the images are made from."""

    @property
    def random_access(self) -> bool:
        """True where any index may be read at any time; a video file is read from its start to its end."""

    def __len__(self) -> int:
        """Return the number of images."""

    def listing_signature(self) -> str:
        """Return a hash that changes when an image is added, removed or rewritten; no image is read."""

    def source_hash(self) -> str:
        """Return the hash of all data that the images are made from; all of it is read."""

    def reader(self) -> AbstractContextManager[PictureReader]:
        """Open the images for reading."""


class UnreadablePictures(Exception):
    """Images of one video that can't be decoded, with one message each."""

    def __init__(self, messages: list[str]) -> None:
        """Store one message per image."""
        super().__init__(messages)
        self.messages = messages
