"""The run of a solution: fit, predict, write, validate, score, record, in one folder that appears when it is complete.

A run is made and recorded in two steps: any process or worker can make the run's folder, but only the process of the
user's command writes the store.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.datasets.dataset import Dataset, persons_of
from harness.datasets.images.positions import doubts_of_positions
from harness.datasets.transcript_store import TranscriptStore, WordsUsed
from harness.errors import AbawError, SolutionError, UsageError
from harness.files.checking.submission import validate
from harness.files.one_file import FILE_NAME, validate_one_file, write_one_file
from harness.files.template import Template
from harness.files.video_files import FOLDER_NAME, write_videos
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.metrics.steps import count_steps
from harness.plugins.interface import Predictions, ReadingWords, Solution, SolutionEntry
from harness.records.document import now
from harness.records.failure import Failure, failure_file, failure_id
from harness.records.marks import keep_marks, read_marks
from harness.records.options import RANDOM_WEIGHTS
from harness.records.run import (
    HEADLINE,
    IMAGES,
    LEARNED_FROM,
    ON_BOTH,
    RUN_FILE,
    TRAIN,
    TRANSCRIPTS,
    TUNED_ON_ALL,
    WORDS_FROM,
    RunRecord,
    constant_rows,
    recorded_file,
    score_rows,
    statistics_of,
)
from harness.records.scores import SCORES_FILE, write_scores
from harness.records.steps import STEPS_FILE, write_traces
from harness.runs.finished import MODEL_FOLDER, Finished, slug
from harness.runs.official import OfficialRows, official_rows
from harness.settings import Settings
from harness.store.store import Store
from harness.system.atomic import atomic_folder, sweep_partials
from harness.system.device import resolve_device
from harness.system.progress import begin_step
from harness.system.provenance import digest_of, provenance, sha256_of, source_digest

LEARNING = ("train", "val")
"""Splits whose labels a solution may train on or choose constants on."""
UNTRAINED = (
    f"random weights were asked for ({RANDOM_WEIGHTS}): networks of timm and of clips were not pretrained, and the "
    "score says nothing of the solution"
)
"""Note of a run with random weights."""


def run_solution(
    entry: SolutionEntry,
    data: Dataset,
    split: str,
    settings: Settings,
    *,
    seed: int = 0,
    fresh: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Finished:
    """Run a solution on a split and record the result.

    The run's id is derived from all settings that decide its result (solution, seed, data, code): the same command
    returns the existing run. A failed run leaves a note, see :mod:`harness.records.failure`.

    Args:
        entry: the solution.
        data: the data set.
        split: split that is predicted.
        settings: places of the results, and the way of working.
        seed: seed of the training.
        fresh: make the run again even if it exists.
        options: options of the command line, for the record.

    Raises:
        UsageError: the device is missing.
        DataError: a file of the data set is missing or wrong; only complete features remain on disk.
        SolutionError: the solution broke its contract.
        StoreBusyError: the run is complete on disk, but the store could not be written: ``abaw sync`` records it.
        StoreError: the place of the store holds something else, or its server refuses the token; the run was not begun.
    """
    Store(settings.store).ready()
    finished = run_unrecorded(entry, data, split, settings, seed=seed, fresh=fresh, options=options)
    record_run(finished, settings)
    return finished


def run_unrecorded(
    entry: SolutionEntry,
    data: Dataset,
    split: str,
    settings: Settings,
    *,
    seed: int,
    fresh: bool,
    options: Mapping[str, Any] | None,
) -> Finished:
    """Run a solution without recording it; call :func:`record_run` afterwards. See :func:`run_solution`."""
    try:
        return make_run(
            entry, data, split, replace(settings, reuse_heads=not fresh), seed=seed, fresh=fresh, options=options
        )
    except Exception as error:
        note_failure(error, entry, data, split, settings, seed)
        raise


def record_run(finished: Finished, settings: Settings) -> None:
    """Write a run into the store, and remove the note of an earlier failure."""
    record = finished.record
    Store(settings.store).record([(record, finished.folder)])
    failed = failure_id(record.task, record.split, record.name, record.seed, record.data["name"])
    with contextlib.suppress(OSError):
        failure_file(settings.out, record.task, failed).unlink(missing_ok=True)


def note_failure(
    error: Exception, entry: SolutionEntry, data: Dataset, split: str, settings: Settings, seed: int
) -> None:
    """Write a note of an error for the board, except for a wrong command line."""
    if isinstance(error, UsageError):
        return
    failure = Failure.of(error, task=entry.task.name, split=split, name=entry.name, seed=seed, data_name=data.name)
    with contextlib.suppress(AbawError, OSError):  # what went wrong first is what the user must read
        path = failure.write(settings.out)
        Store(settings.store).record([], failures=[(failure, path)])


def make_run(
    entry: SolutionEntry,
    data: Dataset,
    split: str,
    settings: Settings,
    *,
    seed: int = 0,
    fresh: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Finished:
    """Make a run, or find it: its folder is complete on disk, the store is left alone. See :func:`run_solution`."""
    start = time.monotonic()
    data.videos(split)  # a missing split is found before anything is computed
    settings = replace(settings, device=resolve_device(settings.device))
    solution = entry.create(settings)
    words = _words(solution, data, split, settings)
    folder = _folder(solution, entry, data, split, seed, settings, words)
    if not fresh and (finished := _found(folder)):
        return finished
    if folder.is_dir():  # an earlier run's marks are kept: damaged ones are named before anything is computed
        read_marks(folder)
    begin_step()
    solution.fit(data, seed=seed)
    fitted = time.monotonic()
    begin_step("predict")
    predictions = solution.predict(data, split)
    predictions.check({video.name: video.n_rows for video in data.videos(split)})
    predicted = time.monotonic()
    begin_step("write")
    sweep_partials(folder.parent)
    with atomic_folder(folder, replace=True) as temporary:
        rows = official_rows(predictions)
        files = _write_files(temporary, data, split, predictions, rows, solution)
        cards = _score(data, split, rows)
        groups = dict(cards[HEADLINE].groups) if cards else {}
        persons = {"persons": len(set(groups.values()))} if groups else {}
        encoded = [report for report in predictions.extraction if report.frames]
        frames, seconds = sum(report.frames for report in encoded), sum(report.seconds for report in encoded)
        record = RunRecord(
            run_id=folder.name,
            created=now(),
            task=entry.task.name,
            split=split,
            name=entry.name,
            seed=seed,
            encoder=entry.encoder,
            head=entry.head,
            postprocess=entry.postprocess,
            trained_on=trained_on_for(entry, split),
            tuned_on=str(predictions.choices.get("tuned_on", "")),
            recipe=solution.describe(),
            options=dict(options or {}),
            choices=predictions.choices,
            data=_describe_data(data, split) | _identity_of_inputs(data, split) | _words_read(words) | persons,
            scores=[row for name, card in cards.items() for row in score_rows(card, name)]
            + (constant_rows(cards[HEADLINE]) if cards else []),
            constant=_constant_text(cards),
            statistics={name: statistics_of(card) for name, card in cards.items()},
            groups=groups,
            steps=_steps(data, split, predictions),
            files=files,
            provenance=provenance(settings.device, settings.workers, settings.backend, settings.precision)
            | {"source": _source(solution), "weights": settings.weights},
            timings={
                "fit": round(fitted - start, 3),
                "predict": round(predicted - fitted, 3),
                "total": round(time.monotonic() - start, 3),
                "frames_encoded": frames,
                "frames_reused": sum(report.reused for report in predictions.extraction),
                "frames_per_second": round(frames / seconds, 1) if frames and seconds else None,
            },
            notes=[
                *data.notes,
                *_doubts(data, split),
                *predictions.notes,
                *rows.notes,
                *([UNTRAINED] if settings.weights == "random" else []),
            ],
        )
        keep_marks(folder, temporary)  # of the earlier run in this place
        record.write(temporary)
    return Finished(record, folder, reused=False)


def _doubts(data: Dataset, split: str) -> list[str]:
    """Return notes on numbers of images, and of annotations, that don't fit in most of the used videos."""
    videos = [video for used in _used(split) for video in data.splits.get(used, ())]
    return doubts_of_positions(list({video.name: video for video in videos}.values()))


