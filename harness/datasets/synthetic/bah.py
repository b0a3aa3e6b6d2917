"""A generator of procedural people who hesitate, written in BAH's layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.identity import MARKER
from harness.datasets.synthetic.camera import film
from harness.datasets.synthetic.layout import check_arguments, marker_text, write_each, write_text
from harness.datasets.synthetic.people import invent_person
from harness.datasets.synthetic.plan import DrawnVideo
from harness.datasets.synthetic.speakers import Purpose, State, move_face, record_voice, write_mp3
from harness.errors import UsageError
from harness.system.atomic import atomic_folder
from harness.tasks import SPLITS

VERSION = 1  # of the generator: raise it whenever the same seed would give other bytes
FPS = 24.0
MIN_FRAMES = 24
EDITIONS = (8, 10, 11)
NOTE = (
    "Procedural: every face, voice, sentence and label here was drawn and computed by the program's own code. "
    "A score on it shows that the pipeline works and nothing more. Audio is mp3 in audio/, as nothing here writes "
    "video files with audio; the real packs have it in videos/*.mp4."
)
VIDEOS_PER_PERSON = 2  # seven in the real data, too many for a small set with several persons
_FIRST_PERSON = 82_000
_LANGUAGES = ("english", "french")
_SILENT = ("test", 1)  # a video without speech
_SECONDS_PER_PHRASE = 1.5

PRESENT = State(
    {2: 0.7, 4: 0.7, 12: 0.5, 24: 0.8, 1: 0.4},
    -0.5,
    1100.0,
    {
        "english": (
            "well, maybe, I am not sure",
            "yes, but then again no",
            "I want to and I don't",
            "hmm, I don't know",
        ),
        "french": ("euh, peut-être, je ne sais pas", "oui, mais en même temps non", "j'hésite encore", "bof, on verra"),
    },
    frozenset({2, 12}),
)
_NEUTRAL = {
    "english": ("I walk every morning", "we eat fruit at home", "my sister works in town", "I sleep eight hours"),
    "french": ("je marche tous les matins", "on mange des fruits", "ma sœur travaille en ville", "je dors huit heures"),
}
_Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Plan(DrawnVideo):
    least_frames: ClassVar[int] = MIN_FRAMES
    edition: int

    @property
    def person(self) -> int:
        """Number of the person, who is in one split only."""
        return self.index // VIDEOS_PER_PERSON * len(SPLITS) + SPLITS.index(self.split)

    @property
    def language(self) -> str:
        """Language that the person speaks."""
        return _LANGUAGES[self.index // VIDEOS_PER_PERSON % len(_LANGUAGES)]

    @property
    def name(self) -> str:
        """Path of the video file, as the edition writes it; every second person has spaces in it."""
        spaced = self.index // VIDEOS_PER_PERSON % 2 == 1
        person, question = _FIRST_PERSON + self.person, 4 + self.index % VIDEOS_PER_PERSON
        time = f"2000-01-{1 + self.index % 28:02d}{' ' if spaced else '_'}10-00-00"
        visit = "Visite 1" if spaced and self.edition == 8 and self.split != "test" else "Visite_1"
        return f"{'' if self.edition == 8 else 'Videos/'}{person}/{visit}/{person}_Question_{question}_{time}_Video.mp4"

    @property
    def present(self) -> int:
        """Label of the video: each person has one of either."""
        return (self.index + self.person) % 2

    def key(self, purpose: int) -> int:
        """Return the person's number for what a person's videos share, this video's place for all else."""
        return self.person if purpose == Purpose.PERSON else self.index

    def labels(self) -> _Labels:
        """Return 0 or 1 per frame: one or two stretches of ones in a video labelled 1."""
        labels = np.zeros(self.frames, np.int64)
        if not self.present:
            return labels
        rng, pieces = self.stream(Purpose.LABELS), 1 + int(self.frames >= 4 * MIN_FRAMES)
        for k in range(pieces):
            begin, end = (round(self.frames * (k + x) / pieces) for x in rng.uniform((0.1, 0.6), (0.3, 0.9)))
            labels[begin:end] = 1
        return labels


@dataclass(frozen=True)
class _Line:
    text: str
    start: float
    end: float


