#!/bin/sh
# Transcripts that people write by hand have whole seconds ("00:00:01 --> 00:00:02"), or commas in a VTT. pysrt and webvtt-py
# then return a transcript without a line: no exception, no warning, as of a video in which nobody speaks. `srt` reads the
# whole seconds. And two digits ("00:00:01,25", a quarter of a second) are 25 ms for all three.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "webvtt-py==0.6.0" "pysrt==1.1.2" "srt==3.5.3"
"$python" -W error::UserWarning - "$folder" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pysrt
import srt
import webvtt

folder = Path(sys.argv[1])


def starts(text):
    """Return the starts of a subtitle file's lines by reader, in seconds."""
    path = folder / "words.srt"
    path.write_text(text, encoding="utf-8")
    times = [line.start.split(":") for line in webvtt.from_srt(str(path))]
    return {
        "webvtt-py": [3600 * int(h) + 60 * int(m) + float(s) for h, m, s in times],
        "pysrt": [line.start.ordinal / 1000 for line in pysrt.open(str(path))],
        "srt": [line.start.total_seconds() for line in srt.parse(text)],
    }


whole = starts("1\n00:00:01 --> 00:00:02\nHello.\n\n2\n00:00:03 --> 00:00:04\nWorld.\n")
short = starts("1\n00:00:01,25 --> 00:00:02,00\nHello.\n")
path = folder / "words.vtt"
path.write_text("WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nHello.\n", encoding="utf-8")
commas = [line.text for line in webvtt.read(str(path))]
print({name: version(name) for name in ("webvtt-py", "pysrt", "srt")})
print("whole seconds, starts:", whole)
print("two digits, starts:", short)
print("VTT with commas, webvtt-py's lines:", commas)
raise SystemExit(not (whole == {"webvtt-py": [], "pysrt": [], "srt": [1, 3]} and set(map(tuple, short.values())) == {(1.025,)} and commas == []))
PY
