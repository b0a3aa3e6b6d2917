"""Tiny data sets in the layouts of Hume-Vidmimic2 and BAH, written by hand as the organisers' packs lie on disk."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile

HEADER = "Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy"
SPACED = "82711/Visite 1/82711_Question_2_2023-05-02 13-22-23_Video.mp4"
PLAIN = "82712/Visite_1/82712_Question_4_2023-05-02_13-22-23_Video.mp4"
OTHER = "82713/Visite_1/82713_Question_5_2023-05-03_13-22-23_Video-LAPTOP 7.mp4"
TESTED = "82714/Visite_1/82714_Question_1_2023-05-04_13-22-23_Video.mp4"


def jpeg(value: int) -> bytes:
    """Return an image of one colour."""
    return cv2.imencode(".jpg", np.full((16, 16, 3), value % 256, np.uint8))[1].tobytes()


def write_images(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        (folder / name).write_bytes(jpeg(10 * k))


def write_audio(path: Path, seconds: float, rate: int = 16_000) -> None:
    """Write a tone; the ending tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * rate)) / 9), rate)


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def write_mp4_index(path: Path, audio_seconds: float | None, video_seconds: float = 2.0) -> None:
    """Write an mp4 file with uncompressed audio, unless it has none, and a track of images without any image."""
    rate = 16_000
    samples = b"" if audio_seconds is None else _tone(round(audio_seconds * rate)).tobytes()
    begin = box(b"ftyp", b"isom" + bytes(4)) + box(b"mdat", samples)

    def track(number: int, kind: bytes, scale: int, length: int, stbl: bytes) -> bytes:
        tkhd = box(b"tkhd", struct.pack(">IIIIII", 7, 0, 0, number, 0, round(1000 * length / scale)), bytes(60))
        mdhd = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, scale, length, 0, 0))
        hdlr = box(b"hdlr", struct.pack(">II4s", 0, 0, kind) + bytes(13))
        return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, box(b"minf", box(b"stbl", stbl))))

    frames = box(b"stts", struct.pack(">IIII", 0, 1, round(10 * video_seconds), 100))
    tracks = [track(1, b"vide", 1000, round(1000 * video_seconds), frames)]
    if audio_seconds is not None:
        n, offset = len(samples) // 2, len(begin) - len(samples)
        entry = bytes(6) + struct.pack(">HIIHHHHI", 1, 0, 0, 1, 16, 0, 0, rate << 16)
        table = [
            box(b"stsd", struct.pack(">II", 0, 1), box(b"sowt", entry)),
            box(b"stts", struct.pack(">IIII", 0, 1, n, 1)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, n, 1)),
            box(b"stsz", struct.pack(">III", 0, 2, n)),
            box(b"stco", struct.pack(">III", 0, 1, offset)),
        ]
        tracks.append(track(2, b"soun", rate, n, b"".join(table)))
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, round(1000 * video_seconds)) + bytes(80))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(begin + box(b"moov", mvhd, *tracks))


def _tone(n: int) -> np.ndarray:
    return (3000 * np.sin(np.arange(n) / 9)).astype("<i2")


@dataclass
class MimicTree:
    """Hume-Vidmimic2 below ``root``."""

    root: Path

    def labels(self, split: str, rows: Mapping[str, Sequence[float]], header: str = HEADER) -> Path:
        file = {"train": "train_split.csv", "val": "valid_split.csv"}[split]
        return write_lines(self.root / file, [header, *(",".join([n, *map(str, v)]) for n, v in rows.items())])

    def images(self, name: str, numbers: Iterable[int], *, test: bool = False) -> Path:
        folder = (self.root / "test_data" if test else self.root) / "face_images" / name
        write_images(folder, [f"{k}.jpg" for k in numbers])
        return folder