def write_bah(
    out: Path,
    *,
    seed: int = 0,
    videos: Mapping[str, int],
    frames: int = 240,
    edition: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Draw a data set in BAH's layout: crops, audio, transcripts, labels, templates and held-out test labels.

    The same arguments give the same bytes on one version of libsndfile; more videos leave the first ones as they were.
    Face, voice and words each carry the label. Each person has two videos, one labelled 1, and speaks English or
    French; names of every second person hold spaces. The second test video has an empty transcript.

    Args:
        out: absent or an empty folder. It appears whole or not at all.
        seed: 0 or more.
        videos: how many videos each split has; a split that is left out stays empty.
        frames: mean length of a video, at least 24.
        edition: 8 for two packs and labels of frames; 10 or 11 for the layout of these.
        progress: called after each video with its name, how many are done, and how many there are.

    Raises:
        UsageError: ``out`` holds something already, or a number is out of range.
        StorageError: the disk is full or the folder can't be written.
    """
    check_arguments(out, seed, videos, frames, MIN_FRAMES)
    if edition not in EDITIONS:
        raise UsageError("BAH has no such edition", found=edition, expected=" or ".join(map(str, EDITIONS)))
    plans = [_Plan(seed, split, k, frames, edition) for split in SPLITS for k in range(videos.get(split, 0))]
    with atomic_folder(out.absolute()) as root:
        train, test = root, root
        if edition == 8:
            train, test = root / "ABAW-8th-BAH-train-data", root / "ABAW-8th-BAH-test-data"
        write_each(plans, lambda plan: _write_video(test if plan.split == "test" else train, plan), progress)
        _write_labels(root, train, test, plans)
        write_text(
            root / MARKER, marker_text("abaw-synth-bah", VERSION, NOTE, seed, videos, frames, [f"edition = {edition}"])
        )


def _write_video(pack: Path, plan: _Plan) -> None:
    person = invent_person(plan.stream(Purpose.PERSON))
    labels = plan.labels()
    levels = np.convolve(np.pad(labels, 2, mode="edge"), np.ones(5) / 5, mode="valid")[:, None]
    muscles = move_face(plan.stream(Purpose.FACE), levels, [PRESENT], FPS)
    crops = pack / "cropped-aligned-faces" / plan.name
    crops.mkdir(parents=True)
    for number, jpeg in enumerate(film(plan.stream(Purpose.CAMERA), person, muscles)):
        (crops / f"frame-{number}.jpg").write_bytes(jpeg)
    samples = record_voice(plan.stream(Purpose.VOICE), levels, [PRESENT], person.pitch, FPS)
    write_mp3(pack / "audio" / f"{plan.name.removesuffix('.mp4')}.mp3", samples)
    if plan.edition == 8:
        stem = plan.name.rpartition("/")[2].removesuffix(".mp4")
        lines = list(_lines(plan))
        text = ["chunks:" if lines else "chunks: []"]
        for line in lines:
            text += [f"- language: {plan.language}", f"  text: {json.dumps(' ' + line.text, ensure_ascii=False)}"]
            text += ["  timestamp: !!python/tuple", f"  - {line.start:.2f}", f"  - {line.end:.2f}"]
        text.append(f"text: {json.dumps(_text(lines), ensure_ascii=False)}")
        write_text(pack / "transcription" / plan.name / f"{stem}.yml", "\n".join(text) + "\n")


def _lines(plan: _Plan) -> Iterator[_Line]:
    """Yield phrases of one and a half seconds each: those of a person who hesitates where most of the frames are 1."""
    if (plan.split, plan.index) == _SILENT:
        return
    rng, labels = plan.stream(Purpose.WORDS), plan.labels()
    step = round(_SECONDS_PER_PHRASE * FPS)
    for begin in range(0, len(labels), step):
        piece = labels[begin : begin + step]
        phrases = PRESENT.phrases[plan.language] if 2 * piece.sum() > len(piece) else _NEUTRAL[plan.language]
        yield _Line(phrases[int(rng.integers(len(phrases)))] + ".", begin / FPS, (begin + len(piece)) / FPS)


def _text(lines: Sequence[_Line]) -> str:
    return "".join(f" {line.text}" for line in lines)


def _write_labels(root: Path, train: Path, test: Path, plans: Sequence[_Plan]) -> None:
    old = plans[0].edition == 8
    by_split = {split: [plan for plan in plans if plan.split == split] for split in SPLITS}
    annotated = [plan for plan in plans if plan.split != "test"]
    name = "annotation.yml" if old else "video_annotation_transcript.yaml"
    write_text(train / name, "".join(f"{line}\n" for plan in annotated for line in _annotation(plan)))
    for split, members in by_split.items():
        videos = [f"{plan.name},{plan.present},{_text(list(_lines(plan)))}" for plan in members]
        rows = [f"{plan.name}/frame-{k}.jpg,{v}" for plan in members for k, v in enumerate(plan.labels().tolist())]
        if not members:
            continue
        if split == "test":
            write_text(root / "held_out" / "AH" / "frames.txt", "\n".join(rows) + "\n")
            labels = [f"{plan.name},{plan.present}" for plan in members]
            write_text(root / "held_out" / "AHV" / "videos.txt", "\n".join(labels) + "\n")
        elif old:
            write_text(train / "default-split" / f"{split}.txt", "\n".join(videos) + "\n")
        else:
            write_text(train / "split" / f"{split}.txt", "\n".join(videos) + "\n")
            write_text(train / "split-frames" / f"{split}.txt", "\n".join(rows) + "\n")
        if split == "test" and old:
            template = [f"{row.rpartition(',')[0]},0" for row in rows]
            write_text(test / "submissions" / "trial-0.txt", "\n".join(template) + "\n")
        elif split == "test":
            unlabelled = [f"{plan.name},,{_text(list(_lines(plan)))}" for plan in members]
            write_text(test / "split" / "test.txt", "\n".join(unlabelled) + "\n")


def _annotation(plan: _Plan) -> Iterator[str]:
    """Yield the lines of a video in the annotation file."""
    labels = plan.labels()
    edges = np.flatnonzero(np.diff(np.pad(labels, 1)))
    runs = [[int(a), int(b) - 1] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    yield f"{plan.name}:"
    yield f"  fr_detailed_ah: {json.dumps(runs)}"
    yield "  frame_annotation:"
    for k, label in enumerate(labels.tolist()):
        yield f"  - - {plan.name}/frame-{k}.jpg"
        yield f"    - {label}"
    yield f"  global_ah: {plan.present}"
    yield f"  time_detailed_ah: {json.dumps([[_clock(a), _clock(b + 1)] for a, b in runs])}"
    if plan.edition != 8:
        yield f"  transcript: {json.dumps(_text(list(_lines(plan))), ensure_ascii=False)}"


def _clock(frame: int) -> str:
    seconds = frame / FPS
    return f"{int(seconds // 3600):02d}:{int(seconds // 60) % 60:02d}:{seconds % 60:06.3f}"
