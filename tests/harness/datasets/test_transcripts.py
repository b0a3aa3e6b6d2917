"""Transcripts: one tag is read, times go on where they restart, words stay as they are written."""

from __future__ import annotations

import pytest
import yaml

from harness.datasets.transcripts import read_transcript, read_transcript_table
from harness.errors import DataError
from harness.system import safe_yaml
from tests.support.speech_trees import write_lines


def dumped(path, chunks, text):
    """Write a transcript by PyYAML's own dumper, which gives tuples their tag."""
    path.write_text(yaml.dump({"chunks": chunks, "text": text}, allow_unicode=True), encoding="utf-8")
    return path


def chunk(text, *times):
    return {"language": "french", "text": text, "timestamp": times}


def test_times_are_tuples_of_the_organisers_tag(tmp_path):
    path = dumped(
        tmp_path / "a.yml", [chunk(" J'hésite.", 0.0, 2.5), chunk(" Oui, non.", 2.5, 4)], " J'hésite. Oui, non."
    )
    assert "!!python/tuple" in path.read_text(encoding="utf-8")
    transcript = read_transcript(path)
    assert transcript.text == " J'hésite. Oui, non."
    assert [(line.text, line.start, line.end) for line in transcript.lines] == [
        (" J'hésite.", 0.0, 2.5),
        (" Oui, non.", 2.5, 4.0),
    ]
    assert transcript.source == "a.yml"


def test_times_that_restart_go_on_from_the_end_before(tmp_path):
    """By hand: 0-28, 28-29.5 | 0-4 is 29.5-33.5, 4-null is 33.5- | 1-2 comes 4 later, at the start without an end."""
    chunks = [chunk("a", 0, 28), chunk("b", 28, 29.5), chunk("c", 0, 4), chunk("d", 4, None), chunk("e", 1, 2)]
    lines = read_transcript(dumped(tmp_path / "a.yml", chunks, "abcde")).lines
    assert [line.start for line in lines] == [0, 28, 29.5, 33.5, 34.5]
    assert [line.end for line in lines] == [28, 29.5, 33.5, None, 35.5]


def test_an_empty_transcript_is_one(tmp_path):
    assert read_transcript(dumped(tmp_path / "a.yml", [], "")).is_empty
    assert read_transcript(write_lines(tmp_path / "b.yml", ["chunks: []", "text:"])).is_empty
    (tmp_path / "c.yml").write_bytes(b"")
    assert read_transcript(tmp_path / "c.yml").is_empty


@pytest.mark.parametrize("text", ["No", "12", "yes", "1.5", "2023-05-02"])
def test_words_that_yaml_would_convert_stay_words(tmp_path, text):
    assert read_transcript(write_lines(tmp_path / "a.yml", [f"text: {text}"])).text == text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["text: !!python/object/apply:os.system ['true']"], r"a\.yml:1:7: .*found !!python/object/apply:os\.system"),
        (["text: a", "chunks: !!python/name:os.system ''"], r"a\.yml:2:9: .*found !!python/name:os\.system"),
        (["text: a", "other: !!python/object/new:os.system [x]"], r"a\.yml:2:8: .*!!python/object/new"),
        (["text: !mine a"], r"a\.yml:1:7: .*found !mine, expected plain values, and !!python/tuple"),
        (["text: 'a"], r"a\.yml:2:1: this transcript can't be read as YAML"),
        (["text: a", "chunks:", "- timestamp: [0]"], r"a\.yml:3:14: a timestamp is not a pair of seconds"),
        (["text: a", "chunks:", "- timestamp: [x, y]"], r"a timestamp is not a pair of seconds; found \['x', 'y'\]"),
        (["text: a", "chunks:", "- 5"], r"a\.yml:3:3: not a transcript of BAH"),
        (["chunks: []"], r"a\.yml: the transcript has no text"),
        (["text: [a]"], r"a\.yml:1:7: the transcript's field text is not a string"),
        (["- a"], r"a\.yml:1:1: not a transcript of BAH"),
        (["text: " + "[" * 5000], "can't be read as YAML|nested too deeply"),
    ],
)
def test_a_transcript_of_another_kind_is_one_error(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_transcript(write_lines(tmp_path / "a.yml", lines))


def test_another_tag_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    path = write_lines(tmp_path / "a.yml", [f"text: !!python/object/apply:os.mkdir [{mark}]"])
    with pytest.raises(DataError):
        read_transcript(path)
    assert not mark.exists()


def test_aliases_cost_nothing(tmp_path):
    """A file of a few lines that would be a billion values if aliases were copied."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 10)]
    assert read_transcript(write_lines(tmp_path / "a.yml", [*lines, "text: hm"])).text == "hm"


def test_a_huge_transcript_is_refused_by_its_size(tmp_path):
    with (tmp_path / "a.yml").open("wb") as file:
        file.truncate(1 << 25)
    with pytest.raises(DataError, match=r"can't read the transcript; found more than 16,777,216 bytes"):
        read_transcript(tmp_path / "a.yml")


def test_bytes_that_are_no_text_are_an_error(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"text: \xff\xfe\n")
    with pytest.raises(DataError, match=r"a\.yml.*can't be read as YAML"):
        read_transcript(tmp_path / "a.yml")


def test_one_tag_alone_was_added_to_the_safe_loader():
    assert issubclass(safe_yaml.TupleLoader, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    added = set(safe_yaml.TupleLoader.yaml_constructors) - set(yaml.SafeLoader.yaml_constructors)
    assert added == {safe_yaml.TUPLE_TAG}
    assert not safe_yaml.TupleLoader.yaml_multi_constructors


def test_a_table_of_transcripts_keeps_commas_and_lines(tmp_path):
    path = write_lines(tmp_path / "t.csv", ["Filename,text", '00001,"Well, ""yes""', 'and no"', "00002,"])
    table = read_transcript_table(path)
    assert table["00001"].text == 'Well, "yes"\nand no'
    assert table["00002"].is_empty
    assert table["00001"].source == "t.csv"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["name,words"], r"t\.csv:1:1: not a table of transcripts; found 'name,words', expected 'Filename,text'"),
        (["Filename,text", "00001,Well, yes"], r"t\.csv:2: a row does not have the header's fields; found 3 fields"),
        (["Filename,text", "1,a", "1,b"], r"t\.csv:3: a video has two transcripts; found 1"),
        (["Filename,text", "../1,a"], r"t\.csv:2: this can't be the name of a video"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_error(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_transcript_table(write_lines(tmp_path / "t.csv", lines))
