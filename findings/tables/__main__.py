"""Make ``docs/readers.md`` and ``docs/readers.json``: what readers of video, audio and transcripts make of valid files.

    python -m findings.tables --date 2026-11-29 [--environments FOLDER] [--to docs]

Run it in the development environment, from the root of the repository. Each reader runs in an environment of its own
with pinned versions; environments that are there already, in FOLDER, are used again. In all they take about 8 GB.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from findings.tables.audio_files import LENGTHS, make_audio, write_silence
from findings.tables.environments import PINS, ffmpeg_of, prepared, surroundings
from findings.tables.page import page
from findings.tables.video_files import INDEX, SHOWN, make_videos
from harness.system.atomic import write_text

VIDEO = {
    "opencv-4.11": "opencv_reader.py",
    "opencv-4.13": "opencv_reader.py",
    "opencv-5.0": "opencv_reader.py",
    "pyav": "pyav_reader.py",
    "decord": "decord_reader.py",
    "torch": "torchcodec_reader.py",
    "imageio-0.6": "imageio_reader.py",
    "imageio-0.8": "imageio_reader.py",
    "moviepy": "moviepy_reader.py",
}
AUDIO = {"pyav": "pyav_audio.py", "torch": "torch_audio.py", "librosa": "librosa_audio.py"}
FFMPEGS = ("ffmpeg", "imageio-0.8")
MORE = {"opensmile": "opensmile_rows.py", "transcripts": "transcript_formats.py", "torch": "whisper_writers.py"}
LONGEST = 600
"""Seconds until a reader that does not end is given up."""


def main() -> None:
    """Make the files, run the readers, write the page and its JSON."""
    parser = argparse.ArgumentParser(prog="python -m findings.tables", description=__doc__)
    parser.add_argument("--date", required=True, help="The date that the page carries, such as 2026-11-29.")
    parser.add_argument("--environments", type=Path, help="Folder of environments.  [default: a temporary one]")
    parser.add_argument("--to", type=Path, default=Path("docs"), help="Folder of the two files.  [default: docs]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="readers-") as temporary:
        folder = Path(temporary)
        pythons, reasons = _environments(arguments.environments or folder / "environments")
        tables = {
            "date": arguments.date,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "pins": PINS,
            "not_run": reasons,
            **_measured(pythons, folder),
        }
    write_text(arguments.to / "readers.json", json.dumps(tables, indent=1, ensure_ascii=False) + "\n")
    write_text(arguments.to / "readers.md", page(tables))


def _environments(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the Python of each environment, and the reason of each that can't be made."""
    pythons, reasons = {}, {}
    for name in PINS:
        try:
            pythons[name] = prepared(name, folder)
        except subprocess.CalledProcessError as error:
            reasons[name] = f"pip ended with {error.returncode}"
    return pythons, reasons


