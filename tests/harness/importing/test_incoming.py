"""Runs that others made: the same bytes here, on the board, and nothing of them believed that can be checked."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.errors import StoreBusyError, StoreUnreachableError
from harness.files.one_file import FILE_NAME
from harness.importing.check import run_problems
from harness.importing.source import Bundle
from harness.importing.take import take
from harness.records.failure import Failure, failure_files
from harness.records.marks import Marks, read_marks
from harness.records.origin import ORIGIN_FILE, Origin
from harness.records.run import RUN_FILE, STATISTICS_FILE
from harness.records.scores import SCORES_FILE
from harness.store.store import Store
from harness.system.provenance import sha256_of
from harness.tasks import EXPR, VD
from tests.support.app_pages import open_page
from tests.support.data_trees import Tree
from tests.support.digests import digests
from tests.support.guessing_runs import guess
from tests.support.team_server import team_store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colleague's folder of runs: EXPR on val under two seeds and on test, and a run that failed. Read it only."""
    root = tmp_path_factory.mktemp("theirs")
    (root / "data").mkdir()
    tree, rng = Tree(root / "data"), np.random.default_rng(0)
    for split, names in {"train": "ab", "val": "cde"}.items():
        for name in names:
            tree.labels(split, name, rng.integers(-1, 8, 40))
            tree.crops(name, range(1, 41))
    tree.template({"t": 3, "s_right": 2})
    for seed in (0, 1):
        guess(root / "data", EXPR, root / "runs", seed=seed)
    guess(root / "data", EXPR, root / "runs", split="test")
    Failure.of(
        ValueError("no weights"), task="EXPR", split="val", name="expr/cnn", seed=0, data_name="Aff-Wild2"
    ).write(root / "runs")
    return root


@pytest.fixture
def theirs(made: Path, tmp_path: Path) -> Path:
    """A copy of its runs, as they would lie on a shared drive, with the rest of a folder of runs around them."""
    folder = Path(shutil.copytree(made / "runs", tmp_path / "theirs"))
    for note in failure_files(folder):
        note.unlink()
    return folder


@pytest.fixture
def note(made: Path, theirs: Path) -> Path:
    """The note of the run that failed, beside these runs."""
    (original,) = failure_files(made / "runs")
    copy = theirs / original.relative_to(made / "runs")
    copy.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(original, copy))


@pytest.fixture
def run(theirs: Path) -> Path:
    """The folder of one of the runs."""
    return next((theirs / "EXPR").glob("*-val-s0-*"))


