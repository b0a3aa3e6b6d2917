"""A generator of procedural people who mimic, written in Hume-Vidmimic2's layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.datasets.identity import MARKER
from harness.datasets.synthetic.camera import film
from harness.datasets.synthetic.layout import check_arguments, marker_text, write_each, write_text
from harness.datasets.synthetic.people import invent_person
from harness.datasets.synthetic.plan import DrawnVideo
from harness.datasets.synthetic.rig import Floats
from harness.datasets.synthetic.speakers import Purpose, State, move_face, record_voice, write_mp3, write_wav
from harness.system.atomic import atomic_folder
from harness.tasks import EMI, SPLITS

VERSION = 2  # of the generator: raise it whenever the same seed would give other bytes
FPS = 25.0
MIN_FRAMES = 20
NOTE = (
    "Procedural: every face, voice, sentence and label here was drawn and computed by the program's own code. "
    "A score on it shows that the pipeline works and nothing more. Test audio is wav beside the images, "
    "as nothing here writes video files with audio; the real test set has it in raw/*.mp4."
)
_FIRST_TEST = 12_660  # number of the first test video of the real data
_LABEL_FILES = {"train": "train_split.csv", "val": "valid_split.csv", "test": "held_out/EMI/test_split.csv"}
_SILENT = ("test", 1)  # a video without speech, as 64 real test videos
_CALM_EVERY = 7  # videos, of which one has intensities that are all 0
_ENGLISH = "en"
_PHRASES = 4  # of a sentence
_NEUTRAL = ("it was on a Tuesday", "we went there by train", "the table is near the window", "they sell shoes and bags")

# units, formants and phrases are our own choice
STATES: Mapping[str, State] = {
    "Admiration": State(
        {1: 0.7, 2: 0.6, 25: 0.4, 5: 0.3},
        0.1,
        400.0,
        {_ENGLISH: ("I truly admire you", "what an impressive work", "you are my hero", "how brilliant you are")},
    ),
    "Amusement": State(
        {6: 0.6, 12: 0.7, 25: 0.9, 26: 0.7},
        0.5,
        750.0,
        {_ENGLISH: ("that is so funny", "what a silly joke", "I can't stop laughing", "this is hilarious")},
    ),
    "Determination": State(
        {4: 0.8, 23: 0.9, 24: 0.7},
        0.3,
        1100.0,
        {_ENGLISH: ("I will never give up", "we must reach our goal", "nothing will stop me", "I keep on fighting")},
    ),
    "Empathic Pain": State(
        {1: 0.9, 4: 0.5, 15: 1.0},
        -0.6,
        1450.0,
        {_ENGLISH: ("I am sorry for your loss", "it hurts to see that", "oh no, poor thing", "that must be painful")},
    ),
    "Excitement": State(
        {1: 0.5, 2: 1.0, 5: 0.9, 25: 0.8, 26: 0.9},
        0.9,
        1800.0,
        {_ENGLISH: ("I can't wait any longer", "this is so exciting", "wow, we are going", "it starts tonight, yes")},
    ),
    "Joy": State(
        {6: 0.9, 12: 1.0},
        0.4,
        2150.0,
        {_ENGLISH: ("I am so happy", "what a wonderful day", "we love being together", "life is beautiful")},
    ),
}


@dataclass(frozen=True)
class _Plan(DrawnVideo):
    least_frames: ClassVar[int] = MIN_FRAMES

    @property
    def name(self) -> str:
        """Five digits: numbers of train and val are mixed, those of test come after the real ones of both."""
        return f"{_FIRST_TEST + self.index if self.split == 'test' else 2 * self.index + SPLITS.index(self.split):05d}"

    def labels(self) -> Floats:
        """Return six shares of votes, most of them 0, at most 1 in all."""
        rng = self.stream(Purpose.LABELS)
        voters = int(rng.integers(3, 10))
        shares = np.zeros(EMI.n_outputs)
        turn = self.index % _CALM_EVERY
        if turn == _CALM_EVERY - 1:
            return shares
        first = turn % EMI.n_outputs  # so that small sets have each intensity
        second = (first + int(rng.integers(1, EMI.n_outputs))) % EMI.n_outputs
        votes = int(rng.integers(1, voters + 1))
        shares[first] = votes / voters
        shares[second] = int(rng.integers(0, voters - votes + 1)) / voters
        return shares


def write_vidmimic(
    out: Path,
    *,
    seed: int = 0,
    videos: Mapping[str, int],
    frames: int = 240,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Draw a data set in Hume-Vidmimic2's layout: crops, audio, labels, transcripts and held-out test labels.

    The same arguments give the same bytes on one version of libsndfile; more videos leave the first ones as they were.
    Face, voice and words each carry the six intensities. The words are in ``not_official/transcripts.csv``, as none
    come with the real data; the second test video has none.

    Args:
        out: absent or an empty folder. It appears whole or not at all.
        seed: 0 or more.
        videos: how many videos each split has; a split that is left out stays empty.
        frames: mean length of a video, at least 20.
        progress: called after each video with its name, how many are done, and how many there are.

    Raises:
        UsageError: ``out`` holds something already, or a number is out of range.
        StorageError: the disk is full or the folder can't be written.
    """
    check_arguments(out, seed, videos, frames, MIN_FRAMES)
    plans = [_Plan(seed, split, k, frames) for split in SPLITS for k in range(videos.get(split, 0))]
    with atomic_folder(out.absolute()) as root:
        write_each(plans, lambda plan: _write_video(root, plan), progress)
        for split, file in _LABEL_FILES.items():
            members = [plan for plan in plans if plan.split == split]
            rows = [",".join([plan.name, *(f"{v:.4g}" for v in plan.labels().tolist())]) for plan in members]
            if rows:
                write_text(root / file, "\n".join([f"Filename,{EMI.header}", *rows]) + "\n")
        words = [f'{plan.name},"{_sentence(plan)}"' for plan in plans]
        write_text(root / "not_official" / "transcripts.csv", "\n".join(["Filename,text", *words]) + "\n")
        write_text(root / MARKER, marker_text("abaw-synth-vidmimic", VERSION, NOTE, seed, videos, frames))