def find_run(
    solution: Solution, entry: SolutionEntry, data: Dataset, split: str, settings: Settings, *, seed: int
) -> Finished | None:
    """Return the existing run that :func:`make_run` would reuse; ``None`` without one.

    Args:
        solution: solution that the entry creates with these settings.
        entry: the solution's entry.
        data: the data set.
        split: split that is predicted.
        settings: settings of the run.
        seed: seed of the training.
    """
    settings = replace(settings, device=resolve_device(settings.device))
    words = _words(solution, data, split, settings)
    return _found(_folder(solution, entry, data, split, seed, settings, words))


def _folder(
    solution: Solution,
    entry: SolutionEntry,
    data: Dataset,
    split: str,
    seed: int,
    settings: Settings,
    words: WordsUsed | None,
) -> Path:
    """Return the folder of a run, existing or future."""
    identity = _identity(solution, data, split, seed, settings, words)
    both = "-trainval" if trained_on_for(entry, split) == ON_BOTH else ""
    return settings.out / entry.task.name / f"{slug(entry.name)}-{split}{both}-s{seed}-{identity[:8]}"


def trained_on_for(entry: SolutionEntry, split: str) -> str:
    """Return the splits that the heads which predict a split are trained on; only those for test may have seen val."""
    return entry.trained_on if split == "test" else TRAIN