def bring(*arguments: str | Path) -> Result:
    """``abaw import``, the project's errors raised."""
    result = CliRunner().invoke(cli, ["import", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def here() -> set[str]:
    """Ids of the runs that are here."""
    return {path.parent.name for path in Path("submissions").glob(f"*/*/{RUN_FILE}")}


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def zipped(folder: Path, path: Path) -> Path:
    """As ``zip -r`` in the folder above packs it."""
    shutil.make_archive(str(path.with_suffix("")), "zip", folder.parent, folder.name)
    return path


# ---- what is right


@pytest.mark.parametrize("way", ["folder", "zip", "task", "run by run", "zip of a run's files"])
def test_runs_arrive_as_they_are_however_they_are_handed_over(theirs, tmp_path, way):
    folders = sorted((theirs / "EXPR").glob("guesses-*"))
    packed = tmp_path / "anna.zip"
    if way == "zip of a run's files":
        for k, folder in enumerate(folders):
            shutil.make_archive(str(tmp_path / str(k)), "zip", folder)
    sources = {
        "folder": lambda: [theirs],
        "zip": lambda: [zipped(theirs, packed)],
        "task": lambda: [theirs / "EXPR"],
        "run by run": lambda: folders,
        "zip of a run's files": lambda: [tmp_path / f"{k}.zip" for k in range(len(folders))],
    }[way]()
    result = bring(*sources)
    assert result.exit_code == 0, result.output
    assert "3 imported" in result.stdout
    for folder in folders:
        own = Path("submissions/EXPR") / folder.name
        assert json.loads((own / ORIGIN_FILE).read_text())["source"] in {source.name for source in sources}
        assert {name: data for name, data in digests(own).items() if name != ORIGIN_FILE} == {
            name: data for name, data in digests(folder).items() if name != "model/head.pkl"
        }
    assert set(Store(Path("submissions/results.duckdb")).folders()) == {folder.name for folder in folders}
    assert not list(Path("submissions").rglob(".partial-*"))


def test_the_run_says_where_it_came_from_and_reindex_keeps_it(theirs, run):
    bring(theirs)
    assert "note: imported from theirs on 20" in CliRunner().invoke(cli, ["show", run.name]).stdout
    Path("submissions/results.duckdb").unlink()
    assert CliRunner().invoke(cli, ["reindex"]).exit_code == 0
    runs = Store(Path("submissions/results.duckdb")).runs()
    assert len(runs) == 3
    assert all("imported from theirs on 20" in notes for notes in runs["notes"])


def test_files_that_no_run_has_stay_behind_and_are_named(theirs, run, tmp_path):
    (run / "sweep.svg").write_text("<svg onload='alert(1)'/>")
    (run / "model/run.sh").write_text("rm -rf /")
    said = bring(theirs).stdout
    for name in ("sweep.svg", "model/run.sh", "model/head.pkl"):
        assert name in said
        assert not (Path("submissions/EXPR") / run.name / name).exists()
    shutil.rmtree("submissions")
    (theirs / "cv.pdf").write_text("not a run")
    said = bring(zipped(theirs, tmp_path / "anna.zip")).stdout
    assert "theirs/cv.pdf" in said
    assert "theirs/results.duckdb" in said


def test_the_second_time_nothing_happens(theirs):
    bring(theirs)
    store = Path("submissions/results.duckdb")
    before, stamp = digests(Path("submissions")), store.stat().st_mtime_ns
    result = bring(theirs)
    assert result.exit_code == 0
    assert "3 here already\n" in result.stdout
    assert digests(Path("submissions")) == before
    assert store.stat().st_mtime_ns == stamp


def test_ones_own_folder_is_here_already(theirs):
    assert "3 here already" in bring(theirs / "EXPR", "--out", theirs, "--replace").stdout
    assert not list(theirs.rglob(ORIGIN_FILE))


def test_a_run_that_the_store_lost_is_recorded_again(theirs):
    bring(theirs)
    Path("submissions/results.duckdb").unlink()
    assert "3 recorded in" in bring(theirs).stdout


def test_the_same_run_made_there_and_here_is_no_other_run(made, theirs, run):
    """Same solution, seed, data and code: the same id, and the same result, at another time."""
    own = guess(made / "data", EXPR, Path("submissions"))
    assert own.record.run_id == run.name
    before = digests(own.folder)
    assert "2 imported, 1 here already" in bring(theirs).stdout
    assert digests(own.folder) == before


def test_other_result_with_same_id_is_refused_without_replace(made, theirs, run):
    bring(theirs)
    kept = digests(Path("submissions/EXPR") / run.name)
    other = guess(made / "data", EXPR, theirs.parent / "other", offset=1)
    change(other.folder / RUN_FILE, run_id=run.name)
    moved = other.folder.rename(other.folder.with_name(run.name))
    result = bring(moved)
    assert result.exit_code == 1
    assert f"{run.name}: a different run with this id is here; found other recipe, files" in result.stderr
    assert "--replace" in result.stderr
    assert digests(Path("submissions/EXPR") / run.name) == kept
    Marks(note="mine", tags=("a",)).write(Path("submissions/EXPR") / run.name)
    Marks(note="theirs", hidden=True).write(moved)
    assert "1 replaced" in bring(moved, "--replace").stdout
    assert read_marks(Path("submissions/EXPR") / run.name) == Marks(note="mine", tags=("a",))
    new = digests(Path("submissions/EXPR") / run.name)
    assert new[FILE_NAME] == digests(moved)[FILE_NAME] != kept[FILE_NAME]
    scores = Store(Path("submissions/results.duckdb")).scores(run.name)
    assert set(scores["value"]) == {row["value"] for row in other.record.scores}


def test_a_dry_run_says_all_and_changes_nothing(theirs, run, tmp_path):
    (run / FILE_NAME).unlink()
    result = bring(theirs, zipped(theirs, tmp_path / "anna.zip"), "--dry-run")
    assert result.exit_code == 1
    assert "2 would be imported, 2 here already, 2 REFUSED" in result.stdout
    assert "a file of the run is missing" in result.stderr
    assert not Path("submissions").exists()


def test_json(theirs, run):
    (run / FILE_NAME).unlink()
    result = bring(theirs, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["recorded"] == 2
    states = {outcome["where"]: outcome for outcome in found["outcomes"]}
    assert states[str(run)]["state"] == "refused"
    assert states[str(run)]["problems"] == [f"{run / FILE_NAME}: a file of the run is missing."]
    new = [outcome for outcome in found["outcomes"] if outcome["state"] == "new" and outcome["run_id"]]
    assert {Path(outcome["place"]).name for outcome in new} == {outcome["run_id"] for outcome in new} == here()
    assert all(outcome["left_out"] == ["model/head.pkl"] for outcome in new)


def test_a_choice_that_nobody_could_make(theirs, run):
    """JSON as Python writes it has NaN, which is equal to nothing."""
    change(run / RUN_FILE, choices={"threshold": float("nan")})
    assert "3 imported" in bring(theirs).stdout
    assert "3 here already" in bring(theirs).stdout


def test_an_interval_that_an_earlier_version_drew(theirs, run):
    raised(run, "low", 0.001)
    assert "3 imported" in bring(theirs).stdout


def test_a_file_a_video(tiny_dvd_once, tmp_path):
    there = guess(tiny_dvd_once, VD, tmp_path / "theirs")
    bring(zipped(tmp_path / "theirs", tmp_path / "theirs.zip"))
    own = digests(Path("submissions/VD") / there.record.run_id)
    assert {name for name in own if name.startswith("predictions/")} == set(there.record.files) - {SCORES_FILE}


def test_a_file_that_was_scored_there(made, theirs, tmp_path):
    labels = made / "data/6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set"
    run = next((theirs / "EXPR").glob("*-val-s0-*"))
    shutil.copy(run / FILE_NAME, "theirs.txt")
    arguments = ["score", "theirs.txt", "--labels", str(labels), "--record", "--name", "their CNN", "--out", "scored"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    result = bring("scored")
    assert result.exit_code == 0, result.output
    assert any("their-cnn-val" in name for name in here())


def test_a_store_that_is_busy_loses_nothing(theirs, monkeypatch):
    def busy(*_, **__):
        raise StoreBusyError("held")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", busy)
        with pytest.raises(StoreBusyError):
            bring(theirs)
    assert len(here()) == 3
    assert "3 recorded" in bring(theirs).stdout


@pytest.mark.process
def test_runs_come_onto_the_board_of_a_team(theirs, tmp_path, monkeypatch):
    with team_store(tmp_path, monkeypatch) as team:
        assert "3 recorded in quack:127.0.0.1:" in bring(theirs, "--store", str(team.address)).stdout
        assert set(Store(team.address).folders()) == here()
        team.kill()
        with pytest.raises(StoreUnreachableError, match="abaw sync"):
            bring(theirs, "--store", str(team.address))


def test_a_git_checkout_with_links_and_hidden_folders(theirs):
    shutil.copytree(theirs / "EXPR", theirs / ".git/EXPR")
    (theirs / "elsewhere").symlink_to(theirs / "EXPR")
    result = bring(theirs)
    assert result.exit_code == 0
    assert "3 imported" in result.stdout
    assert "elsewhere: a symbolic link" in result.stdout


# ---- what is wrong


def rewrite(run: Path, name: str, data: bytes) -> None:
    """Another file, with a record that fits it."""
    (run / name).write_bytes(data)
    files = json.loads((run / RUN_FILE).read_text())["files"]
    change(run / RUN_FILE, files={**files, name: sha256_of(run / name)})


def scores_with(array: bytes, name: str = "c.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, array)
    return stream.getvalue()


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


class Runs:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def raised(run: Path, part: str = "value", amount: float = 0.001) -> None:
    scores = json.loads((run / RUN_FILE).read_text())["scores"]
    change(run / RUN_FILE, scores=[{**scores[0], part: scores[0][part] + amount}, *scores[1:]])


def of_another_version(run: Path) -> None:
    scores = json.loads((run / RUN_FILE).read_text())["scores"]
    change(run / RUN_FILE, scores=[{**row, "version": 7} for row in scores])


def other_statistics(run: Path, amount: float) -> None:
    statistics = json.loads((run / STATISTICS_FILE).read_text())
    first = next(iter(statistics["headline"].values()))
    first[0] += amount
    (run / STATISTICS_FILE).write_text(json.dumps(statistics))


def deep(run: Path, levels: int) -> None:
    text = (run / RUN_FILE).read_text()
    (run / RUN_FILE).write_text(text.replace('"offset": 0', f'"offset": {"[" * levels}{"]" * levels}'))


def scores_of(run: Path) -> list[dict[str, object]]:
    return json.loads((run / RUN_FILE).read_text())["scores"]


def in_data(run: Path, key: str, *value: object) -> None:
    """Give a part of a record's data another value, or take it away."""
    data = json.loads((run / RUN_FILE).read_text())["data"]
    del data[key]
    change(run / RUN_FILE, data=data | dict(zip([key], value, strict=False)))


def named(run: Path, name: str) -> None:
    files = json.loads((run / RUN_FILE).read_text())["files"]
    change(run / RUN_FILE, files={**files, name: "0" * 64})


def with_steps(run: Path, *rows: dict[str, object]) -> None:
    plain = {"step": "smoothing", "decisions": 2, "changed": 0}
    change(run / RUN_FILE, steps=[{**plain, **row} for row in rows])


WRONG = {
    "two steps of one name": (lambda r: with_steps(r, {}, {}), "steps of one name, which can't be told apart"),
    "a part of nothing": (lambda r: with_steps(r, {"overridden_right": 0}), "of step 'smoothing' that don't fit"),
    "a byte more": (lambda r: (r / FILE_NAME).write_bytes((r / FILE_NAME).read_bytes() * 2), "not what the run wrote"),
    "line ends": (
        lambda r: (r / FILE_NAME).write_bytes((r / FILE_NAME).read_bytes().replace(b"\n", b"\r\n")),
        "as git does with line ends",
    ),
    "no scores": (lambda r: (r / SCORES_FILE).unlink(), "a file of the run is missing"),
    "no statistics": (lambda r: (r / STATISTICS_FILE).unlink(), "not a readable run record"),
    "not official": (lambda r: rewrite(r, FILE_NAME, b"image_location,Neutral\nc/00001.jpg,9\n"), "is not valid"),
    "a score raised": (raised, "scores that its statistics do not give: headline macro_f1 all, value: "),
    "an interval narrowed": (lambda r: raised(r, "low", 0.02), "headline macro_f1 all, low: "),
    "a score too many": (
        lambda r: change(r / RUN_FILE, scores=[
            *json.loads((r / RUN_FILE).read_text())["scores"],
            {"estimate": "headline", "metric": "won", "version": 1, "target": "all", "value": 1, "low": 0, "high": 1},
        ]),
        "headline won all, which is no score of the task",
    ),
    "a score missing": (
        lambda r: change(r / RUN_FILE, scores=json.loads((r / RUN_FILE).read_text())["scores"][:-1]),
        "which the record lacks",
    ),
    "scores of nothing": (lambda r: (r / STATISTICS_FILE).write_text("{}"), "expected those of headline"),
    "another version": (of_another_version, "scored by another version of the metric"),
    "other statistics": (lambda r: other_statistics(r, 3), "scores that its statistics do not give"),
    "half a frame": (lambda r: other_statistics(r, 0.5), "counts that are none"),
    "a negative count": (lambda r: other_statistics(r, -300), "counts that are none"),
    "too many frames": (lambda r: other_statistics(r, 1e6), "are of more than the run"),
    "infinitely many": (lambda r: other_statistics(r, float("inf")), "[...][0], expected a finite number"),
    "ragged": (
        lambda r: (r / STATISTICS_FILE).write_text('{"headline": {"c": [1, 2], "d": [1]}}'),
        "statistics of the wrong length; found 1 and 2, expected",
    ),
    "a path": (lambda r: change(r / RUN_FILE, run_id="../../../x"), "be the name of a folder; found '../../../x'"),
    "hidden": (lambda r: change(r / RUN_FILE, run_id=".partial-x"), "the run id can't be the name of"),
    "the folder of failures": (lambda r: change(r / RUN_FILE, run_id="failed"), "the run id can't be the name of"),
    "a number for an id": (lambda r: change(r / RUN_FILE, run_id=7), "found `int` at $.run_id, expected `str`"),
    "another id": (lambda r: change(r / RUN_FILE, run_id="the-best"), "the folder's name differs from the run's id"),
    "a task that is a path": (lambda r: change(r / RUN_FILE, task="../EXPR"), "the task has no board"),
    "a task that is a list": (lambda r: change(r / RUN_FILE, task=["EXPR"]), "found `array` at $.task, expected `str`"),
    "files that are a number": (lambda r: change(r / RUN_FILE, files=7), "found `int` at $.files, expected `object`"),
    "a digest that is none": (
        lambda r: change(r / RUN_FILE, files={FILE_NAME: None}),
        "found `null` at $.files[...], expected `str`",
    ),
    "scores that are a number": (
        lambda r: change(r / RUN_FILE, scores=[1]),
        "found `int` at $.scores[0], expected `object`",
    ),
    "another task": (lambda r: change(r / RUN_FILE, task="VA"), "in the folder of another task; found EXPR"),
    "no split": (lambda r: change(r / RUN_FILE, split="valid"), "no split"),
    "a file elsewhere": (lambda r: named(r, "../../../../etc/passwd"), "names a file that no run has"),
    "a recorded pickle": (lambda r: named(r, "model/head.pkl"), "names a file that no run has"),
    "no official file": (lambda r: change(r / RUN_FILE, files={}), "no official file"),
    "a link": (lambda r: (r / "labels.csv").symlink_to("/etc/passwd"), "a symbolic link"),
    "notes that are none": (lambda r: change(r / RUN_FILE, notes=None), "found `null` at $.notes, expected `array`"),
    "a time that is text": (
        lambda r: change(r / RUN_FILE, timings={"total": "fast"}),
        "at $.timings[...], expected `float | null`",
    ),
    "a created that is no time": (
        lambda r: change(r / RUN_FILE, created="yesterday"),
        "Invalid RFC3339 encoded datetime at $.created",
    ),
    "a time of no zone": (
        lambda r: change(r / RUN_FILE, created="2026-03-01T00:00:00"),
        "at $.created, expected `datetime` with a timezone",
    ),
    "no frames": (lambda r: in_data(r, "frames"), "missing required field `frames` at $.data"),
    "frames without a crop that are text": (
        lambda r: in_data(r, "frames_without_crop", "x"),
        "found `str` at $.data.frames_without_crop, expected `int | null`",
    ),
    "no name of the data": (lambda r: in_data(r, "name"), "missing required field `name` at $.data"),
    "a solution without a name": (lambda r: change(r / RUN_FILE, name=None), "found `null` at $.name, expected `str`"),
    "a seed that is text": (lambda r: change(r / RUN_FILE, seed="0"), "found `str` at $.seed, expected `int | null`"),
    "a value that is text": (
        lambda r: change(r / RUN_FILE, scores=[{**scores_of(r)[0], "value": "1"}, *scores_of(r)[1:]]),
        "found `str` at $.scores[0].value, expected `float`",
    ),
    "statistics that are text": (
        lambda r: (r / STATISTICS_FILE).write_text('{"headline": {"c": ["1"]}}'),
        "found `str` at $[...][...][0], expected `float`",
    ),
    "a newer format": (lambda r: change(r / RUN_FILE, format=99), "written by a newer version"),
    "no JSON": (lambda r: (r / RUN_FILE).write_text("{"), "not a readable run record"),
    "a record that is a list": (lambda r: (r / RUN_FILE).write_text("[]"), "not a readable run record"),
    "deep": (lambda r: deep(r, 300), "nested too deeply"),
    "bottomless": (lambda r: deep(r, 200_000), "not a readable run record"),
    "a broken sweep": (lambda r: (r / "sweep.json").write_text('{"format": 1, "points": [1]}'), "the curves can't be"),
    "a broken model": (lambda r: (r / "model/recipe.json").write_text("{"), "not readable as JSON"),
    "a pickle called safetensors": (
        lambda r: (r / "model/stream0/head.safetensors").write_bytes(pickle.dumps(Runs())), "as safetensors"
    ),
    "scores that are no archive": (lambda r: rewrite(r, SCORES_FILE, pickle.dumps(Runs())), "not a zip archive"),
    "scores that run": (
        lambda r: rewrite(r, SCORES_FILE, scores_with(saved(np.array([[Runs()]], dtype=object)))), "found no array"
    ),
    "scores of a pickle": (lambda r: rewrite(r, SCORES_FILE, scores_with(pickle.dumps(Runs()))), "found no array"),
    "scores of another task": (
        lambda r: rewrite(r, SCORES_FILE, scores_with(saved(np.zeros((40, 2), np.float32)))),
        "found 2 columns of float32, expected 8 columns",
    ),
    "a header that computes": (
        lambda r: rewrite(r, SCORES_FILE, scores_with(saved(np.zeros((1, 8), np.float32)).replace(b"(1,", b"(9**9,"))),
        "found no array",
    ),
    "scores that claim all memory there is": (
        lambda r: rewrite(
            r, SCORES_FILE, scores_with(saved(np.zeros((111_111_111_111_111, 0), np.float32)).replace(b" 0)", b" 8)"))
        ),
        "found no array",
    ),
    "scores that claim more than they hold": (
        lambda r: rewrite(r, SCORES_FILE, scores_with(saved(np.zeros((40, 8), np.float32))[:-4])), "found no array"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class SpoiltRuns:
    """One import of a folder for each way in which a run can be wrong, and of a folder with a run that is right.

    Attributes:
        runs: the run that is wrong, by the way.
        said: lines on stderr, each run's below the line that refuses it.
        exit_code: of the command.
        right: id of the run that is right.
        imported: ids of the runs that were taken.
        recorded: ids of the runs in the store.
        traces: files that no import may leave behind.
    """

    runs: dict[str, Path]
    said: str
    exit_code: int
    right: str
    imported: set[str]
    recorded: set[str]
    traces: list[Path]

    def reasons(self, what: str) -> str:
        """Return what the command says of a run that is wrong."""
        _, _, below = self.said.partition(f"REFUSED       {self.runs[what]}\n")
        return "\n".join(itertools.takewhile(lambda line: line.startswith("  "), below.splitlines()))


@pytest.fixture(scope="module")
def spoilt_runs(made: Path, tmp_path_factory: pytest.TempPathFactory) -> SpoiltRuns:
    """Import all runs that are wrong at once, with the run that is right in the midst of them."""
    root, runs = tmp_path_factory.mktemp("spoilt"), {}
    (wrong,), (right,) = ((made / "runs/EXPR").glob(pattern) for pattern in ("*-val-s0-*", "*-val-s1-*"))
    for k, (what, (spoil, _)) in enumerate(WRONG.items()):
        runs[what] = Path(shutil.copytree(wrong, root / f"{k:02d}/EXPR" / wrong.name))
        spoil(runs[what])
    shutil.copytree(right, root / f"{len(WRONG) // 2:02d}-right/EXPR" / right.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABAW_CACHE", str(root / "cache"))
        patch.chdir(tmp_path_factory.mktemp("here"))
        result = bring(*sorted(path for path in root.iterdir()))
        recorded = set(Store(Path("submissions/results.duckdb")).folders())
        traces = [path for path in (Path("unpickled"), *Path("submissions").rglob(".partial-*")) if path.exists()]
        return SpoiltRuns(runs, result.stderr, result.exit_code, right.name, here(), recorded, traces)


@pytest.mark.parametrize("what", WRONG)
def test_wrong_run_is_refused_and_the_others_are_imported(spoilt_runs, what):
    assert spoilt_runs.exit_code == 1
    assert WRONG[what][1] in spoilt_runs.reasons(what)
    assert spoilt_runs.right in spoilt_runs.imported & spoilt_runs.recorded


def test_no_run_that_is_wrong_is_taken_or_leaves_a_trace(spoilt_runs):
    assert spoilt_runs.imported == spoilt_runs.recorded == {spoilt_runs.right}
    assert spoilt_runs.traces == []


def test_all_that_is_wrong_is_said(theirs, run):
    raised(run)
    (run / SCORES_FILE).unlink()
    (run / "model/recipe.json").write_text("{")
    said = bring(run).stderr
    for why in ("in the record", "is missing", "not readable as JSON"):
        assert why in said
    assert said.count(f"{run}/") == 3  # not the place of the copy that was looked at


def test_a_zip_that_could_deceive_is_refused_whole(theirs, tmp_path):
    packed = zipped(theirs, tmp_path / "anna.zip")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("../../.bashrc", "echo")
    result = bring(packed)
    assert result.exit_code == 1
    assert "leads out of the archive" in result.stderr
    assert not here()


def test_a_bomb_is_stopped_and_the_others_are_taken(theirs, run, tmp_path):
    (run / "model/recipe.json").write_bytes(b'"' + b" " * (20 << 20) + b'"')
    result = bring(zipped(theirs, tmp_path / "anna.zip"))
    assert "a zip bomb" in result.stderr
    assert run.name not in here()
    assert len(here()) == 2


@pytest.mark.parametrize("what", ["absent", "a text", "an empty folder"])
def test_what_holds_no_run(theirs, tmp_path, what):
    (tmp_path / "a text").write_text("hello")
    (tmp_path / "an empty folder").mkdir()
    result = bring(tmp_path / what, theirs / "EXPR")
    assert result.exit_code == 1
    assert what in result.stderr
    assert len(here()) == 3


# ---- notes of runs that failed


@pytest.mark.usefixtures("note")
def test_notes_of_failed_runs_come_along(theirs):
    bring(theirs)
    assert [path.read_bytes() for path in failure_files(Path("submissions"))] == [
        path.read_bytes() for path in failure_files(theirs)
    ]
    assert [row["reason"] for row in Store(Path("submissions/results.duckdb")).failures()] == ["no weights"]


@pytest.mark.usefixtures("note")
def test_a_run_that_is_complete_here_did_not_fail(made, theirs):
    own = guess(made / "data", EXPR, Path("submissions"), seed=1).record
    for seed in (0, 1):
        Failure.of(
            ValueError("x"), task="EXPR", split="val", name=own.name, seed=seed, data_name=own.data["name"]
        ).write(theirs if seed else Path("submissions"))
    bring(theirs)
    assert [Failure.read(path).name for path in failure_files(Path("submissions"))] == ["expr/cnn"]
    assert [row["name"] for row in Store(Path("submissions/results.duckdb")).failures()] == ["expr/cnn"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"task": "../EXPR"}, "an unknown task or split"),
        ({"failure_id": "../../x"}, "file name does not match its run"),
        ({"name": "expr/other"}, "file name does not match its run"),
        ({"created": "yesterday"}, "found Invalid isoformat string: 'yesterday'"),
        ({"reason": 7}, "found `int` at $.reason, expected `str`"),
        ({"format": 9}, "written by a newer version; found format 9, expected at most 1"),
    ],
)
def test_a_note_that_is_not_right_is_refused(theirs, run, note, changes, why):
    for other in (theirs / "EXPR").glob("guesses-*"):
        if other != run:
            shutil.rmtree(other)
    change(note, **changes)
    result = bring(theirs)
    assert result.exit_code == 1
    assert why in result.stderr
    assert failure_files(Path("submissions")) == []
    assert here() == {run.name}


def leaves(content: object, place: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Places of everything in plain data."""
    if place:
        yield place
    if isinstance(content, dict | list):
        for key, inner in content.items() if isinstance(content, dict) else enumerate(content):
            yield from leaves(inner, (*place, key))


def changed(content: dict[str, object], place: tuple[object, ...], value: object) -> dict[str, object]:
    """Return a copy in which one place holds something else, or, for ``...``, nothing."""
    content = inner = json.loads(json.dumps(content))
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


def test_what_is_taken_can_be_shown(theirs, run, tmp_path, repetitions):
    """Anywhere in a record another type, or nothing: refused, or shown by ``abaw show`` and the board's page."""
    record = json.loads((run / RUN_FILE).read_text())
    others = (..., None, 5, -1, "x", [], {}, [1], {"a": 1}, True, 1e300)
    tried = [(place, value) for place in leaves(record) for value in others]
    dice = random.Random(0)
    taken = 0
    for place, value in dice.sample(tried, min(repetitions(60, len(tried)), len(tried))):
        (run / RUN_FILE).write_text(json.dumps(changed(record, place, value)))
        shutil.rmtree(Path("submissions"), ignore_errors=True)
        result = bring(run)
        assert result.exit_code in (0, 1), (place, value)
        if result.exit_code:
            continue
        taken += 1
        (run_id,) = here()
        shown = CliRunner().invoke(cli, ["show", run_id], catch_exceptions=False)
        assert shown.exit_code == 0, (place, value, shown.stderr)
        open_page("run", run=run_id)
    assert taken > 5


def test_a_link_put_in_after_the_look_is_not_followed(theirs, run, tmp_path, monkeypatch):
    """Between the look at a folder and its copy somebody changes it."""
    secret = tmp_path / "secret.txt"
    secret.write_text("of nobody's business")
    copy = Bundle.copy

    def swap(self, names, folder, **rest):
        if SCORES_FILE in names:
            (run / FILE_NAME).unlink()
            (run / FILE_NAME).symlink_to(secret)
        return copy(self, names, folder, **rest)

    monkeypatch.setattr(Bundle, "copy", swap)
    result = bring(theirs)
    assert "REFUSED" in result.stderr
    assert run.name not in here()
    assert len(here()) == 2
    assert not [path for path in Path("submissions").rglob("*") if path.is_file() and b"nobody" in path.read_bytes()]


def test_a_fault_that_nobody_thought_of_is_that_runs_alone(theirs, run, monkeypatch):
    def fail(folder, record):
        if record.run_id == run.name:
            raise ZeroDivisionError("by no means")
        return run_problems(folder, record)

    monkeypatch.setattr("harness.importing.merge.run_problems", fail)
    result = bring(theirs)
    assert f"{run}: the run can't be read; found ZeroDivisionError: by no means." in result.stderr
    assert len(here()) == 2


def test_two_who_import_the_same_at_once_both_end_well(theirs, monkeypatch):
    """The other one is done between this one's look and its rename."""
    staged = Origin.write

    def other_first(self, folder):
        monkeypatch.setattr(Origin, "write", staged)
        list(take([theirs], Path("submissions")))
        return staged(self, folder)

    monkeypatch.setattr(Origin, "write", other_first)
    result = bring(theirs)
    assert result.exit_code == 0, result.stderr
    assert len(here()) == 3


@pytest.mark.parametrize("part", ["notes", "options", "statistics", "scores"])
def test_a_huge_forged_run_is_refused_before_it_costs_anything(theirs, run, part):
    record, size = json.loads((run / RUN_FILE).read_text()), 28 << 20
    if part == "statistics":
        row = json.loads((run / STATISTICS_FILE).read_text())["headline"]["c"]
        n = size // (len(json.dumps(row)) + 12)
        (run / STATISTICS_FILE).write_text(json.dumps({"headline": {f"v{k}": row for k in range(n)}}))
    else:
        filling = {
            "notes": ["x" * 100] * (size // 104),
            "options": {f"o{k}": k for k in range(size // 16)},
            "scores": record["scores"] * (size // len(json.dumps(record["scores"]))),
        }
        change(run / RUN_FILE, **{part: filling[part]})
    result = bring(theirs)
    assert ("statistics of too many videos" if part == "statistics" else "'run.json': too large") in result.stderr
    assert run.name not in here()
    assert len(here()) == 2
