"""Test of a solution against the contract of :mod:`harness.plugins.interface`, for this and other packages' tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness.datasets.dataset import Dataset
from harness.errors import AbawError, SolutionError
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.settings import Settings

_PICKLES = (b"\x80", b"PK")


def broken_promises(
    entry: SolutionEntry, data: Dataset, settings: Settings, folder: Path, *, seed: int = 0
) -> list[str]:
    """Fit, predict, save and load a solution on a small data set, and return the parts of the contract that it breaks.

    Args:
        entry: the solution.
        data: data set with train, val and test videos; the solution must predict every frame of every video.
        settings: settings that the solution is made with.
        folder: an empty folder to save in.
        seed: seed of the training.

    Returns:
        One line per broken part of the contract; an empty list for a correct solution.

    Raises:
        AbawError: the solution itself raises an error, for example for missing weights.
    """
    return list(_broken(entry, data, settings, folder, seed))


def _broken(entry: SolutionEntry, data: Dataset, settings: Settings, folder: Path, seed: int) -> Iterator[str]:
    solution = entry.create(settings)
    if (solution.name, solution.task) != (entry.name, entry.task):
        yield f"it is listed as {entry.name} ({entry.task.name}) and calls itself {solution.name}"
    described = solution.describe()
    if not _is_plain(described) or described != entry.create(settings).describe():
        yield "describe() must give plain data, and the same for the same solution"
    try:
        solution.predict(data, "test")
        yield "predict() before fit() must raise SolutionError"
    except SolutionError:
        pass
    solution.fit(data, seed=seed)
    answers = {}
    for split in ("val", "test"):
        answers[split] = solution.predict(data, split)
        yield from _broken_answer(answers[split], entry, data, split)
    again = entry.create(settings)
    again.fit(data, seed=seed)
    for split, answer in answers.items():
        if not same(answer, again.predict(data, split)):
            yield f"the same seed must give the same answer on {split}"
    solution.save(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _may_be_pickle(path.read_bytes()):
            yield f"{path.name} is a pickle, or an archive that may hold one"
    try:
        loaded = type(solution).load(folder)
    except AbawError as error:
        yield f"load() can't read what save() wrote: {error}"
        return
    for split, answer in answers.items():
        if not same(answer, loaded.predict(data, split)):
            yield f"after save() and load() it must answer the same on {split}"


def _broken_answer(answer: Predictions, entry: SolutionEntry, data: Dataset, split: str) -> Iterator[str]:
    if answer.task != entry.task:
        yield f"it answers for {answer.task.name}, not {entry.task.name}"
    try:
        answer.check({video.name: video.n_rows for video in data.videos(split)})
    except SolutionError as error:
        yield f"{split}: {error}"
    if not _is_plain(dict(answer.choices)) or not answer.choices.get("tuned_on"):
        yield f"{split}: choices must be plain data and say what it was tuned_on ('nothing' if nothing was)"
    chose = split == "val" and answer.choices.get("tuned_on") != "nothing"
    if any((video.tuned_on_all is not None) != chose for _, video in answer):
        yield f"{split}: tuned_on_all belongs to val, where something was chosen on its labels, and nowhere else"


def same(one: Predictions, other: Predictions) -> bool:
    """Return True for two answers that are equal to the bit."""
    if list(one.videos) != list(other.videos) or one.choices != other.choices or one.steps != other.steps:
        return False
    return all(
        a.tobytes() == b.tobytes() if a is not None and b is not None else a is b
        for name, video in one
        for a, b in zip(_arrays(video), _arrays(other.videos[name]), strict=True)
    )


def _arrays(video: VideoPrediction) -> tuple[npt.NDArray[Any] | None, ...]:
    """Return all arrays of an answer, those of its steps last."""
    trace = video.trace
    of_trace = (None,) * 3 if trace is None else (trace.decisions, trace.probabilities, trace.overrides)
    return (video.scores, video.decisions, video.tuned_on_all, *of_trace)


def _may_be_pickle(content: bytes) -> bool:
    """Return True for a file that begins like a pickle or an archive.

    A safetensors file begins with the length of its header in 8 bytes, and the lowest may be a pickle's first byte. In
    a pickle these 8 bytes are always a larger number than the file's size: for a small number, the high bytes would be
    0, and pickle does not define an opcode 0.
    """
    is_safetensors = content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= len(content)
    return content.startswith(_PICKLES) and not is_safetensors


def _is_plain(content: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(content)) is not None)
    except (TypeError, ValueError):
        return False
