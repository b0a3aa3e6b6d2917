"""Encoder ``speech-embedding``: Google's speech embedding, 96 columns every 80 ms, without download (extra: speech).

The network (Lin et al., 2020, "Training keyword spotters with limited and synthesized speech data") was trained to
distinguish spoken words. **Its use for emotion is measured here for the first time**: there are no published results.

Both files, a melspectrogram and the network, are part of the wheel of pyopen-wakeword 1.1.0 (Apache-2.0). Their hashes
are checked, and they run on OpenVINO in float32. Row k sees 782 ms around the 80 ms that begin at 80 k ms, with silence
before the beginning and after the end. The melspectrogram limits levels to 80 dB below the loudest moment of a chunk.
"""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.waveform import RESAMPLING, SAMPLE_RATE
from harness.errors import MissingDependencyError, SolutionError, install_command
from harness.settings import Settings
from harness.system.provenance import sha256_of
from solutions.encoders.encoder import Part
from solutions.encoders.openvino_package import import_openvino

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

SHA256 = {
    "melspectrogram.tflite": "96fa0adccb6e8cf95cb14465409a1a2898ee4a96a85bb9ed3c7eb0e68bf163e8",
    "embedding_model.tflite": "c0aea21eb84a4ce90a08c870da41b7a7173b45269e6a3207c71d67c40f3a59d8",
}
"""Hashes of the files in the wheel of pyopen-wakeword 1.1.0."""

DIM = 96
STEP = 1280
"""Samples from one row to the next: 80 ms."""

_MELS, _MEL_STEP, _MEL_WINDOW = 76, 160, 512  # melspectrogram rows per network row; their step and window in samples
_SEEN = (_MELS - 1) * _MEL_STEP + _MEL_WINDOW  # samples that one row of the network sees
_BEFORE = (_SEEN - STEP) // 2
_FULL_SCALE = 32767.0  # the melspectrogram takes the values of 16-bit samples
_BATCH = 64


class SpeechEmbeddingEncoder:
    """Network for embeddings of speech, an :class:`~solutions.encoders.encoder.AudioEncoder`, run in OpenVINO.

    Raises:
        MissingDependencyError: OpenVINO, or the wheel that holds the files, is missing.
        SolutionError: the files differ from those of pyopen-wakeword 1.1.0.
    """

    name = "speech-embedding"
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float32)),)
    chunk_seconds = 360
    rows_per_second = 13
    parallel = "batches"

    def __init__(self) -> None:
        """Check and compile both files."""
        try:
            openvino = import_openvino()
        except ImportError as error:
            raise _missing(error) from None
        spec = find_spec("pyopen_wakeword")
        if spec is None or spec.origin is None:
            raise _missing("No module named 'pyopen_wakeword'")
        folder = Path(spec.origin).parent / "models"
        core = openvino.Core()
        config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._mels, self._network = (core.compile_model(_checked(folder / file), "CPU", config) for file in SHA256)
        self._requests = threading.local()  # one request per thread: threads can't share requests

    def identity(self) -> dict[str, Any]:
        """Return the files' hashes, sample rate, chunks, padding and precision."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "weights": dict(SHA256),
            "sample_rate": SAMPLE_RATE,
            "resampling": RESAMPLING,
            "chunk_seconds": self.chunk_seconds,
            "padding": f"{_BEFORE} samples of silence before each chunk, and as many as the last row needs behind it",
            "backend": "openvino",
            "precision": "float32",
            "dtype": "float32",
        }

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return float32 ``(ceil(n / 1280), 96)``; see :class:`~solutions.encoders.encoder.AudioEncoder`."""
        n = -(-len(samples) // STEP)
        if not n:
            return np.empty((0, DIM), np.float32)
        padded = np.zeros((1, (n - 1) * STEP + _SEEN), np.float32)
        padded[0, _BEFORE : _BEFORE + len(samples)] = samples * np.float32(_FULL_SCALE)
        mels = self._run("_mels", padded).reshape(-1, 32) / np.float32(10) + np.float32(2)
        windows = np.lib.stride_tricks.sliding_window_view(mels, _MELS, axis=0)[:: STEP // _MEL_STEP][:n]
        rows = np.empty((n, DIM), np.float32)
        for start in range(0, n, _BATCH):
            batch = np.ascontiguousarray(windows[start : start + _BATCH].transpose(0, 2, 1)[..., None])
            rows[start : start + _BATCH] = self._run("_network", batch).reshape(-1, DIM)
        return rows

    def _run(self, name: str, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        request = getattr(self._requests, name, None)
        if request is None:
            request = getattr(self, name).create_infer_request()
            setattr(self._requests, name, request)
        return np.array(request.infer([values])[0], np.float32)


def _checked(path: Path) -> Path:
    """Return the path of a file of the wheel after verifying its hash.

    Raises:
        SolutionError: the hash differs.
    """
    try:
        digest = sha256_of(path)
    except OSError as error:
        digest = error.strerror or str(error)
    if digest != SHA256[path.name]:
        what, do = "not the file of pyopen-wakeword 1.1.0", f"Run: {install_command('speech')}"
        raise SolutionError(what, where=path, found=digest, expected=SHA256[path.name], do=do)
    return path


def _missing(error: object) -> MissingDependencyError:
    what, do = "speech-embedding needs OpenVINO and pyopen-wakeword", f"Run: {install_command('speech')}"
    return MissingDependencyError(what, found=error, do=do)


def speech_embedding_encoder(settings: Settings) -> SpeechEmbeddingEncoder:
    """Return the encoder; the settings are ignored."""
    return SpeechEmbeddingEncoder()
