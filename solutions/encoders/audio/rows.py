"""Geometry of the rows of each encoder of audio, for whoever places rows without running the encoder."""

from __future__ import annotations

from harness.datasets.audio.rows import AudioRows
from solutions.encoders.audio import convolutions, log_mel, speech_embedding, wav2vec2

AUDIO_ROWS = (
    *(AudioRows(name, convolutions.STEP, convolutions.WINDOW, wav2vec2.CHUNK_SECONDS) for name in wav2vec2.ENCODERS),
    AudioRows(log_mel.LogMelEncoder.name, log_mel.STEP, log_mel.WINDOW, log_mel.LogMelEncoder.chunk_seconds),
    AudioRows(
        speech_embedding.SpeechEmbeddingEncoder.name,
        speech_embedding.STEP,
        0,  # silence stands behind the last row
        speech_embedding.SpeechEmbeddingEncoder.chunk_seconds,
    ),
)
"""Encoders that give rows along a recording; statistics of a whole recording have one row."""