def _measured(pythons: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    ffmpeg = ffmpeg_of(pythons["ffmpeg"])
    videos, audio = folder / "videos", folder / "audio"
    make_videos(ffmpeg, videos)
    make_audio(ffmpeg, audio)
    lengths = folder / "lengths.json"
    lengths.write_text(json.dumps(LENGTHS), encoding="utf-8")
    video, failed = _run(VIDEO, pythons, videos)
    heard, more_failed = _run(AUDIO, pythons, audio, lengths)
    rest, rest_failed = _run(MORE, pythons, audio)
    readers = {name: answer for one in heard.values() for name, answer in one["readers"].items()}
    resampled = {name: answer for one in heard.values() for name, answer in one.get("resampled", {}).items()}
    for name in FFMPEGS:
        if name in pythons:
            program = ffmpeg_of(pythons[name])
            title = "ffmpeg " + _text([program, "-version"]).split()[2].partition("-")[0].lstrip("n")
            readers[title] = {"files": {path.name: _heard(program, path) for path in sorted(audio.glob("click*"))}}
            resampled[f"{title} -ar"] = _resampled(program, folder)
    return {
        "failed": failed | more_failed | rest_failed,
        "video": {name: _short(answer) for one in video.values() for name, answer in one.items()},
        "audio": readers,
        "resampled": resampled,
        "networks": heard.get("torch", {}).get("networks"),
        "opensmile": rest.get("opensmile"),
        "transcripts": rest.get("transcripts"),
        "whisper": rest.get("torch"),
    }


def _run(
    scripts: Mapping[str, str], pythons: Mapping[str, Path], folder: Path, *more: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the answer of each script by environment, and the reason of each that has none."""
    answers, failed = {}, {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, script in scripts.items():
            if name not in pythons:
                continue
            answer = Path(temporary, f"{name}.json")
            path = Path(__file__).with_name("readers") / script
            command = [str(pythons[name]), "-W", "ignore", str(path), str(folder), str(answer), *map(str, more)]
            try:
                subprocess.run(
                    command, env=surroundings(pythons[name]), check=True, capture_output=True, timeout=LONGEST
                )
                answers[name] = json.loads(answer.read_text(encoding="utf-8"))
            except subprocess.TimeoutExpired:
                failed[f"{name}: {script}"] = f"did not end within {LONGEST} s"
            except subprocess.CalledProcessError as error:
                lines = error.stderr.decode(errors="replace").strip().splitlines()
                failed[f"{name}: {script}"] = lines[-1] if lines else f"ended with {error.returncode}"
    return answers, failed


def _text(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _decoded(program: str, path: Path, *options: str) -> np.ndarray | None:
    """Return the samples that ffmpeg writes; None where it fails or ends by a signal."""
    command = [program, "-loglevel", "error", "-nostdin", "-i", str(path), *options, "-ac", "1", "-f", "f32le", "-"]
    done = subprocess.run(command, check=False, capture_output=True)
    return np.frombuffer(done.stdout, np.float32) if done.returncode == 0 and done.stdout else None


def _heard(program: str, path: Path) -> dict[str, Any]:
    samples = _decoded(program, path)
    if samples is None:
        return {"error": "ffmpeg ends without samples"}
    return {"samples": len(samples), "rate": 48_000, "click": int(np.abs(samples).argmax())}


def _resampled(program: str, folder: Path) -> dict[str, int | None]:
    answers = {}
    for samples, rate in LENGTHS:
        path = write_silence(folder / "silence.wav", samples, rate)
        decoded = _decoded(program, path, "-ar", "16000")
        answers[f"{samples} at {rate}"] = None if decoded is None else len(decoded)
    return answers


def _short(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reader's answer with its numbers of frames as ranges, and counted."""
    files = {}
    for name, values in answer["files"].items():
        counts = counted_frames(name, values["numbers"]) if values.get("numbers") and name in SHOWN else {}
        short = {"numbers": ranges(values["numbers"])} if "numbers" in values else {}
        files[name] = {**values, **counts, **short}
    return {"versions": answer["versions"], "files": files}


def counted_frames(name: str, numbers: list[int | None]) -> dict[str, Any]:
    """Return how many frames came, the first, how many came more than once and how many of the file's never came."""
    frames = [number for number in numbers if number is not None]
    missing = sorted(set(SHOWN[name]) - set(frames))
    return {
        "count": len(frames),
        "first": frames[0] if frames else None,
        "repeated": len(frames) - len(set(frames)),
        "never": len(missing),
        "in_turn": numbers[INDEX] if len(numbers) > INDEX else None,
        "fails_from": numbers.index(None) if None in numbers else None,
        "right": numbers == list(SHOWN[name]),
    }


def ranges(numbers: list[int | None]) -> str:
    """Return numbers of frames in few characters: ``0-14, 23-49, 49 x9``; ``?`` is a frame that failed."""
    parts: list[list[Any]] = []
    for number in numbers:
        last = parts[-1] if parts else None
        if last and number is not None and last[2] == 1 and last[1] is not None and number == last[1] + 1:
            last[1] = number
        elif last and number == last[1]:
            if last[0] == last[1]:
                last[2] += 1
            else:
                parts.append([number, number, 1])
        else:
            parts.append([number, number, 1])
    words = []
    for first, last, times in parts:
        name = "?" if first is None else f"{first}" if first == last else f"{first}-{last}"
        words.append(f"{name} x{times}" if times > 1 else name)
    return ", ".join(words)


if __name__ == "__main__":
    main()
