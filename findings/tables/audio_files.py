"""The audio files of the tables: one click at half a second, in every container and codec."""

from __future__ import annotations

import array
import subprocess
import wave
from pathlib import Path

RATE = 48_000
CLICK = RATE // 2
"""Sample at which the click begins. It is four samples wide, and codecs smear it: its peak lies up to 3 later."""
CODECS = {
    "click.m4a": ("-c:a", "aac"),
    "click.mov": ("-c:a", "aac"),
    "click.mkv": ("-c:a", "aac"),
    "click.ts": ("-c:a", "aac"),
    "click.aac": ("-c:a", "aac"),
    "click.mp3": ("-c:a", "libmp3lame"),
    "click_no_xing.mp3": ("-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"),
    "click.opus": ("-c:a", "libopus"),
    "click.flac": ("-c:a", "flac"),
}
DESCRIPTIONS = {
    "click.wav": "WAV",
    "click.flac": "FLAC",
    "click.m4a": "AAC in .m4a",
    "click.mov": "AAC in .mov",
    "click.mkv": "AAC in .mkv",
    "click.ts": "AAC in .ts",
    "click.aac": "AAC in .aac (ADTS)",
    "click.mp3": "mp3 with a Xing header",
    "click_no_xing.mp3": "mp3 without a Xing header",
    "click.opus": "Opus in Ogg",
}
LENGTHS = ((44_101, 44_100), (22_051, 22_050), (48_001, 48_000), (8_001, 8_000))
"""Samples and their rate, each resampled to 16 kHz."""


def make_audio(ffmpeg: str, folder: Path) -> None:
    """Write the click as WAV and in every codec."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = array.array("h", bytes(2 * RATE))
    samples[CLICK : CLICK + 4] = array.array("h", [24_000] * 4)
    write_wave(folder / "click.wav", samples, RATE)
    for name, codec in CODECS.items():
        # 7.0.2 ends with a fault after it has written a .ts
        command = [ffmpeg, "-loglevel", "error", "-nostdin", "-y", "-i", folder / "click.wav", *codec, folder / name]
        subprocess.run(command, check=False)
    missing = [name for name in DESCRIPTIONS if not (folder / name).is_file()]
    if missing:
        raise RuntimeError(f"ffmpeg did not write {', '.join(missing)}")


def write_wave(path: Path, samples: array.array[int], rate: int) -> None:
    """Write 16-bit samples of one channel."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def write_silence(path: Path, samples: int, rate: int) -> Path:
    """Write silence of a number of samples, and return its path."""
    write_wave(path, array.array("h", bytes(2 * samples)), rate)
    return path
