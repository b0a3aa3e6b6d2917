#!/bin/sh
# An mp3 that is read block by block (`SoundFile.blocks`, or `read(n)` again and again) is not the mp3 read at once. soundfile
# seeks to the place after each block; libsndfile's mp3 decoder then begins anew there and lacks the bits that an mp3 frame
# borrows from the frames before it. Of blocks up to half a second some begin with wrong samples, up to four fifths of the
# signal's amplitude, with lines of "part2_3_length" from libmpg123 on stderr and no error. The number of samples is right.
# A SoundFile whose `seekable()` says False is right; so is `SoundFile.read()` without a length.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "soundfile==0.14.0" "numpy==2.2.6"
"$python" - "$folder/tone.mp3" 2>"$folder/log" <<'PY'
import sys

import numpy as np
import soundfile

seconds = np.arange(30 * 16_000) / 16_000
noise = np.random.default_rng(0).normal(0, 0.05, len(seconds))
soundfile.write(sys.argv[1], 0.3 * np.sin(2 * np.pi * (200 + 50 * np.sin(seconds)) * seconds) + noise, 16_000, format="MP3")
whole, _ = soundfile.read(sys.argv[1], dtype="float32")
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
largest = {}
for size in (160, 400, 8_000, 16_000):
    with soundfile.SoundFile(sys.argv[1]) as file:
        pieces = np.concatenate(list(file.blocks(size, dtype="float32")))
    distance = np.abs(pieces - whole)
    largest[size] = float(distance.max())
    share = (distance > 1e-3).mean()
    print(f"blocks of {size:6,}: {len(pieces):,} samples of {len(whole):,}, at most {largest[size]:.3f} off, {share:.2%} of them off")
raise SystemExit(not (largest[160] > 0.1 and largest[400] > 0.1 and largest[8_000] > 0.05 and largest[16_000] < 1e-6))
PY
echo "lines of libmpg123 on stderr: $(grep -c part2_3_length "$folder/log")"
