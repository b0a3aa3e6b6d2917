"""The times that openai-whisper writes for one segment; no model is loaded."""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from whisper.utils import get_writer

SEGMENT = {"id": 0, "start": 1.0, "end": 2.0, "text": " Hello."}


def main() -> None:
    """Write the line that holds the times, by format."""
    written = {}
    with tempfile.TemporaryDirectory() as folder:
        for form in ("vtt", "srt", "tsv", "txt", "json"):
            get_writer(form, folder)({"text": " Hello.", "segments": [SEGMENT], "language": "en"}, "audio.wav")
            lines = Path(folder, f"audio.{form}").read_text(encoding="utf-8").splitlines()
            timed = [line for line in lines if "1" in line and ("00" in line or "start" in line)]
            line = (timed or ["(no times)"])[0]
            written[form] = line[line.index('"start"') :].partition(', "text"')[0] if form == "json" else line
    result = {"versions": {"openai-whisper": version("openai-whisper")}, "written": written}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


main()
