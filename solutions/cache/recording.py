"""Things besides a video's images that features are made of: the audio that videos share, and the words of a video."""

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
    """The sound file of a raw recording.

    Attributes:
        name: the recording's, without ``_left`` or ``_right``.
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
        """Changes when the file is rewritten; cheap, it is not read.

        Raises:
            DataError: it is gone.
        """
        try:
            status = require_file(self.path)
        except OSError as error:
            raise DataError("can't read the sound", where=self.path, found=error.strerror) from None
        return hashlib.sha256(b"%d\0%d" % (status.st_size, status.st_mtime_ns)).hexdigest()

    def source_hash(self) -> str:
        """Hash of the file.

        Raises:
            OSError: it can't be read.
        """
        return sha256_of(self.path)


@dataclass(frozen=True)
class TextItem:
    """The words of a video.

    Attributes:
        name: of the video.
        transcriber: the file, or the speech recogniser with its version, that the words come from.
    """

    name: str
    text: str
    transcriber: str
    decoder: ClassVar[str] = ""

    def listing_signature(self) -> str:
        """Return the hash of the words."""
        return self.source_hash()

    def source_hash(self) -> str:
        """Return the hash of the words and of where they come from."""
        return hashlib.sha256(f"{self.transcriber}\0{self.text}".encode()).hexdigest()


Item = Video | Recording | TextItem
"""Anything that a file of the cache is made of."""


def recordings_of(videos: Iterable[Video]) -> list[Recording]:
    """Recordings of the videos that have sound, each once, in the videos' order."""
    return list({v.base: Recording(v.base, v.audio) for v in videos if v.audio is not None}.values())
