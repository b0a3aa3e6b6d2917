#!/bin/sh
# The lines of Moonshine's transcripts carry a start and a duration. The start is that of a voice detector's block, not of
# the first word: on the speech in its own wheel, lines begin .2 to .6 s before the sound rises after a pause, that is 5 to
# 15 frames of a film. All times are multiples of 32 ms. Silence before the speech moves them by its length, give or take 36 ms.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "moonshine-voice==0.0.73" "soundfile==0.13.1" "numpy==2.2.6"
"$python" - <<'PY'
from importlib.metadata import version
from pathlib import Path

import moonshine_voice
import numpy as np
import soundfile
from moonshine_voice.transcriber import Transcriber

assets = Path(moonshine_voice.__file__).parent / "assets"
wave, rate = soundfile.read(assets / "two_cities.wav", dtype="float32")
blocks = wave[: len(wave) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
loud = np.flatnonzero(np.sqrt((blocks**2).mean(1)) > 0.02)
rises = loud[np.diff(loud, prepend=-99) > 25] / 100  # seconds at which sound follows a quarter of a second of silence


def lines(samples):
    """Return start and text of each line."""
    transcriber = Transcriber(model_path=str(assets / "tiny-en"), model_arch=moonshine_voice.ModelArch.TINY)
    return [(line.start_time, line.text) for line in transcriber.transcribe_without_streaming(samples.tolist(), rate).lines]


plain = lines(wave)
later = lines(np.concatenate([np.zeros(int(7.3 * rate), np.float32), wave]))
leads = [float(rises[rises >= start - 0.1][0] - start) for start, _ in plain]
print("moonshine-voice", version("moonshine-voice"))
for (start, text), lead in zip(plain, leads, strict=True):
    print(f"line from {start:6.3f} s, sound rises {lead:.2f} s later: {text[:32]}")
moves = [new - old - 7.3 for (old, _), (new, _) in zip(plain, later, strict=True)]
grid = max(abs(start / 0.032 - round(start / 0.032)) for start, _ in plain)
print(f"median lead {np.median(leads):.2f} s; 7.3 s of silence before move the lines by 7.3 s and {min(moves):.3f} to {max(moves):.3f} s")
raise SystemExit(not (0.2 < np.median(leads) < 0.6 and grid < 1e-3 and max(map(abs, moves)) < 0.064))
PY
