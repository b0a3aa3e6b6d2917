"""Features of words: from the organisers, a user's file or a recogniser, through the cache, to rows of a task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.datasets.dataset import Dataset, Video
from harness.datasets.transcript_store import TranscriptStore
from harness.datasets.transcripts import Transcript, TranscriptLine, read_transcript_table
from harness.errors import DataError, MissingDependencyError, SolutionError, UnknownNameError
from harness.settings import Settings
from harness.tasks import AH, EMI
from solutions.cache import features as features_module
from solutions.cache.features import FeatureSource
from solutions.cache.text import extract_text_features
from solutions.encoders.encoder import Part
from solutions.encoders.pooling import ReducedTextEncoder
from solutions.transcripts import command
from solutions.transcripts.recognisers import Moonshine, make_recogniser, recognise


class Letters:
    """A row per letter, and one before and behind: its number and the length of the text."""

    name = "letters"
    parts = (Part("embeddings", 2, np.dtype(np.float32)),)
    batch_size = 3

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def encode(self, texts) -> list[np.ndarray]:
        self.given.append(list(texts))
        return [
            np.array([[0, len(text)], *([ord(letter), len(text)] for letter in text), [1, len(text)]], np.float32)
            for text in texts
        ]


WORDS = {"00000": "yes", "00001": " I am, perhaps.", "00002": "", "00003": "no", "p/Visite 1/a b.mp4": "é"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


def data(tmp_path: Path, words: dict[str, str] | None = None, *, task=EMI) -> Dataset:
    (tmp_path / "data").mkdir(exist_ok=True)
    rows = 1 if task.level == "video" else None
    videos = [
        Video(name, 12, rows=rows, transcript=None if words is None else Transcript(words[name], source="words.yml"))
        for name in WORDS
    ]
    return Dataset("small", tmp_path / "data", task, {"train": videos})


# --- cache ---


def test_texts_are_encoded_once_in_batches(tmp_path: Path, settings: Settings) -> None:
    encoder, small = Letters(), data(tmp_path, WORDS)
    cache, items, report = extract_text_features(encoder, small, ["train"], settings)
    assert [len(batch) for batch in encoder.given] == [3, 2]
    assert (report.videos, report.frames, report.reused) == (5, sum(len(w) + 2 for w in WORDS.values()), 0)
    for name, text in WORDS.items():
        stored = cache.get(items[name])
        assert stored.frames.tolist() == list(range(1, len(text) + 3))
        np.testing.assert_array_equal(stored.values, Letters().encode([text])[0])
    again = Letters()
    assert extract_text_features(again, small, ["train"], settings)[2].reused == report.frames
    assert again.given == []


def test_changed_words_are_encoded_again_and_no_others(tmp_path: Path, settings: Settings) -> None:
    extract_text_features(Letters(), data(tmp_path, WORDS), ["train"], settings)
    encoder = Letters()
    extract_text_features(encoder, data(tmp_path, {**WORDS, "00003": "NO"}), ["train"], settings)
    assert encoder.given == [["NO"]]


def test_another_transcriber_is_another_source(tmp_path: Path, settings: Settings) -> None:
    small = data(tmp_path, WORDS)
    extract_text_features(Letters(), small, ["train"], settings)
    videos = [replace(v, transcript=Transcript(v.transcript.text, source="whisper 1")) for v in small.videos("train")]
    encoder = Letters()
    extract_text_features(encoder, replace(small, splits={"train": videos}), ["train"], settings)
    assert sum(map(len, encoder.given)) == 5


def test_stat_of_words_is_one_row(tmp_path: Path, settings: Settings) -> None:
    cache, items, _ = extract_text_features(ReducedTextEncoder(Letters()), data(tmp_path, WORDS), ["train"], settings)
    rows = Letters().encode(["yes"])[0].astype(np.float64)
    expected = np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)])
    np.testing.assert_allclose(cache.get(items["00000"]).values, expected[None], atol=1e-5)


def test_videos_without_words_are_one_error(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(
        DataError, match=r"00000: 5 of 5 videos have no transcript\. .*--transcripts FILE\.csv.*abaw tran"
    ):
        extract_text_features(Letters(), data(tmp_path), ["train"], settings)


def test_rows_of_another_width_are_refused(tmp_path: Path, settings: Settings) -> None:
    encoder = Letters()
    encoder.encode = lambda texts: [np.ones((1, 3), np.float32) for _ in texts]
    with pytest.raises(SolutionError, match="expected rows of 2 columns"):
        extract_text_features(encoder, data(tmp_path, WORDS), ["train"], settings)


@pytest.mark.parametrize("task", [EMI, AH])
def test_words_become_rows_of_the_task(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, task
) -> None:
    monkeypatch.setattr(features_module, "is_text", lambda name: name == "letters")
    monkeypatch.setattr(features_module, "make_text_encoder", lambda name, settings: Letters())
    small = data(tmp_path, WORDS, task=task)
    found = FeatureSource(settings).features("letters", small, "train")
    rows = found.of(small.videos("train")[1])
    n = len(WORDS["00001"]) + 2 if task is EMI else 12
    assert rows.frames.tolist() == list(range(1, n + 1))
    assert rows.values[0].tolist() == [0, 15]
    assert found.notes == (
        "letters: words from words.yml",
        "letters: 1 video has empty words, encoded as such: 00002",
    )


# --- transcripts ---


def test_kept_words_come_back_with_lines_and_source(tmp_path: Path, settings: Settings) -> None:
    small = data(tmp_path)
    store = TranscriptStore(settings.cache, small)
    words = Transcript("à bientôt", (TranscriptLine("à bientôt", 0.5, 1.25),), "moonshine 1")
    for video in small.videos("train"):
        assert store.of(video) is None
        store.keep(video, words)
        assert TranscriptStore(settings.cache, small).of(video) == words


def test_organisers_words_come_first(tmp_path: Path, settings: Settings) -> None:
    small = data(tmp_path, WORDS)
    store = TranscriptStore(settings.cache, small)
    store.keep(small.videos("train")[0], Transcript("other"))
    assert store.of(small.videos("train")[0]).text == "yes"


@pytest.mark.parametrize("content", ["", "[]", '{"text": 3, "lines": [], "source": ""}', '{"text": "x"}'])
def test_damaged_kept_words_are_named(tmp_path: Path, settings: Settings, content: str) -> None:
    small = data(tmp_path)
    store = TranscriptStore(settings.cache, small)
    store.folder.mkdir(parents=True)
    (store.folder / "00000.json").write_text(content)
    with pytest.raises(DataError, match=r"00000\.json: not readable as a transcript"):
        store.of(small.videos("train")[0])


def test_table_of_words_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text('\ufeffname,language,text\n00000,en," one, ""two""\nthree"\np/Visite 1/a b.mp4,fr,\n', "utf-8")
    texts = {name: words.text for name, words in read_transcript_table(path).items()}
    assert texts == {"00000": ' one, "two"\nthree', "p/Visite 1/a b.mp4": ""}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", r"words\.csv:1:1: not a table of transcripts"),
        ("Video,text\n0,x\n", r"not a table of transcripts; found 'Video,text'"),
        ("Filename,name,text\n0,0,x\n", r"not a table of transcripts; found 'Filename,name,text'"),
        (
            "name,text\n0,one, two\n",
            r"words\.csv:2: a row does not have the header's fields; found 3 fields, expected 2",
        ),
        ("name,text\n0\n", r"words\.csv:2: a row does not have the header's fields; found 1 field"),
        ("name,text\n,x\n", r"words\.csv:2: this can't be the name of a video"),
        ("name,text\n0,x\n0,y\n", r"words\.csv:3: a video has two transcripts; found 0"),
        ('name,text\n0,"x\n', "not a table of transcripts"),
    ],
)
def test_bad_table_of_words_is_refused(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "words.csv").write_text(content)
    with pytest.raises(DataError, match=what):
        read_transcript_table(tmp_path / "words.csv")


def test_table_of_words_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_bytes("name,text\n0,é\n".encode("latin-1"))
    with pytest.raises(DataError, match="can't read the transcripts"):
        read_transcript_table(tmp_path / "words.csv")


# --- abaw transcribe ---


@pytest.fixture
def run(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def run(small: Dataset, *words: str):
        monkeypatch.setattr("harness.datasets.open.open_dataset", lambda *args, **kwargs: small)
        options = ["--task", "VA", "--data", str(small.root), "--cache", str(settings.cache)]
        return CliRunner().invoke(command.transcribe, [*options, *words])

    return run


def test_words_of_a_file_are_kept_and_used(run, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "words.csv"
    path.write_text("name,text\n" + "".join(f'{name},"{text}"\n' for name, text in WORDS.items()) + "9,x\n", "utf-8")
    small = data(tmp_path)
    result = run(small, "--transcripts", str(path))
    assert result.exit_code == 0, result.output
    assert "5 videos got their words from words.csv, 1 of them empty" in result.output
    assert "1 row is of no video and was left out: 9" in result.output
    encoder = Letters()
    extract_text_features(encoder, small, ["train"], settings)
    assert sorted(text for batch in encoder.given for text in batch) == sorted(WORDS.values())
    assert "5 videos have words already" in run(small, "--transcripts", str(path)).output


def test_videos_that_a_file_lacks_are_named(run, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("name,text\n00001,x\n")
    result = run(data(tmp_path), "--transcripts", str(tmp_path / "words.csv"))
    assert result.exit_code == 1
    assert "4 videos are not in the file; found 00000, 00002, 00003" in result.output
    (tmp_path / "words.csv").write_text("name,text\n1 .mp4,x\n")
    result = run(data(tmp_path), "--transcripts", str(tmp_path / "words.csv"), "--again")
    assert isinstance(result.exception, DataError)
    assert "no row is of a video without words; found 1 .mp4, expected names such as 00000" in str(result.exception)


def test_numbers_of_a_table_get_their_zeros_with_a_note(run, tmp_path: Path) -> None:
    rows = "".join(f"{name.lstrip('0') or '0'},x\n" for name in WORDS)
    (tmp_path / "words.csv").write_text(f"name,text\n{rows}")
    small = data(tmp_path)
    result = run(small, "--transcripts", str(tmp_path / "words.csv"))
    assert result.exit_code == 0, result.output
    assert "note: " in result.output
    assert "4 names lack leading zeros, such as 0, taken for 00000" in result.output
    (tmp_path / "words.csv").write_text("name,text\n1,x\n00001,y\n")
    result = run(small, "--transcripts", str(tmp_path / "words.csv"), "--again")
    assert "a video has two transcripts; found 1 and 00001" in str(result.exception)


def test_organisers_words_stay(run, tmp_path: Path) -> None:
    result = run(data(tmp_path, WORDS), "--again")
    assert result.output == "5 videos have transcripts in the data set, which stay\n"


def test_missing_recogniser_is_said(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "moonshine_voice", None)
    result = run(data(tmp_path))
    assert isinstance(result.exception, MissingDependencyError)
    assert "[asr]" in str(result.exception)
    assert "abaw transcribe --transcripts FILE.csv" in str(result.exception)


@pytest.mark.parametrize("name", ["nobody", "whisper", "whisper:"])
def test_unknown_recogniser_is_named(settings: Settings, name: str) -> None:
    with pytest.raises(UnknownNameError, match="moonshine"):
        make_recogniser(name, settings)


def test_error_of_a_recogniser_names_the_file(tmp_path: Path) -> None:
    class Broken:
        name = "broken 1"

        def transcribe(self, audio: Path) -> Transcript:
            raise RuntimeError("no memory")

    with pytest.raises(DataError, match=r"a\.wav: broken 1 can't transcribe this; found RuntimeError: no memory"):
        recognise(Broken(), tmp_path / "a.wav")


@pytest.mark.slow
def test_moonshine_writes_down_timed_lines(run, tmp_path: Path, settings: Settings) -> None:
    moonshine = pytest.importorskip("moonshine_voice", reason="the extra 'asr' is not installed")
    audio = Path(moonshine.__file__).parent / "assets" / "beckett.wav"
    words = Moonshine().transcribe(audio)
    assert words.source == "moonshine-voice 0.0.73 tiny-en"
    assert "ever tried. ever failed." in words.text.lower()
    assert [line.start for line in words.lines] == sorted(line.start for line in words.lines)
    assert 0 <= words.lines[0].start < words.lines[-1].end <= 10
    small = data(tmp_path)
    videos = [replace(small.videos("train")[0], audio=audio), replace(small.videos("train")[1], audio=None)]
    result = run(replace(small, splits={"train": videos}))
    assert result.exit_code == 1
    assert "1 of 2 videos got no words; the others' are kept" in result.output
    kept = json.loads(next(settings.cache.glob("transcripts/*/00000.json")).read_text())
    assert kept["source"] == "moonshine-voice 0.0.73 tiny-en"
