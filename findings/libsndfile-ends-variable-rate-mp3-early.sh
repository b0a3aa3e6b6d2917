#!/bin/sh
# libsndfile 1.2.2 (in the wheels of soundfile 0.13 and 0.14) takes the length of an mp3 from its first frames where the
# file has no Xing or VBRI header, which the format does not ask for. If the bit rate falls later on, reading ends early:
# without an error, with header and samples in agreement. FFmpeg reads the whole of the same file. An expert expects that
# reading to the end gives all samples. Files without that header come from streams and recorders, and from tools that cut.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "numpy==1.26.4" "soundfile==0.14.0" "av==18.1.0"
cd "$folder"
"$python" - <<'PYTHON'
import sys

import av
import numpy as np
import soundfile

RATE, SECONDS = 16_000, 60
seconds = np.arange(SECONDS * RATE) / RATE
noise = 0.3 * np.random.default_rng(0).standard_normal(len(seconds))
quiet = 0.0003 * np.sin(2 * np.pi * 200 * seconds)
samples = np.where(seconds < 30, noise, quiet).astype(np.float32)
soundfile.write("with.mp3", samples, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.5)

KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # of MPEG-2, layer III
data = open("with.mp3", "rb").read()
position, sizes = 0, []
while position + 4 <= len(data):
    head = int.from_bytes(data[position : position + 4], "big")
    assert head >> 21 == 0x7FF, "a frame begins here"
    sizes.append(72 * KBITS[head >> 12 & 15] * 1000 // RATE + (head >> 9 & 1))
    position += sizes[-1]
assert b"Xing" in data[: sizes[0]], "the first frame is the header"
with open("without.mp3", "wb") as stream:
    stream.write(data[sizes[0] :])

def by_ffmpeg(path):
    with av.open(path) as container:
        return sum(frame.samples for frame in container.decode(audio=0)) / RATE

found = {}
for path in ("with.mp3", "without.mp3"):
    read, _ = soundfile.read(path)
    found[path] = soundfile.info(path).frames / RATE, len(read) / RATE, by_ffmpeg(path)
    print(f"{path}: libsndfile {soundfile.__libsndfile_version__} says {found[path][0]:.2f} s and reads {found[path][1]:.2f} s,"
          f" PyAV {av.__version__} reads {found[path][2]:.2f} s; {len(sizes) - 1} frames hold {(len(sizes) - 1) * 576 / RATE:.2f} s")
whole = abs(found["with.mp3"][1] - SECONDS) < 0.01
early = found["without.mp3"][0] == found["without.mp3"][1] < 20 and found["without.mp3"][2] > 59
sys.exit(0 if whole and early else 1)
PYTHON
