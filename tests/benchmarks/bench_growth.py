"""How cost grows with the work: everything once, twice, four and eight times as much, each beside the size before.

Twice as much is the same videos under two names: nothing changes but the amount. What grows with the work takes twice
as long, and what is there once whatever the amount makes it less. Seconds are the processor's: of all threads of this
process, and of it alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import itertools
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.board.board import load_board
from harness.board.entries import View
from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.datasets.synthetic import write_affwild2
from harness.files.one_file import write_one_file
from harness.files.score import score_submission
from harness.importing.take import take, to_record
from harness.records.run import RunRecord
from harness.runs.external import record_scored
from harness.settings import Settings, load_settings
from harness.store.rebuild import rebuild
from harness.store.store import Store
from harness.store.sync import record_due
from harness.tasks import AU, EXPR, VA
from solutions.cache.images import extract_features
from solutions.encoders.registry import make_encoder
from solutions.postprocess.plan import HALF_WIDTHS, UNIT_THRESHOLDS, Choose, Gla, PostProcess, Smoothing, Thresholds
from solutions.postprocess.scores import SplitScores
from solutions.tuning.choose import choose
from tests.benchmarks.drawn import drawn_labels, drawn_scores, videos_like
from tests.benchmarks.many_runs import Frames, make_records

TIMES = (1, 2, 4, 8)
RUNS = (250, 500, 1000, 2000)


@pytest.fixture
def grows(grows):
    """The same, by the processor's time."""
    return functools.partial(grows, clock=time.process_time)


def repeated(of_videos: Mapping[str, np.ndarray], times: int) -> dict[str, np.ndarray]:
    """The same videos so many times, under other names."""
    return {f"{k}-{name}": values for k in range(times) for name, values in of_videos.items()}


# ---- frames


