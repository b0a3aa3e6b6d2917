"""Transcripts of a user or a speech recogniser, stored in ``<cache>/transcripts/<data set>/<video>.json``.

Each transcript is stored with its source.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from harness.datasets.dataset import Dataset, Video
from harness.datasets.transcripts import Transcript, TranscriptLine
from harness.errors import DataError
from harness.system.atomic import write_text
from harness.system.counts import counted, verb_for
from harness.system.names import inside
from harness.system.regular import read_text

_MOST = 1 << 26  # bytes of a file
_SHOWN = 3


@dataclass(frozen=True)
class WordsUsed:
    """Identity of the transcripts of some splits.

    Attributes:
        fingerprint: hash of names, texts and their sources; other words, or another speech recogniser, another hash.
        sources: files, or speech recognisers with version and model, in a line of text.
    """

    fingerprint: str
    sources: str


def transcriber_of(source: str) -> str:
    """Return the source of a transcript as part of a key; a path is cut to its name, as data may be moved."""
    return PureWindowsPath(PurePosixPath(source).name).name if "/" in source or "\\" in source else source


class TranscriptStore:
    """The stored transcripts of one data set, from a user or a recogniser; the organisers' lie in ``Video.transcript``.

    Args:
        cache: folder of all caches (``ABAW_CACHE``).
        data: the data set.
    """

    def __init__(self, cache: Path, data: Dataset) -> None:
        """Choose the folder of the transcripts; storing the first one makes it."""
        place = hashlib.sha256(str(data.root.resolve()).encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", data.name)[:80]
        self.folder = cache.expanduser() / "transcripts" / f"{name}-{place}"

    def of(self, video: Video) -> Transcript | None:
        """Return the words of a video: the organisers' if there are any, else the stored ones.

        Raises:
            DataError: the file can't be read.
        """
        return video.transcript if video.transcript is not None else self.kept(video)

    def words_used(self, videos: Sequence[Video]) -> WordsUsed:
        """Return the identity of the videos' words, which differs between runs that read other transcripts.

        A video without a transcript differs from a video with an empty one.

        Raises:
            DataError: a file can't be read.
        """
        digest, sources = hashlib.sha256(), dict[str, int]()
        for video in {video.name: video for video in videos}.values():
            words = self.of(video)
            line = [video.name] if words is None else [video.name, transcriber_of(words.source), words.text]
            digest.update(json.dumps(line).encode() + b"\n")
            if words is not None:
                source = transcriber_of(words.source)
                sources[source] = sources.get(source, 0) + 1
        return WordsUsed(digest.hexdigest(), _listed(sources))

    def kept(self, video: Video) -> Transcript | None:
        """Return the words that are kept here, ``None`` if they are missing.

        Raises:
            DataError: the file can't be read.
        """
        path = self._path(video)
        try:
            content = json.loads(read_text(path, _MOST))
            lines = tuple(TranscriptLine(**line) for line in content["lines"])
            transcript = Transcript(content["text"], lines, content["source"])
            if not isinstance(transcript.text, str) or not isinstance(transcript.source, str):
                raise TypeError("words that are no text")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            do = "Remove the file, then run: abaw transcribe"
            raise DataError("not readable as a transcript", where=path, found=error, do=do) from None
        return transcript

    def keep(self, video: Video, transcript: Transcript) -> None:
        """Keep the words of a video, in the place of earlier ones.

        Raises:
            StorageError: the folder can't be written, or the disk is full.
        """
        path = self._path(video)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(transcript), ensure_ascii=False) + "\n")

    def _path(self, video: Video) -> Path:
        return inside(self.folder, video.name, ".json")


def _listed(sources: dict[str, int]) -> str:
    """Return sources as a line: all of a few, the first of many."""
    names = sorted(filter(None, sources))
    if len(names) > _SHOWN:
        return f"{counted(len(names), 'file')} such as {names[0]}"
    return ", ".join(names)


def no_words(video: Video, n: int, of: int) -> DataError:
    """Return the error for videos without words, with the ways to some.

    Args:
        video: the first of them.
        n: videos without words.
        of: all videos.
    """
    return DataError(
        f"{n:,} of {counted(of, 'video')} {verb_for(n, 'have')} no transcript",
        where=video.name,
        do="Bring one: abaw transcribe --transcripts FILE.csv (columns name, text); or make it from the audio: "
        "abaw transcribe",
    )