def _write_video(root: Path, plan: _Plan) -> None:
    person = invent_person(plan.stream(Purpose.PERSON))
    states = [STATES[target] for target in EMI.targets]
    t = (np.arange(plan.frames) + 0.5) / plan.frames
    envelope = np.clip(np.minimum(t, 1 - t) / 0.2, 0, 1)
    levels = envelope[:, None] * plan.labels()
    muscles = move_face(plan.stream(Purpose.FACE), levels, states, FPS)
    pack = root / "test_data" if plan.split == "test" else root
    crops = pack / "face_images" / plan.name
    crops.mkdir(parents=True)
    for number, jpeg in enumerate(film(plan.stream(Purpose.CAMERA), person, muscles), 1):
        (crops / f"{number}.jpg").write_bytes(jpeg)
    samples = record_voice(plan.stream(Purpose.VOICE), levels, states, person.pitch, FPS)
    if plan.split == "test":
        write_wav(pack / "audio" / f"{plan.name}.wav", samples)
    else:
        write_mp3(pack / "audio" / f"{plan.name}.mp3", samples)


def _sentence(plan: _Plan) -> str:
    """Return phrases chosen by the votes for each state; neutral phrases take the share without votes."""
    if (plan.split, plan.index) == _SILENT:
        return ""
    rng, labels = plan.stream(Purpose.WORDS), plan.labels()
    shares = np.append(labels, max(0.0, 1 - labels.sum()))
    phrases = [*(STATES[target].phrases[_ENGLISH] for target in EMI.targets), _NEUTRAL]
    chosen = [phrases[k] for k in rng.choice(len(phrases), _PHRASES, p=shares / shares.sum())]
    return ", and ".join(choices[int(rng.integers(len(choices)))] for choices in chosen) + "."
