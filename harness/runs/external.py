"""Runs of official files that other code made: each is recorded with its score, and listed beside our own runs."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.datasets.dataset import Dataset, Video
from harness.datasets.identity import MARKER, dataset_name
from harness.errors import UsageError
from harness.files.persons import persons_by_name
from harness.files.score import Scored
from harness.files.video_files import FOLDER_NAME
from harness.records.document import now
from harness.records.run import HEADLINE, RUN_FILE, UNKNOWN, RunRecord, constant_rows, score_rows, statistics_of
from harness.runs.file_facts import FileFacts, files_of, finding_facts
from harness.runs.finished import Finished, slug
from harness.settings import Settings
from harness.store.store import Store
from harness.system.atomic import atomic_folder, sweep_partials
from harness.system.provenance import digest_of
from harness.tasks import TASKS, Task

_SPLIT_FOLDERS = {
    "train_set": "train", "validation_set": "val", "training": "train", "validation": "val"
}  # fmt: skip
_LISTS = ("default-split", "split", "split-frames")
_SPLIT_FILES = {"train_split": "train", "valid_split": "val", "train": "train", "val": "val"}
"""Names of the tables of labels of EMI, and of the lists of splits of AH and AHV."""


def split_of(labels: Path) -> str:
    """Return the split of labels, by the name of their folder, of the folder above (DVD), or of their table.

    Returns:
        ``train`` or ``val``; ``test`` for other names.
    """
    folder = labels.resolve().parent if labels.name == "annotations" else labels
    split = _SPLIT_FOLDERS.get(folder.name.casefold())
    if split is None and labels.is_file():
        split = _SPLIT_FILES.get(labels.stem.casefold())
    return split or "test"


def record_scored(
    scored: Scored,
    path: Path,
    labels: Path,
    settings: Settings,
    *,
    name: str,
    split: str | None = None,
    note: str = "",
    facts: Callable[[], FileFacts] | None = None,
) -> Finished:
    """Copy an official file with its score into a run folder, and record the run in the store.

    Args:
        scored: score of the file.
        path: the file, or the folder or zip with one file per video.
        labels: labels that it was scored on.
        settings: places of run folders and store.
        name: name on the board.
        split: split of the labels; by default that of :func:`split_of`.
        note: the user's note on the file.
        facts: function that returns the facts about the file, from :func:`finding_facts`; by default they are collected
            now.

    Raises:
        UsageError: the task has no board, or the name is empty.
        StoreBusyError: the run is complete on disk, but the store could not be written: ``abaw sync`` records it.
    """
    start = time.monotonic()
    if scored.truth.task not in TASKS:
        raise UsageError(f"{scored.truth.task} has no board to record on", expected=" or ".join(TASKS))
    if not name.strip():
        raise UsageError("a run on the board needs a name", do="Give --name")
    task, split = TASKS[scored.truth.task], split or split_of(labels)
    persons = persons_by_name(task.name, scored.truth.labels)
    videos = tuple(
        Video(video, len(values), values, person=persons.get(video, ""))
        for video, values in scored.truth.labels.items()
    )
    root = _root(labels, task)
    data = Dataset(dataset_name(root, task, {split: videos, "val": videos}), root, task, {split: videos})
    fingerprint = data.fingerprint(split)
    with contextlib.ExitStack() as stack:
        known = (facts or stack.enter_context(finding_facts(path)))()
    identity = digest_of({"files": known.hashes, "data": fingerprint, "name": name, "split": split})
    run_id = f"{slug(name)}-{split}-{identity[:8]}"
    folder = settings.out / task.name / run_id
    card = scored.card
    if (folder / RUN_FILE).is_file():
        finished = Finished(RunRecord.read(folder), folder, reused=True)
        head = finished.record.score()
        if head and head["version"] == card.headline.version:  # else the recorded score is of another version
            Store(settings.store).record([(finished.record, folder)])
            return finished
    sweep_partials(folder.parent)
    with atomic_folder(folder, replace=True) as temporary, ThreadPoolExecutor(1) as pool:
        copying = pool.submit(_copy, path, temporary / FOLDER_NAME if path.is_dir() else temporary)
        record = RunRecord(
            run_id=run_id,
            created=now(),
            task=task.name,
            split=split,
            name=name,
            seed=None,
            encoder="",
            head="",
            postprocess="",
            trained_on=UNKNOWN,
            tuned_on=UNKNOWN,
            recipe={"file": str(path)},
            options={"note": note} if note else {},
            choices={},
            data={
                "name": data.name,
                "root": str(root),
                "labels": str(labels.resolve()),
                "fingerprint": fingerprint,
                "videos": len(videos),
                "frames": sum(video.n_frames for video in videos),
                f"frames_without_{task.noun}": None,
                **({"persons": len(set(card.groups.values()))} if card.groups else {}),
            },
            scores=[*score_rows(card, HEADLINE), *constant_rows(card)],
            constant=f"always {card.constant[0]}",
            statistics={HEADLINE: statistics_of(card)},
            groups=dict(card.groups),
            files=known.hashes,
            provenance=known.provenance,
            timings={"total": round(time.monotonic() - start, 3)},
            notes=list(scored.notes),
        )
        record.write(temporary)
        copying.result()
    Store(settings.store).record([(record, folder)])
    return Finished(record, folder, reused=False)


def _copy(path: Path, place: Path) -> None:
    place.mkdir(exist_ok=True)
    for file in files_of(path):
        shutil.copyfile(file, place / file.name)


def _root(labels: Path, task: Task) -> Path:
    """Return the data set's folder: the one with a marker, else the one above the annotations.

    Annotations lie two folders above a split's labels (``ROOT/6th_ABAW_Annotations/EXPR_Recognition_Challenge``) if the
    folder above is called as the task's; else that one is the data set (``relabelled/Validation_Set``). A table of
    labels lies in the data set's folder, or in one for the lists of splits (``ROOT/default-split/val.txt``).
    """
    folder = labels.resolve()
    if labels.is_file() and not task.annotation_folders:
        folder = folder.parent.parent if folder.parent.name.casefold() in _LISTS else folder.parent
        return next((place for place in [folder, *folder.parents[:4]] if (place / MARKER).is_file()), folder)
    above = folder.parents
    marked = next((place for place in [folder, *above[:4]] if (place / MARKER).is_file()), None)
    if marked or split_of(labels) == "test":
        return marked or folder
    challenges = {re.sub(r"[ _-]+", "_", name).casefold() for name in task.annotation_folders}
    depth = 1 if labels.name == "annotations" else 2
    if depth == 2 and re.sub(r"[ _-]+", "_", folder.parent.name).casefold() not in challenges:
        depth = 0
    return above[depth] if len(above) > depth else folder
