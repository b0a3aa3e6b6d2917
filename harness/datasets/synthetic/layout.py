"""A generator of procedural people, written in Aff-Wild2's layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt

from harness.datasets.identity import MARKER
from harness.datasets.synthetic.camera import film
from harness.datasets.synthetic.people import invent_person
from harness.datasets.synthetic.performance import MIN_FRAMES, Performance, perform
from harness.datasets.synthetic.plan import DrawnVideo, Mask, Purpose, VideoPlan
from harness.datasets.synthetic.speakers import write_wav
from harness.datasets.synthetic.voice import speak
from harness.errors import UnknownNameError, UsageError
from harness.system.atomic import atomic_folder
from harness.tasks import AU, EXPR, SPLITS, VA, Task

VERSION = 1  # of the generator: raise it whenever the same seed would give other bytes
DEFAULT_VIDEOS: Mapping[str, int] = {"train": 10, "val": 6, "test": 4}
NOTE = (
    "Procedural: every face, voice and label here was drawn and computed by the program's own code. "
    "A score on it shows that the pipeline works and nothing more."
)

_ANNOTATIONS = "6th_ABAW_Annotations"
_LABEL_FOLDERS = {
    "train": f"{_ANNOTATIONS}/{{}}/Train_Set",
    "val": f"{_ANNOTATIONS}/{{}}/Validation_Set",
    "test": "held_out/{}",
}
# values that the organisers' templates hold in place of predictions, and the names of their lists of test videos
_PLACEHOLDERS = {"EXPR": "0", "VA": "0.5,-0.5", "AU": "1,0,1,1,1,0,0,1,0,0,0,1"}
_TEST_LISTS = {"EXPR": "Expression_Recognition", "VA": "Valence_Arousal_Estimation", "AU": "Action_Unit_Detection"}
_TASKS = (EXPR, VA, AU)


Plan = TypeVar("Plan", bound=DrawnVideo)
Progress = Callable[[str, int, int], None]


def write_affwild2(
    out: Path,
    *,
    seed: int = 0,
    videos: Mapping[str, int] = DEFAULT_VIDEOS,
    frames: int = 240,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Draw a data set in Aff-Wild2's layout: crops, audio, labels, templates and held-out test labels.

    The same arguments give the same bytes; more videos leave the first ones as they were. With two videos a split has
    two people of one recording; the second training video starts late, the second test video lacks most of its crops.

    Args:
        out: absent or an empty folder. It appears whole or not at all.
        seed: 0 or more.
        videos: number of videos by split; a missing split is left empty.
        frames: mean length of a video, at least 80.
        progress: called after each video with its name, how many are done, and how many there are.

    Raises:
        UsageError: ``out`` holds something already, or a number is out of range.
        StorageError: the disk is full or the folder can't be written.
    """
    check_arguments(out, seed, videos, frames, MIN_FRAMES)
    plans = [VideoPlan(seed, split, k, frames) for split in SPLITS for k in range(videos.get(split, 0))]
    with atomic_folder(out.absolute()) as root:
        write_each(plans, partial(_write_video, root), progress)
        if tested := [plan for plan in plans if plan.split == "test"]:
            _write_test_lists(root, tested)
        write_text(root / MARKER, marker_text("abaw-synth", VERSION, NOTE, seed, videos, frames))


def write_each(plans: Sequence[Plan], write: Callable[[Plan], None], progress: Progress | None) -> None:
    """Write all videos.

    Args:
        plans: the videos, in order.
        write: function that draws and writes one video.
        progress: called after each video with its name, how many are done, and how many there are.
    """
    for done, plan in enumerate(plans, 1):
        write(plan)
        if progress:
            progress(plan.name, done, len(plans))


def marker_text(
    name: str, version: int, note: str, seed: int, videos: Mapping[str, int], frames: int, more: Sequence[str] = ()
) -> str:
    """Return the description of a drawn data set, as TOML; ``more`` holds lines of this layout alone."""
    counts = ", ".join(f"{split} = {videos.get(split, 0)}" for split in SPLITS)
    lines = (f'name = "{name}"', f"version = {version}", f"seed = {seed}", f"frames = {frames}", *more)
    return "\n".join([*lines, f"videos = {{ {counts} }}", f'note = "{note}"']) + "\n"


def check_arguments(out: Path, seed: int, videos: Mapping[str, int], frames: int, least: int) -> None:
    """Make sure that ``out`` is free and that the numbers can be used.

    Raises:
        UsageError: ``out`` holds something already, or a number is out of range.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            "there is something here already", where=out, expected="a new or an empty folder", do="Name another one"
        )
    for split in videos:
        if split not in SPLITS:
            raise UnknownNameError("split", split, SPLITS)
    if min(videos.values(), default=0) < 0 or not any(videos.values()):
        raise UsageError("a data set needs videos", found=dict(videos), expected="at least one, and none below 0")
    if seed < 0:
        raise UsageError("a seed can't be negative", found=seed, expected="0 or more")
    if frames < least:
        what = "a data set needs more frames per video"
        raise UsageError(what, found=frames, expected=f"at least {least}")


def _write_video(root: Path, plan: VideoPlan) -> None:
    person = invent_person(plan.stream(Purpose.PERSON))
    performance = perform(plan.stream(Purpose.PERFORMANCE), plan.frames)
    there = plan.crops_there()
    crops = root / "cropped" / plan.name
    crops.mkdir(parents=True)
    for number, jpeg in enumerate(film(plan.stream(Purpose.CAMERA), person, performance.muscles), 1):
        if there[number - 1]:
            (crops / f"{number:05d}.jpg").write_bytes(jpeg)
    if plan.speaks:
        samples = speak(plan.stream(Purpose.VOICE), performance.affect[:, 1], person.pitch)
        write_wav(root / "audios" / f"{plan.base}.wav", samples)
    for task in _TASKS:
        rows = _label_rows(task, performance, plan.annotated(task, performance))
        folder = root / _LABEL_FOLDERS[plan.split].format(task.annotation_folders[0])
        write_text(folder / f"{plan.name}.txt", "\n".join([task.header, *rows]) + "\n")


def _label_rows(task: Task, performance: Performance, annotated: Mask) -> list[str]:
    """Return the lines of a label file after its header, frame 1 first."""
    values: npt.NDArray[Any] = {
        "EXPR": performance.expression[:, None],
        "VA": performance.affect,
        "AU": performance.units,
    }[task.name]
    unlabelled = ",".join([str(task.invalid)] * values.shape[1])
    number = "{:.3f}".format if task.kind == "values" else str
    return [
        ",".join(map(number, row)) if labelled else unlabelled
        for row, labelled in zip(values.tolist(), annotated, strict=True)
    ]


def _write_test_lists(root: Path, plans: Sequence[VideoPlan]) -> None:
    for task in _TASKS:
        placeholder = _PLACEHOLDERS[task.name]
        rows = [f"{plan.name}/{k:05d}.jpg,{placeholder}" for plan in plans for k in range(1, plan.frames + 1)]
        template = root / "test_set_examples" / f"CVPR_6th_ABAW_{task.short}_test_set_example.txt"
        write_text(template, "\n".join([task.submission_header, *rows]) + "\n")
        names = root / "names_of_videos_in_each_test_set" / f"{_TEST_LISTS[task.name]}_Challenge_test_set_release.txt"
        write_text(names, "".join(f"{plan.name}\n" for plan in plans))


def write_text(path: Path, text: str) -> None:
    """Write a text file with Unix line ends, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
