"""Sources of features besides images: the audio that videos share, and the words of a video."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.datasets.dataset import Video
from harness.errors import DataError
from harness.system.provenance import sha256_of
from harness.system.regular import require_file

_STREAMS = (".ts", ".mts", ".m2ts", ".mpg", ".mpeg")


@dataclass(frozen=True)
class Recording:
    """Audio file of a raw recording.

    Attributes:
        name: name of the recording, without ``_left`` or ``_right``.
        path: the file.
        decoder: always empty.
    """

    name: str
    path: Path

    @property
    def decoder(self) -> str:
        """The rule by which the audio is placed, where it is another than that of features cached earlier.

        A transport stream may begin between two key frames; audio counted from its first packet, not its first image.
        """
        return "from the first image" if self.path.suffix.lower() in _STREAMS else ""

    def listing_signature(self) -> str:
        """Return a hash that changes when the file is rewritten, from its size and time, without reading it.

        Raises:
            DataError: the file is gone.
        """
        try:
            status = require_file(self.path)
        except OSError as error:
            raise DataError("can't read the audio", where=self.path, found=error.strerror) from None
        return hashlib.sha256(b"%d\0%d" % (status.st_size, status.st_mtime_ns)).hexdigest()

    def source_hash(self) -> str:
        """Return the hash of the file.

        Raises:
            OSError: the file is unreadable.
        """
        return sha256_of(self.path)


@dataclass(frozen=True)
class TextItem:
    """Words of a video.

    Attributes:
        name: name of the video.
        text: the words.
        transcriber: source of the words: a file, or a speech recogniser with its version.
        decoder: always empty.
    """

    name: str
    text: str
    transcriber: str
    decoder: ClassVar[str] = ""

    def listing_signature(self) -> str:
        """Return the hash of the words."""
        return self.source_hash()

    def source_hash(self) -> str:
        """Return the hash of the words and of their source."""
        return hashlib.sha256(f"{self.transcriber}\0{self.text}".encode()).hexdigest()


Item = Video | Recording | TextItem
"""Source of one entry of the cache."""


def recordings_of(videos: Iterable[Video]) -> list[Recording]:
    """Return the recordings of the videos that have audio, without duplicates, in the order of the videos."""
    return list({v.base: Recording(v.base, v.audio) for v in videos if v.audio is not None}.values())