def test_scoring(grows, tmp_path):
    labels = drawn_labels(videos_like(28, 128_000))
    decisions = {name: scores.argmax(1) for name, scores in drawn_scores(labels).items()}
    work = {}
    for times in TIMES:
        folder = tmp_path / str(times)
        (folder / "labels").mkdir(parents=True)
        for name, values in repeated(labels, times).items():
            (folder / "labels" / f"{name}.txt").write_text("\n".join([EXPR.header, *map(str, values), ""]))
        said = repeated(decisions, times)
        write_one_file(folder / "file.txt", EXPR, said, list(said))
        work[128_000 * times] = lambda at=folder: score_submission(at / "file.txt", at / "labels", task="EXPR")
    grows("scoring a file, with its interval", "frames", work)


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> list[Path]:
    """Drawn crops of two people."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, videos={"val": 2}, frames=150)
    return [path for video in open_dataset(root, EXPR).videos("val") for path in video.images.paths()]


def filmed(crops: list[Path], root: Path, videos: int) -> Dataset:
    """So many videos of 125 frames, out of links to the drawn crops."""
    for k in range(videos):
        (root / str(k)).mkdir(parents=True)
        for frame in range(125):
            os.link(crops[(k * 125 + frame) % len(crops)], root / str(k) / f"{frame + 1:05d}.jpg")
    return Dataset(root.name, root, EXPR, {"val": [Video(str(k), 125, None, root / str(k)) for k in range(videos)]})


def extract(data: Dataset, settings: Settings) -> None:
    """Anew, the crops listed anew."""
    shutil.rmtree(settings.cache, ignore_errors=True)
    videos = [dataclasses.replace(video) for video in data.videos("val")]
    data = dataclasses.replace(data, splits={"val": videos})
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        extract_features(make_encoder("tiny", settings), data, ["val"], settings)


def test_extraction(grows, crops, tmp_path):
    settings = dataclasses.replace(load_settings(), cache=tmp_path / "cache", workers=os.cpu_count() or 1)
    films = {times: filmed(crops, tmp_path / str(times), 6 * times) for times in TIMES}
    work = {750 * times: lambda data=data: extract(data, settings) for times, data in films.items()}
    grows("extraction, tiny", "frames", work)


TUNED = {
    "a smoothing window": (EXPR, PostProcess(smoothing=Smoothing(Choose(HALF_WIDTHS)))),
    "biases (GLA)": (EXPR, PostProcess(Gla())),
    "thresholds of 12 units": (AU, PostProcess(thresholds=Thresholds(Choose(UNIT_THRESHOLDS)))),
}


@pytest.mark.parametrize("what", TUNED)
def test_tuning(grows, what):
    task, plan = TUNED[what]
    rng, lengths = np.random.default_rng(0), videos_like(18, 70_000)
    labels = {name: np.maximum(own, 0) for name, own in drawn_labels(lengths).items()}
    scores = {name: own.astype(np.float32) for name, own in drawn_scores(labels).items()}
    if task is AU:
        labels = {name: (rng.random((n, 12)) < 0.2).astype(np.int64) for name, n in lengths.items()}
        scores = {name: (0.4 * own + 0.6 * rng.random(own.shape)).astype(np.float32) for name, own in labels.items()}
    work = {}
    for times in TIMES:
        own, said = repeated(labels, times), np.concatenate([*repeated(scores, times).values()])
        truth = np.concatenate([*own.values()])
        priors = truth.mean(0) if task is AU else np.bincount(truth, minlength=8) / len(truth)
        split = SplitScores(np.array([len(values) for values in own.values()]), [said[None]], [priors])
        work[len(truth)] = lambda split=split, truth=truth, names=[*own]: choose(task, plan, split, truth, names)
    grows(f"{what}, for 5 folds and for all", "frames", work, repeats=3)


# ---- runs


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[RunRecord]:
    """Runs on valence and arousal, 76 videos each: 250, and the same under other names."""
    made = list(make_records(RUNS[0], Frames.draw(), tmp_path_factory.mktemp("data")))
    return [
        dataclasses.replace(record, run_id=f"{record.run_id}-{k}", name=f"{record.name}-{k}")
        for k in range(RUNS[-1] // RUNS[0])
        for record in made
    ]


@pytest.fixture(scope="module")
def stores(records, tmp_path_factory) -> dict[int, Store]:
    """Stores of the first so many of them."""
    found = {}
    for n in RUNS:
        folder = tmp_path_factory.mktemp(f"store{n}")
        found[n] = Store(folder / "results.duckdb")
        found[n].record([(record, folder / record.run_id) for record in records[:n]])
    return found


def test_the_board(grows, stores):
    view = View(VA, "val", "Aff-Wild2")
    work = {n: lambda store=store: load_board(store, view) for n, store in stores.items()}
    grows("the board, read and ranked", "runs", work, repeats=7)


def test_recording_a_run_into_a_store(grows, stores, records, tmp_path):
    numbers = itertools.count()

    def one(store: Store) -> None:
        record = dataclasses.replace(records[0], run_id=f"one-more-{next(numbers)}")
        store.record([(record, tmp_path)])

    work = {n: lambda store=store: one(store) for n, store in stores.items()}
    grows("recording one run", "runs in the store", work, repeats=9)


def test_recording_runs(grows, records, tmp_path):
    def anew(n: int) -> None:
        store = Store(tmp_path / "results.duckdb")
        store.path.unlink(missing_ok=True)
        store.record([(record, tmp_path / record.run_id) for record in records[:n]])

    grows("recording runs at once", "runs", {n: lambda n=n: anew(n) for n in (50, 100, 200, 400)}, repeats=3)


def test_reindexing(grows, records, tmp_path):
    work, here = {}, {}
    for n in (50, 100, 200, 400):
        out = tmp_path / str(n)
        for record in records[:n]:
            folder = out / "VA" / record.run_id
            folder.mkdir(parents=True)
            record.write(folder)
        work[n] = lambda out=out: rebuild(Store(out / "results.duckdb"), out)
        theirs = shutil.copytree(out, tmp_path / f"theirs{n}")
        here[n] = lambda out=out, theirs=theirs: brought(theirs, out, "here")
    grows("abaw reindex", "runs", work, repeats=3)
    grows("abaw import of runs that are here already", "runs", here, repeats=3)


def test_importing(grows, tmp_path):
    labels = drawn_labels(dict.fromkeys("abcdef", 100))
    (tmp_path / "labels").mkdir()
    for name, values in labels.items():
        (tmp_path / "labels" / f"{name}.txt").write_text("\n".join([EXPR.header, *map(str, values), ""]))
    write_one_file(tmp_path / "file.txt", EXPR, {k: v.argmax(1) for k, v in drawn_scores(labels).items()}, list(labels))
    scored = score_submission(tmp_path / "file.txt", tmp_path / "labels", task="EXPR")
    sizes = (20, 40, 80, 160)
    for k in range(max(sizes)):
        for n in (n for n in sizes if k < n):
            settings = Settings(out=tmp_path / str(n), store=tmp_path / "results.duckdb")
            record_scored(scored, tmp_path / "file.txt", tmp_path / "labels", settings, name=f"run {k}", split="val")

    def anew(n: int) -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        brought(tmp_path / str(n), tmp_path / "out", "new")

    grows("abaw import of runs of 600 frames", "runs", {n: lambda n=n: anew(n) for n in sizes}, repeats=3)


def brought(theirs: Path, out: Path, state: str) -> None:
    outcomes = [*take([theirs], out)]
    assert {outcome.state for outcome in outcomes} == {state}
    store = Store(out / "results.duckdb")
    record_due(store, to_record(store, outcomes), lambda _: None)
