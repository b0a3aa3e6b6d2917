"""Readers of subtitles on the spellings that speech recognisers and people write."""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pysrt
import srt
import webvtt
from words import said

SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello.\n\n2\n00:00:03,000 --> 00:00:04,500\nWorld.\n"
VTT = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n\n00:03.000 --> 00:04.500\nWorld.\n"
FILES = {
    "SRT": ("srt", SRT),
    "SRT, dots for commas": ("srt", SRT.replace(",", ".")),
    "SRT, no milliseconds": ("srt", SRT.replace(",000", "").replace(",500", "")),
    "SRT, two digits (`01,25`)": ("srt", SRT.replace("01,000", "01,25")),
    "SRT, Windows line ends, none at the end": ("srt", SRT.replace("\n", "\r\n").rstrip()),
    "SRT, byte-order mark": ("srt", "\ufeff" + SRT),
    "SRT, out of order": ("srt", "\n\n".join(reversed(SRT.strip().split("\n\n"))) + "\n"),
    "SRT, no numbers": ("srt", SRT.replace("1\n00", "00").replace("2\n00", "00")),
    "VTT, no hours (Whisper's)": ("vtt", VTT),
    "VTT, commas for dots": ("vtt", VTT.replace(".000", ",000").replace(".500", ",500")),
    "VTT, byte-order mark": ("vtt", "\ufeff" + VTT),
    "VTT, settings behind the times": ("vtt", VTT.replace("02.000", "02.000 align:start position:0%")),
}


def seconds_in(time: str) -> float:
    """Return the seconds of ``00:00:01.250``."""
    hours, minutes, seconds = time.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def starts_of(path: Path, reader: str) -> list[float]:
    """Return the seconds at which lines start."""
    if reader == "webvtt-py":
        captions = webvtt.from_srt(str(path)) if path.suffix == ".srt" else webvtt.read(str(path))
        return [seconds_in(caption.start) for caption in captions]
    if reader == "pysrt":
        return [item.start.ordinal / 1000 for item in pysrt.open(str(path), encoding="utf-8")]
    text = path.read_bytes().decode("utf-8")
    return [item.start.total_seconds() for item in srt.parse(text)]


def main() -> None:
    """Read each file with each reader and write the starts, or the error."""
    names = ("webvtt-py", "pysrt", "srt")
    answers: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, (ending, text) in FILES.items():
            path = Path(folder, f"file.{ending}")
            path.write_bytes(text.encode("utf-8"))
            for name in names:
                try:
                    answers.setdefault(title, {})[name] = starts_of(path, name)
                except Exception as error:
                    answers.setdefault(title, {})[name] = said(error)
    result = {"versions": {name: version(name) for name in names}, "starts": answers}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


main()