def _found(folder: Path) -> Finished | None:
    if not (folder / RUN_FILE).is_file():
        return None
    finished = Finished(RunRecord.read(folder), folder, reused=True)
    _check_files(finished)
    return finished


def _words(solution: Solution, data: Dataset, split: str, settings: Settings) -> WordsUsed | None:
    """Return the words that a run reads; ``None`` for a solution that reads none."""
    if not isinstance(solution, ReadingWords) or not solution.reads_words():
        return None
    videos = [video for used in _used(split) for video in data.splits.get(used, ())]
    return TranscriptStore(settings.cache, data).words_used(videos)


def _words_read(words: WordsUsed | None) -> dict[str, str]:
    return {} if words is None else {TRANSCRIPTS: words.fingerprint, WORDS_FROM: words.sources}


def _identity(
    solution: Solution, data: Dataset, split: str, seed: int, settings: Settings, words: WordsUsed | None
) -> str:
    used, described = _used(split), solution.describe()
    if settings.stride > 1 and described.get("stride") != settings.stride:
        what, do = f"{solution.name} can't leave frames out", "Run it without --stride"
        raise UsageError(what, found=f"--stride {settings.stride}", expected="every frame", do=do)
    return digest_of(
        _words_read(words)
        | {
            "solution": described,
            "seed": seed,
            "split": split,
            "data": data.fingerprint(*used),
            "template": data.template.fingerprint() if data.template and split == "test" else "",
            "crops": data.images_fingerprint(*used),
            "source": _source(solution),
            "device": settings.device,
            "backend": settings.backend,
            "precision": settings.precision,
            "weights": settings.weights,
        }
    )


def _used(split: str) -> list[str]:
    """Return the splits that a run on this split reads."""
    return sorted({"train", "val", split})


def _source(solution: Solution) -> str:
    """Return the digest of the code that makes a run: the harness's, and that of the solution's package."""
    return source_digest("harness", type(solution).__module__.partition(".")[0])


def _identity_of_inputs(data: Dataset, split: str) -> dict[str, str]:
    """Return hashes of the labels that a run learns from, and of the images that it reads."""
    return {LEARNED_FROM: data.fingerprint(*LEARNING), IMAGES: data.images_fingerprint(*_used(split))}


