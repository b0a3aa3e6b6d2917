"""Where a video's pictures come from: a folder with a file a frame, a film, or pictures made from others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Picture:
    """One frame's picture.

    Attributes:
        frame: 1-based number.
        image: RGB uint8 ``(h, w, 3)``.
        raw: bytes of its file, which the hash of the source takes in; empty where the source is hashed as a whole.
    """

    frame: int
    image: npt.NDArray[np.uint8]
    raw: bytes = b""


class PictureReader(Protocol):
    """Reads pictures of one video while it is open. May be called by several threads at once."""

    def read(self, indices: Sequence[int]) -> list[Picture]:
        """Pictures by their index into :attr:`Pictures.frames`, each decoded once.

        Fewer than asked for beyond the end of a film.

        Raises:
            UnreadablePictures: one message for each that can't be decoded, or for a film that ends before its count.
        """


class Pictures(Protocol):
    """The pictures of one video."""

    @property
    def noun(self) -> str:
        """What they are called in messages: ``crop`` of a face, ``picture`` of a whole frame."""

    @property
    def frames(self) -> npt.NDArray[np.int64]:
        """``(k,)``, increasing 1-based frame numbers."""

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each file that they are made from."""

    @property
    def random_access(self) -> bool:
        """Whether any index may be read at any time; a film is read from its start to its end."""

    def __len__(self) -> int: ...

    def listing_signature(self) -> str:
        """Changes when a picture is added, removed or rewritten; cheap, nothing is read."""

    def source_hash(self) -> str:
        """Hash of all that the pictures are made from; reads all of it."""

    def reader(self) -> AbstractContextManager[PictureReader]:
        """Open for reading."""


class UnreadablePictures(Exception):
    """Pictures of one video that can't be decoded; carries one message each."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(messages)
        self.messages = messages
