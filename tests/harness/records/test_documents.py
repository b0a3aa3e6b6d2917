"""Documents: files of earlier versions load and are written alike, and what is wrong is said with its place."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from harness.datasets.video_files.counts import FilmCount, count_film
from harness.errors import DataError
from harness.records.curves import CURVES, read_sweep, write_sweep
from harness.records.document import Document, json_text, load_json
from harness.records.failure import FAILURE, Failure, failure_file
from harness.records.origin import ORIGIN, read_origin
from harness.records.run import RUN, STATISTICS, RunRecord
from harness.settings import Settings
from harness.slots import LEDGER, Ledger
from harness.store.rows import run_rows
from solutions.cache.video_store import MANIFEST
from solutions.weights.store import read_record
from tests.support.places import REPOSITORY

GOLDEN = Path(__file__).parents[1] / "golden/documents"
"""Each kind of document as the version before ``harness.records.document`` wrote it."""
SCHEMA = REPOSITORY / "docs/run.schema.json"
DOCUMENTS: dict[str, Document[Any]] = {
    "run.json": RUN, "statistics.json": STATISTICS, "failure.json": FAILURE, "imported.json": ORIGIN,
    "sweep.json": CURVES, "slots.json": LEDGER, "features.json": MANIFEST, "pictures.json": MANIFEST,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the documents."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "documents"))


@pytest.fixture
def written(tmp_path) -> Path:
    """An empty folder."""
    (tmp_path / "written").mkdir()
    return tmp_path / "written"


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def same(name: str, path: Path) -> bool:
    return path.read_bytes() == (GOLDEN / name).read_bytes()


def test_run_of_an_earlier_version_is_written_alike(written):
    record = RunRecord.read(GOLDEN)
    assert record.score()["value"] == 0.09423076923076923
    assert len(record.statistics["headline"]) == 2
    record.write(written)
    assert same("run.json", written / "run.json")
    assert same("statistics.json", written / "statistics.json")


def test_run_of_an_earlier_version_goes_into_the_store():
    assert run_rows(RunRecord.read(GOLDEN), GOLDEN)["runs"][0]["data_name"] == "data"


def test_run_of_the_first_version_loads(folder):
    """It had no notes, and said neither what it learned from nor which images there were."""
    content = golden("run.json")
    for place, names in ((content, ("notes", "constant", "status")), (content["data"], ("learned_from", "images"))):
        for name in names:
            del place[name]
    (folder / "run.json").write_text(json.dumps(content))
    assert RunRecord.read(folder).notes == ()


def test_record_of_persons_comes_back(written):
    """They are a member of their own, which a record of data without persons lacks."""
    content = golden("run.json")
    assert "groups" not in RunRecord.read(GOLDEN).plain()
    content |= {"groups": {"c": "anna"}, "data": content["data"] | {"persons": 1}}
    RunRecord.of(content, golden("statistics.json")).write(written)
    assert json.loads((written / "run.json").read_text()) == content
    assert RunRecord.read(written).unit == "person"


def test_failure_of_an_earlier_version_is_written_alike(written):
    failure = Failure.read(GOLDEN / "failure.json")
    assert (failure.kind, failure.seed) == ("ValueError", None)
    failure.write(written)
    assert same("failure.json", failure_file(written, "EXPR", failure.failure_id))


def test_origin_of_an_earlier_version_is_written_alike(written):
    origin = read_origin(GOLDEN)
    assert origin is not None
    assert origin.source == "anna’s runs.zip"
    origin.write(written)
    assert same("imported.json", written / "imported.json")


def test_curves_of_an_earlier_version_are_written_alike(written):
    points = read_sweep(GOLDEN)
    assert [point.low for point in points] == [0.3, None]
    write_sweep(written, points)
    assert same("sweep.json", written / "sweep.json")


def test_ledger_of_an_earlier_version_is_written_alike(folder):
    first, second = Ledger(folder).read()
    assert (first.score, second.score, second.problems[0]) == (0.396, None, "no template")
    LEDGER.write(folder / "slots.json", {"format": 1, "sent": [asdict(first), asdict(second)]})
    assert same("slots.json", folder / "slots.json")


def test_weights_of_an_earlier_version_load(tmp_path):
    place = tmp_path / "weights/enet_b0_8_best_vgaf.json"
    place.parent.mkdir()
    shutil.copy(GOLDEN / "weights.json", place)
    record = read_record("enet_b0_8_best_vgaf", Settings(cache=tmp_path))
    assert record is not None
    assert record.converted_size == 1111
    assert json_text(asdict(record), 2) + "\n" == (GOLDEN / "weights.json").read_text()


def test_film_count_of_an_earlier_version_loads():
    count = msgspec.convert(load_json(GOLDEN / "film.json"), FilmCount)
    assert count == count_film(GOLDEN.parent / "films/cut.mp4")


@pytest.mark.parametrize("name", ["features.json", "pictures.json"])
def test_manifest_of_an_earlier_version_is_written_alike(name, written):
    MANIFEST.write(written / name, MANIFEST.read(GOLDEN / name))
    assert same(name, written / name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_of_a_newer_version_gets_one_message(name, folder):
    (folder / name).write_text('{"format": 2, "what it holds": "nobody knows"}')
    with pytest.raises(DataError) as caught:
        DOCUMENTS[name].read(folder / name)
    what = "written by a newer version; found format 2, expected at most 1. Update abaw-harness."
    assert str(caught.value) == f"{folder / name}: {what}"


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "[" * 100_000, '{"a": ' * 100_000])
def test_document_nested_too_deeply_is_refused(name, text, folder):
    (folder / name).write_text(text)
    with pytest.raises(DataError, match="nested too deeply"):
        DOCUMENTS[name].read(folder / name)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"format": true}', '{"format": "1"}', "\ufeff{}"])
def test_document_without_content_is_refused(name, text, folder):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=DOCUMENTS[name].what):
        DOCUMENTS[name].read(folder / name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_that_is_missing_is_found_as_none(name, tmp_path):
    assert DOCUMENTS[name].find(tmp_path / name) is None
    (tmp_path / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(DataError, match="a link that leads to nothing"):
        DOCUMENTS[name].find(tmp_path / name)


def change(content: Any, place: list[str | int], value: object) -> None:
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("run.json", ["scores", 3, "value"], "0.4", "found `str` at $.scores[3].value, expected `float`"),
        ("run.json", ["scores", 0, "low"], float("nan"), "at $.scores[0].low, expected a finite number"),
        ("run.json", ["data", "videos"], -1, "at $.data.videos, expected `int` >= 0"),
        ("run.json", ["seed"], True, "found `bool` at $.seed, expected `int | null`"),
        ("run.json", ["groups"], {"c": ""}, "at $.groups[...], expected `str` of length >= 1"),
        ("run.json", ["data", "persons"], "2", "found `str` at $.data.persons, expected `int`"),
        ("run.json", ["provenance"], [], "found `array` at $.provenance, expected `object`"),
        ("statistics.json", ["headline", "c", 0], None, "found `null` at $[...][...][0], expected `float`"),
        ("failure.json", ["created"], 5, "found `int` at $.created, expected `str`"),
        ("imported.json", ["source"], None, "found `null` at $.source, expected `str`"),
        ("sweep.json", ["points", 1, "score"], "0.4", "found `str` at $.points[1].score, expected `float`"),
        ("sweep.json", ["points"], [{}], "missing required field `axis` at $.points[0]"),
        ("slots.json", ["sent", 1, "edition"], "10", "found `str` at $.sent[1].edition, expected `int`"),
        ("slots.json", ["sent", 0, "results"], [{"value": "0.4"}], "a result that is no number at $.sent[0]"),
        ("slots.json", ["sent", 1, "number"], 1, "the numbers [1, 1], which must be whole and differ"),
        ("features.json", ["frames", 2], 2.5, "found `float` at $.frames[2], expected `int`"),
        ("pictures.json", ["ends", 0], -3, "at $.ends[0], expected `int` >= 0"),
        ("features.json", ["parts", "embeddings", "bytes"], "8", "found `str` at $.parts[...].bytes, expected `int`"),
    ],
)
def test_value_of_another_kind_is_said_with_its_place(name, place, value, message, folder):
    content = golden(name)
    change(content, place, value)
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        DOCUMENTS[name].read(folder / name)
    assert str(caught.value).startswith(f"{folder / name}: {DOCUMENTS[name].what}; found ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "statistics.json"])
def test_members_of_a_later_version_are_passed_over(name, folder):
    content = golden(name)
    expected = DOCUMENTS[name].read(folder / name)
    later = content | {"mood": {"a": []}}
    (folder / name).write_text(json.dumps(later))
    assert DOCUMENTS[name].read(folder / name) == (later if DOCUMENTS[name].as_written else expected)


def test_choice_that_nobody_could_make_comes_back(written):
    record = RunRecord.read(GOLDEN)
    choices = {"threshold": float("nan"), "bias": [float("-inf")]}
    RunRecord.of(record.plain() | {"choices": choices}, record.statistics).write(written)
    text = (written / "run.json").read_text()
    assert '"threshold": NaN' in text
    again = RunRecord.read(written)
    assert str(again.choices) == str(choices)
    again.write(written)
    assert (written / "run.json").read_text() == text


def test_name_that_is_no_utf8_comes_back(folder):
    first, _ = Ledger(folder).read()
    LEDGER.write(folder / "slots.json", {"format": 1, "sent": [asdict(first) | {"file": "ü\udcff.txt"}]})
    assert Ledger(folder).read()[0].file == "ü\udcff.txt"


def test_schema_in_docs_is_what_the_code_gives():
    assert SCHEMA.read_text(encoding="utf-8") == json_text(RUN.schema(), 2) + "\n"


def test_schema_names_every_member_of_a_record():
    schema = RUN.schema()["$defs"]["RunDocument"]
    names = [part.name for part in fields(RunRecord) if part.name != "statistics"]
    assert [*schema["properties"]] == names == [*golden("run.json"), "groups", "steps"]
    assert set(schema["required"]) == {*names} - {"constant", "notes", "status", "format", "groups", "steps"}


def test_records_validate_by_the_schema(run_record):
    """By jsonschema, which Altair brings."""
    schema = jsonschema.Draft202012Validator(RUN.schema())
    for content in (golden("run.json"), run_record().plain(), run_record(seed=None, scores=[]).plain()):
        assert list(schema.iter_errors(json.loads(json.dumps(content)))) == []
    (wrong,) = schema.iter_errors({**golden("run.json"), "scores": [{**golden("run.json")["scores"][0], "value": "x"}]})
    assert wrong.json_path == "$.scores[0].value"
    assert not schema.is_valid({**golden("run.json"), "format": 2})