def _check_files(finished: Finished) -> None:
    for name, digest in finished.record.files.items():
        path = recorded_file(finished.folder, name)
        if not path.is_file() or sha256_of(path) != digest:
            raise SolutionError(
                "this file is not what the run wrote",
                where=path,
                found="a changed file" if path.is_file() else "nothing",
                do="Give --fresh to make the run again",
            )


def _write_files(
    folder: Path, data: Dataset, split: str, predictions: Predictions, rows: OfficialRows, solution: Solution
) -> dict[str, str]:
    template = data.template if split == "test" else None
    official = _write_official(folder, data, split, rows, template)
    write_scores(folder / SCORES_FILE, {name: video.scores for name, video in predictions})
    (folder / MODEL_FOLDER).mkdir()
    solution.save(folder / MODEL_FOLDER)
    paths = [*official, folder / SCORES_FILE]
    if predictions.steps and data.task.kind == "classes":
        traces = {name: video.trace for name, video in predictions if video.trace is not None}
        write_traces(folder / STEPS_FILE, traces)
        paths.append(folder / STEPS_FILE)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def _steps(data: Dataset, split: str, predictions: Predictions) -> list[dict[str, Any]] | None:
    """Return the effect of each step of post-processing; ``None`` for a solution that reports no steps."""
    if not predictions.steps:
        return None if predictions.steps is None else []
    labels = {video.name: video.labels for video in data.videos(split) if video.labels is not None}
    traces = {name: video.trace for name, video in predictions if video.trace is not None}
    return [count.plain() for count in count_steps(data.task, predictions.steps, traces, labels)]


def _write_official(
    folder: Path, data: Dataset, split: str, rows: OfficialRows, template: Template | None
) -> list[Path]:
    """Write and check the official file, or the files of all videos, and return their paths.

    Without a template, rows are those of the split's videos, in its order.
    """
    format, decisions, order = rows.format, rows.decisions, [video.name for video in data.videos(split)]
    if format.per_video:
        in_order = {name: decisions[name] for name in order}
        paths = write_videos(folder / FOLDER_NAME, format, in_order, template=template)
        template_path = None if template is None else Path(template.where)
        report = validate(folder / FOLDER_NAME, task=data.task.name, template=template_path)
    else:
        paths = [folder / FILE_NAME]
        write_one_file(paths[0], format, decisions, template or order)
        report = validate_one_file(paths[0], format, template)
    if not report.valid:
        raise SolutionError("what was written is not valid:\n" + "\n".join(map(str, report.errors)))
    return paths


def _score(data: Dataset, split: str, rows: OfficialRows) -> dict[str, ScoreCard]:
    """Return score cards by estimate; empty for a split without labels."""
    labels = {video.name: video.labels for video in data.videos(split) if video.labels is not None}
    if not labels:
        return {}
    metric, cards = metric_for(data.task), {}
    persons = persons_of(data.videos(split))
    estimates = {HEADLINE: rows.decisions}
    if rows.tuned_on_all is not None:
        estimates[TUNED_ON_ALL] = rows.tuned_on_all
    for name, decisions in estimates.items():
        statistics = video_statistics(data.task, metric, labels, decisions)
        cards[name] = score_card(data.task, tuple(labels), statistics, persons)
    return cards


def _constant_text(cards: Mapping[str, ScoreCard]) -> str:
    return f"always {cards[HEADLINE].constant[0]}" if cards else ""


def _describe_data(data: Dataset, split: str) -> dict[str, Any]:
    videos = data.videos(split)
    return {
        "name": data.name,
        "root": str(data.root),
        "fingerprint": data.fingerprint(split),
        "videos": len(videos),
        "frames": sum(video.n_frames for video in videos),
        f"frames_without_{data.task.noun}": sum(
            video.n_frames - int((video.images.frames <= video.n_frames).sum()) for video in videos
        ),
    }
