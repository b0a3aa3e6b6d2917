"""Speech recognisers, each from a package of its own: Moonshine without a download, Whisper if it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.media import open_media
from harness.datasets.audio.waveform import SAMPLE_RATE
from harness.datasets.transcripts import Transcript, TranscriptLine
from harness.errors import DataError, MissingDependencyError, UnknownNameError, install_command
from harness.settings import Settings
from harness.system.device import resolve_device

_PIECE = 300
"""Seconds of audio per call of Moonshine, which splits them at pauses by itself."""


class Recogniser(Protocol):
    """Recogniser of words in audio.

    Attributes:
        name: package, version and model, which are stored with the words.
    """

    name: str

    def transcribe(self, audio: Path) -> Transcript:
        """Return the words of an audio file.

        Raises:
            DataError: the file is unreadable.
        """


class Moonshine:
    """Moonshine tiny for English, with timed lines. The model is part of the wheel of moonshine-voice 0.0.73 (MIT).

    Raises:
        MissingDependencyError: the package is missing, or is a later version, which lacks the model.
    """

    def __init__(self) -> None:
        """Load the model."""
        try:
            from moonshine_voice.moonshine_api import ModelArch
            from moonshine_voice.transcriber import Transcriber
            from moonshine_voice.utils import get_model_path
        except (ImportError, OSError) as error:  # sounddevice looks for a library of the system
            raise _missing("moonshine", "moonshine-voice", error) from None
        folder = Path(str(get_model_path("tiny-en")))
        if not folder.is_dir():
            finding = f"moonshine-voice {_version('moonshine-voice')}, whose wheel holds no model"
            raise _missing("moonshine", "moonshine-voice 0.0.73", finding)
        self.name = f"moonshine-voice {_version('moonshine-voice')} tiny-en"
        self._model: Any = Transcriber(str(folder), ModelArch.TINY)

    def transcribe(self, audio: Path) -> Transcript:
        """See :class:`Recogniser`."""
        lines: list[TranscriptLine] = []
        start = 0.0
        for samples in open_media(audio).chunks(_PIECE):
            for line in self._model.transcribe_without_streaming(samples.tolist(), SAMPLE_RATE).lines:
                at = start + float(line.start_time)
                lines.append(TranscriptLine(line.text.strip(), round(at, 3), round(at + float(line.duration), 3)))
            start += len(samples) / SAMPLE_RATE
        return Transcript(" ".join(line.text for line in lines if line.text), tuple(lines), self.name)


class FasterWhisper:
    """Recogniser faster-whisper, if it is installed.

    Args:
        model: name of a model, or the folder of a converted model.
        device: torch device: ``cpu`` or ``cuda``.
    """

    def __init__(self, model: str, device: str) -> None:
        """Load the model."""
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise _missing("faster-whisper", "faster-whisper", error, extra=None) from None
        self.name = f"faster-whisper {_version('faster-whisper')} {model}"
        self._model: Any = WhisperModel(model, device=device)

    def transcribe(self, audio: Path) -> Transcript:
        """See :class:`Recogniser`."""
        segments, _ = self._model.transcribe(_whole(audio))
        lines = tuple(TranscriptLine(segment.text, float(segment.start), float(segment.end)) for segment in segments)
        return Transcript("".join(line.text for line in lines), lines, self.name)


class Whisper:
    """OpenAI's whisper with all defaults, as abaw8's authors use ``small.en`` on EMI; the text keeps its leading space.

    Args:
        model: name of a model, or its file.
        device: torch device: ``cpu`` or ``cuda``.
    """

    def __init__(self, model: str, device: str) -> None:
        """Load the model."""
        try:
            import whisper
        except ImportError as error:
            raise _missing("whisper", "openai-whisper", error, extra=None) from None
        self.name = f"openai-whisper {_version('openai-whisper')} {model}"
        self._model: Any = whisper.load_model(model, device=device)

    def transcribe(self, audio: Path) -> Transcript:
        """See :class:`Recogniser`."""
        result = self._model.transcribe(_whole(audio))
        lines = tuple(
            TranscriptLine(segment["text"], float(segment["start"]), float(segment["end"]))
            for segment in result["segments"]
        )
        return Transcript(str(result["text"]), lines, self.name)


RECOGNISERS = ("moonshine", "faster-whisper:<model>", "whisper:<model>")
"""Names for :func:`make_recogniser`; the papers' model is ``small.en``."""


def make_recogniser(name: str, settings: Settings) -> Recogniser:
    """Return the speech recogniser with a name, ready to use.

    Raises:
        UnknownNameError: the name is unknown.
        MissingDependencyError: the package is missing.
    """
    if name == "moonshine":
        return Moonshine()
    family, _, model = name.partition(":")
    makers: dict[str, Callable[[str, str], Recogniser]] = {"faster-whisper": FasterWhisper, "whisper": Whisper}
    make = makers.get(family)
    if make is None or not model:
        raise UnknownNameError("speech recogniser", name, RECOGNISERS)
    return make(model, resolve_device(settings.device).partition(":")[0])


def _whole(audio: Path) -> npt.NDArray[np.float32]:
    pieces: Iterator[npt.NDArray[np.float32]] = open_media(audio).chunks(_PIECE)
    return np.concatenate([*pieces])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def _missing(name: str, package: str, finding: object, *, extra: str | None = "asr") -> MissingDependencyError:
    command = install_command(extra) if extra else f"pip install {package}"
    do = f"Run: {command}; or bring the words: abaw transcribe --transcripts FILE.csv"
    return MissingDependencyError(f"{name} needs {package}", found=finding, do=do)


def recognise(recogniser: Recogniser, audio: Path) -> Transcript:
    """Return the words of an audio file; errors of the recogniser are raised with the name of the file.

    Raises:
        DataError: the file is unreadable, or the recogniser failed.
    """
    try:
        return recogniser.transcribe(audio)
    except (DataError, MissingDependencyError):
        raise
    except Exception as error:  # each package has errors of its own
        finding = f"{type(error).__name__}: {str(error)[:200]}"
        raise DataError(f"{recogniser.name} can't transcribe this", where=audio, found=finding) from None