@dataclass
class DoubtTree:
    """BAH below ``root``; ``edition`` is 8 or 10."""

    root: Path
    edition: int = 8

    @property
    def home(self) -> Path:
        return self.root / "train-data" if self.edition == 8 else self.root

    @property
    def test_home(self) -> Path:
        return self.root / "test-data" if self.edition == 8 else self.root

    def listed(self, split: str, *rows: str) -> Path:
        folder = "default-split" if self.edition == 8 else "split"
        return write_lines(self.home / folder / f"{split}.txt", rows)

    def annotated(self, labels: Mapping[str, Sequence[int]], videos: Mapping[str, int] | None = None) -> Path:
        """Write an annotation file in PyYAML's own style."""
        lines = []
        for name, values in labels.items():
            lines += [f"{name}:", "  fr_detailed_ah:", "  - - 1", "    - 2", "  frame_annotation:"]
            for k, value in enumerate(values):
                lines += [f"  - - {name}/frame-{k}.jpg", f"    - {value}"]
            video = (videos or {}).get(name, int(any(values)))
            lines += [f"  global_ah: {video}", "  time_detailed_ah:", "  - - 00:00:00.042", "    - 00:00:00.083"]
        file = "annotation.yml" if self.edition == 8 else "video_annotation_transcript.yaml"
        return write_lines(self.home / file, lines)

    def crops(self, name: str, n: int, *, test: bool = False) -> Path:
        folder = (self.test_home if test else self.home) / "cropped-aligned-faces" / name
        write_images(folder, [f"frame-{k}.jpg" for k in range(n)])
        return folder

    def transcript(self, name: str, *lines: str, test: bool = False) -> Path:
        stem = name.rpartition("/")[2].removesuffix(".mp4")
        home = self.test_home if test else self.home
        return write_lines(home / "transcription" / name / f"{stem}.yml", lines)

    def template(self, lengths: Mapping[str, int]) -> Path:
        rows = [f"{name}/frame-{k}.jpg,0" for name, n in lengths.items() for k in range(n)]
        return write_lines(self.test_home / "submissions" / "trial-0.txt", rows)


def small_mimics(root: Path) -> MimicTree:
    """Write two training videos, one of validation and two of test; images count from 0 or from 1."""
    tree = MimicTree(root)
    tree.labels("train", {"00000": [0, 0.5, 0, 0.25, 0, 0.25], "00003": [1, 0, 0, 0, 0, 0]})
    tree.labels("val", {"00001": [0, 0, 1 / 3, 0, 0, 2 / 3]})
    tree.images("00000", range(12))
    tree.images("00003", range(1, 11))
    tree.images("00001", range(1, 4))
    tree.images("12660", range(5), test=True)
    tree.images("12661", range(1, 3), test=True)
    for name in ("00000", "00003", "00001"):
        write_audio(root / "audio" / f"{name}.mp3", 1.0)
    for name in ("12660", "12661"):
        write_mp4_index(root / "test_data" / "raw" / f"{name}.mp4", 1.0)
    return tree


SAID = (
    "chunks:",
    "- language: english",
    "  text: ' Yes, and no.'",
    "  timestamp: !!python/tuple",
    "  - 0.0",
    "  - 1.5",
    "text: ' Yes, and no.'",
)


def small_doubts(root: Path, edition: int = 8) -> DoubtTree:
    """Write two training videos of one person and one each of validation and test, of other persons."""
    tree = DoubtTree(root, edition)
    prefix = "" if edition == 8 else "Videos/"
    spaced = SPACED if edition == 8 else SPACED.replace("Visite 1", "Visite_1")
    second = f"{prefix}{spaced.replace('Question_2', 'Question_3')}"
    spaced, other, tested = f"{prefix}{spaced}", f"{prefix}{OTHER}", f"{prefix}{TESTED}"
    tree.listed("train", f"{spaced},1, Yes, and no, you know.", f"{second},0, Never.")
    tree.listed("val", f"{other},1, Oui, mais non.")
    labels = {spaced: [0, 1, 1, 0], second: [0, 0, 0], other: [1, 1, 0, 0, 0]}
    tree.annotated(labels)
    for name, values in labels.items():
        tree.crops(name, len(values))
    tree.crops(tested, 2, test=True)
    if edition == 8:
        for name in labels:
            tree.transcript(name, *SAID)
        tree.transcript(tested, "chunks: []", "text: ''", test=True)
        tree.template({tested: 2})
    else:
        tree.listed("test", f"{tested},, Said.")
    return tree
