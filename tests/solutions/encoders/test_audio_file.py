"""Audio from files: every form without a loss gives the same samples, in pieces as at once; the rest is said."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile
from scipy.signal import resample_poly

from harness.datasets.audio.limits import audio_command
from harness.datasets.audio.waveform import SAMPLE_RATE, open_audio
from harness.errors import DataError

GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format's tag in the extensible form."""


def tone(n: int = 4000, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise of few enough bits that every form holds it exactly: ``(n, channels)`` in [-1, 1), multiples of 1/128."""
    return np.random.default_rng(seed).integers(-128, 128, (n, channels)) / 128


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def form(tag: int = 1, channels: int = 1, rate: int = SAMPLE_RATE, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def written(path: Path, sound: np.ndarray, kind: str, rate: int = SAMPLE_RATE) -> Path:
    if kind == "24 bits":
        values = (sound * 2**23).astype("<i4")
        data = values.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        path.write_bytes(riff((b"fmt ", form(1, sound.shape[1], rate, 24)), (b"data", data)))
        return path
    if kind in FLAC:
        soundfile.write(path, sound, rate, FLAC[kind], format="FLAC")
        return path
    values = {
        "8 bits": lambda: (sound * 128 + 128).astype(np.uint8),
        "16 bits": lambda: (sound * 2**15).astype(np.int16),
        "32 bits": lambda: (sound * 2**31).astype(np.int32),
        "float": lambda: sound.astype(np.float32),
        "double": lambda: sound,
    }[kind]()
    wavfile.write(path, rate, values)
    return path


FLAC = {"FLAC 16 bits": "PCM_16", "FLAC 24 bits": "PCM_24"}
KINDS = ["8 bits", "16 bits", "24 bits", "32 bits", "float", "double", *FLAC]


def whole(path: Path, seconds: int = 60) -> np.ndarray:
    return np.concatenate(list(open_audio(path).chunks(seconds)))


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_gives_the_same_samples(tmp_path, kind, channels):
    sound = tone(channels=channels)
    got = whole(written(tmp_path / "a.wav", sound, kind))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, sound.mean(1), atol=1e-7)


def test_what_the_standard_library_wrote_is_read(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as stream:
        stream.setparams((2, 2, SAMPLE_RATE, 0, "NONE", ""))
        stream.writeframes(np.array([[100, 300], [-32768, -32768]], "<i2").tobytes())
    assert whole(tmp_path / "a.wav").tolist() == [200 / 32768, -1.0]


@pytest.mark.parametrize("kind", ["16 bits", "24 bits", "FLAC 16 bits"])
@pytest.mark.parametrize("rate", [SAMPLE_RATE, 48_000, 44_100, 8_000, 11_025])
def test_pieces_laid_end_to_end_are_the_whole(tmp_path, rate, kind):
    path = written(tmp_path / "a.wav", tone(3 * rate + 1234, 2), kind, rate)
    pieces = list(open_audio(path).chunks(1))
    assert [len(piece) for piece in pieces[:3]] == [SAMPLE_RATE] * 3
    np.testing.assert_allclose(np.concatenate(pieces), whole(path), atol=1e-6)


def test_another_rate_is_resampled(tmp_path):
    sound = tone(30_000)
    expected = resample_poly(sound[:, 0], 160, 441)
    np.testing.assert_allclose(whole(written(tmp_path / "a.wav", sound, "16 bits", 44_100)), expected, atol=1e-5)


def test_a_tone_keeps_its_pitch_and_loudness(tmp_path):
    seconds = np.arange(3 * 48_000) / 48_000
    path = written(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * seconds)[:, None], "float", 48_000)
    got = whole(path)[1000:-1000]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1000, 47_000) / SAMPLE_RATE)
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_only_the_piece_that_is_asked_for_is_read(tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav", tone(5 * SAMPLE_RATE), "16 bits")
    wav = open_audio(path)
    read: list[int] = []

    class Counted(soundfile.SoundFile):
        def read(self, frames, *rest, **options):
            read.append(frames)
            return super().read(frames, *rest, **options)

    monkeypatch.setattr(soundfile, "SoundFile", Counted)
    pieces = wav.chunks(2)
    assert read == []
    next(pieces)
    assert read == [2 * SAMPLE_RATE]
    next(pieces)
    assert read == [2 * SAMPLE_RATE] * 2


def test_duration_and_rate(tmp_path):
    wav = open_audio(written(tmp_path / "a.wav", tone(8000, 2), "24 bits", 4000))
    assert (wav.seconds, wav.rate, wav.channels, wav.length) == (2.0, 4000, 2, 8000)


def test_chunks_that_say_other_things_are_passed_over(tmp_path):
    data = struct.pack("<3h", 1, 2, 3)
    content = riff((b"LIST", b"odd"), (b"fmt ", form()), (b"fact", b"1234"), (b"data", data), (b"id3 ", b"later"))
    (tmp_path / "a.wav").write_bytes(content)
    assert (whole(tmp_path / "a.wav") * 32768).tolist() == [1, 2, 3]


@pytest.mark.parametrize(("tag", "bits", "data"), [(1, 16, struct.pack("<h", 64)), (3, 32, struct.pack("<f", 2**-9))])
def test_the_extensible_form_is_read_as_what_it_holds(tmp_path, tag, bits, data):
    extension = struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", tag) + GUID_TAIL
    (tmp_path / "a.wav").write_bytes(riff((b"fmt ", form(0xFFFE, bits=bits) + extension), (b"data", data)))
    assert whole(tmp_path / "a.wav").tolist() == [2**-9]


def test_a_piped_file_ends_where_it_ends(tmp_path):
    content = bytearray(riff((b"fmt ", form()), (b"data", struct.pack("<3h", 1, 2, 3))))
    content[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(content)
    assert len(whole(tmp_path / "a.wav")) == 3


def complaint(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        whole(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is neither .wav nor .flac; found an empty file"),
        (b"ID3\x04" + bytes(100), "the file is neither .wav nor .flac; found a file that begins with b'ID3"),
        (b"RIFF\0\0\0\0AVI ", "neither .wav nor .flac"),
        (riff((b"fmt ", form())), "holds no audio; found no data chunk"),
        (riff((b"fmt ", form()), (b"data", b"")), "holds no audio; found 0 samples"),
        (riff((b"data", b"1234")), "does not say its format"),
        (riff((b"fmt ", form()[:10]), (b"data", b"1234")), "does not say its format"),
        (riff((b"fmt ", form(85, bits=0)), (b"data", b"1234")), "damaged or was cut short; found Error in WAV"),
        (riff((b"fmt ", form(7, bits=8)), (b"data", b"1234")), "form that can't be read; found U-Law"),
        (riff((b"fmt ", form(0x7777)), (b"data", b"1234")), "damaged or was cut short; found Error in WAV"),
        (riff((b"fmt ", form(1, bits=12)), (b"data", b"1234")), "found 2 samples, expected 4, as its header says"),
        (riff((b"fmt ", form()[:12] + b"\x07\0\x10\0"), (b"data", b"1234")), "found 2 samples, expected 0, as its"),
        (
            riff((b"fmt ", form(channels=0)), (b"data", b"1234")),
            "header of the audio file makes no sense; found 0 channels",
        ),
        (riff((b"fmt ", form(rate=0)), (b"data", b"1234")), "header of the audio file makes no sense"),
        (riff((b"fmt ", form()), (b"data", b"1234" * 9))[:-10], "cut short; found 13 samples, expected 18, as its"),
    ],
)
def test_what_can_not_be_read_is_said_and_what_to_do(tmp_path, content, says):
    path = tmp_path / "5-60-1920x1080-2.wav"
    path.write_bytes(content)
    message = complaint(path)
    assert says in message
    assert f"Make it from the video: {audio_command('VIDEO', '5-60-1920x1080-2.wav')}; or remove it" in message


@pytest.mark.parametrize(("kind", "found"), [("MS_ADPCM", "Microsoft ADPCM"), ("IMA_ADPCM", "IMA ADPCM")])
def test_forms_with_a_loss_are_named(tmp_path, kind, found):
    soundfile.write(tmp_path / "a.wav", tone(40_000), SAMPLE_RATE, kind, format="WAV")
    assert f"has a form that can't be read; found {found}, expected PCM" in complaint(tmp_path / "a.wav")


@pytest.mark.parametrize("metadata", [b"", b"LIST"])
@pytest.mark.parametrize("left", [0.999, 0.5, 0.1])
def test_cut_short_is_said_however_much_stands_before(tmp_path, left, metadata):
    """libsndfile takes it for a shorter file, and its log, which would say so, is full after 2 kB."""
    text = b"".join(b"ICMT" + struct.pack("<I", 200) + b"x" * 200 for _ in range(20))
    before = [(b"LIST", b"INFO" + text)] * 5 if metadata else []
    content = riff((b"fmt ", form()), *before, (b"data", bytes(64_000)))
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert open_audio(path).length == 32_000
    path.write_bytes(content[: len(content) - 64_000 + int(64_000 * left)])
    assert f"cut short; found {int(32_000 * left):,} samples, expected 32,000, as its header says" in complaint(path)


@pytest.mark.parametrize("left", [0.9999, 0.5, 0.1, 0.001])
def test_flac_that_was_cut_short_is_said(tmp_path, left):
    path = written(tmp_path / "a.flac", tone(5 * SAMPLE_RATE), "FLAC 16 bits")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    assert "the audio file is damaged or was cut short; found" in complaint(path)


def test_flac_with_one_wrong_bit_is_said(tmp_path):
    path = written(tmp_path / "a.flac", tone(5 * SAMPLE_RATE), "FLAC 16 bits")
    content = path.read_bytes()
    for at in np.random.default_rng(0).integers(10_000, len(content) - 10, 20):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        assert "the audio file is damaged or was cut short; found" in complaint(path)


def test_flac_that_does_not_say_how_long_it_is_is_refused(tmp_path):
    """As ffmpeg writes it into a pipe."""
    path = written(tmp_path / "a.flac", tone(), "FLAC 16 bits")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    message = complaint(path)
    assert "header of the audio file makes no sense; found 1 channel, 16000 Hz" in message
    assert "expected at most 86,400 s. Make it from the video: ffmpeg -i VIDEO" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_those_of_earlier_versions_to_the_bit(tmp_path, kind, channels):
    """They read whole numbers, averaged channels and then scaled; features in caches are of these."""
    sound = np.random.default_rng(1).uniform(-1, 1, (5000, channels))
    path = written(tmp_path / "a.wav", sound, kind)
    raw, _ = soundfile.read(path, dtype="float64" if kind in ("float", "double") else "int32", always_2d=True)
    mono = raw.mean(1, dtype=np.float32)
    if raw.dtype == np.int32:
        mono /= np.float32(2**31)
    assert whole(path).tobytes() == mono.tobytes()


def test_a_file_that_is_gone_or_a_folder_is_said(tmp_path):
    assert "can't read the audio; found No such file" in complaint(tmp_path / "gone.wav")
    assert "can't read the audio; found Is a directory" in complaint(tmp_path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_said(tmp_path, bad):
    sound = tone().astype(np.float32)
    sound[70] = bad
    wavfile.write(tmp_path / "a.wav", SAMPLE_RATE, sound)
    assert "holds NaN or infinity" in complaint(tmp_path / "a.wav")


def test_a_file_that_shrinks_while_it_is_read_is_said(tmp_path):
    path = written(tmp_path / "a.wav", tone(3 * SAMPLE_RATE), "16 bits")
    pieces = open_audio(path).chunks(1)
    next(pieces)
    path.write_bytes(path.read_bytes()[: SAMPLE_RATE * 3])
    with pytest.raises(DataError, match="changed while it was read"):
        list(pieces)
