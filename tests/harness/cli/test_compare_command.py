"""``abaw compare`` and ``abaw score --variants`` as their users meet them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from harness.files.one_file import write_one_file
from harness.records.run import differing_settings
from harness.store.store import Store
from harness.tasks import EXPR

VIDEOS = ("a", "b_left", "c", *(f"d{k}" for k in range(7)))


@pytest.fixture
def recorded(run_record, tmp_path):
    """Puts a run, with given changes, into a run folder and the store."""

    def put(run_id, *, right=5.0, **changes):
        confusion = np.diag([right] * 8)
        confusion[:, 7] += 10 - confusion.sum(1)
        statistics = {"headline": {video: confusion.ravel().tolist() for video in VIDEOS}}
        folder = tmp_path / "submissions" / "EXPR" / run_id
        folder.mkdir(parents=True)
        record = run_record(run_id, **{"statistics": statistics, **changes})
        record.write(folder)
        Store(tmp_path / "submissions" / "results.duckdb").record([(record, folder)])
        return record

    return put


def test_two_runs_side_by_side(recorded, abaw):
    recorded("good-val-s0-00000001", right=8.0, name="expr/good")
    recorded("bad-val-s1-00000002", right=3.0, seed=1, recipe={"encoder": "landmarks", "hidden": [64]})
    shown = abaw("compare", "good-val-s0-00000001", "bad-val-s1-00000002")
    assert (shown.returncode, shown.stderr) == (0, "")
    for words in (
        "EXPR val on Aff-Wild2: 10 videos, 800 labelled frames",
        "A is better by 0.",
        "p = 0.0020, paired over videos, 10,000 replicates",
        "F1 Happiness",
        "Moves A - B by",
    ):
        assert words in shown.stdout
    settings = shown.stdout[shown.stdout.index("What differs") :]
    differing = [line.split()[:2] for line in settings.splitlines()[2:]]
    assert differing == [["run", "name"], ["run", "seed"], ["recipe", "hidden"]]


def test_for_a_program(recorded, abaw):
    recorded("a-1", right=8.0)
    recorded("b-1", right=3.0, provenance={"git": {"commit": "c0ffee"}, "packages": {"numpy": "2.1"}})
    content = json.loads(abaw("compare", "a-1", "b-1", "--json").stdout)
    assert (content["a"], content["b"], content["task"], content["split"]) == ("a-1", "b-1", "EXPR", "val")
    assert content["separable"] is True
    head = content["differences"][0]
    assert (head["metric"], head["target"]) == ("macro_f1", "all")
    assert head["low"] <= head["difference"] <= head["high"]
    assert {row["video"] for row in content["videos"]} <= set(VIDEOS)
    assert content["settings"] == {
        "git.commit": {"a": None, "b": "c0ffee"},
        "packages.numpy": {"a": "2.0", "b": "2.1"},
    }


def test_how_many_videos_are_listed(recorded, abaw):
    recorded("a-1", right=8.0)
    recorded("b-1", right=3.0)
    assert "b_left" in abaw("compare", "a-1", "b-1").stdout
    shown = abaw("compare", "a-1", "b-1", "--videos", "0").stdout
    assert "b_left" not in shown
    assert "Moves" not in shown


def test_the_same_run_twice(recorded, abaw):
    recorded("a-1")
    shown = abaw("compare", "a-1", "a-1")
    assert "not separable on these videos" in shown.stdout
    assert "Their settings are the same." in shown.stdout


def test_a_run_that_nobody_knows_gets_a_guess(recorded, abaw):
    recorded("landmarks-val-s0-11111111")
    shown = abaw("compare", "landmarks-val-s0-11111111", "landmarks-val-s0-1111112")
    assert shown.returncode == 2
    assert "unknown run 'landmarks-val-s0-1111112'. Did you mean landmarks-val-s0-11111111?" in shown.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split": "train"}, "they are on different splits; A has val, B has train"),
        ({"task": "VD"}, "they are on different tasks; A has EXPR, B has VD"),
        ({"statistics": {}, "scores": []}, "b-1: no labels were there to score it on"),
    ],
)
def test_runs_that_have_nothing_in_common_are_refused(recorded, abaw, changes, words):
    recorded("a-1")
    recorded("b-1", **changes)
    shown = abaw("compare", "a-1", "b-1")
    assert shown.returncode == 1
    assert words in shown.stderr


def test_only_settings_that_differ_are_named(run_record):
    a = run_record(provenance={"git": {"commit": "1", "dirty": False}, "workers": 2, "packages": {"numpy": "2.0"}})
    b = run_record(provenance={"git": {"commit": "2", "dirty": False}, "workers": 4, "packages": {}})
    assert differing_settings(a, a) == []
    assert differing_settings(a, b) == [("git.commit", "1", "2"), ("packages.numpy", "2.0", None)]
    other = run_record(options={}, choices={"half_width": {"on_all": 9, "per_fold": [5, 7]}}, seed=None)
    assert {name for name, *_ in differing_settings(run_record(), other)} == {
        "options.crops", "choices.half_width.on_all", "seed",
    }  # fmt: skip


@pytest.fixture
def scored_file(tmp_path):
    """An official file and a folder of labels."""
    rng = np.random.default_rng(0)
    truth = {video: rng.integers(0, 8, 50) for video in VIDEOS}
    answer = {video: np.where(rng.random(50) < 0.5, y, 0) for video, y in truth.items()}
    folder = tmp_path / "labels"
    folder.mkdir()
    for video, values in truth.items():
        (folder / f"{video}.txt").write_text("\n".join([EXPR.header, *map(str, values), ""]))
    path = tmp_path / "predictions.txt"
    write_one_file(path, EXPR, answer, list(answer))
    return path, folder


def test_other_definitions_stand_below_the_score(scored_file, abaw):
    path, labels = scored_file
    shown = abaw("score", path, "--task", "EXPR", "--labels", labels, "--variants")
    assert shown.returncode == 0
    score, others = shown.stdout.split("other definitions")
    assert score.startswith("macro-F1")
    assert "frames of class 7 (Other) left out, mean of 7" in others
    assert "AVCER" in others


def test_other_definitions_are_asked_for(scored_file, abaw):
    path, labels = scored_file
    assert "other definitions" not in abaw("score", path, "--task", "EXPR", "--labels", labels).stdout
    call = ("score", path, "--task", "EXPR", "--labels", labels, "--json")
    assert "variants" not in json.loads(abaw(*call).stdout)
    content = json.loads(abaw(*call, "--variants").stdout)
    official = content["scores"][0]["value"]
    for variant in content["variants"]:
        assert set(variant) == {"name", "value", "difference", "who"}
        assert variant["value"] - official == pytest.approx(variant["difference"], abs=1e-12)


@pytest.fixture
def three(recorded):
    """Record a base, a better run and an equal one."""
    return [
        recorded("base-val-s0-0000000a", right=5.0, name="expr/base"),
        recorded("good-val-s0-0000000b", right=8.0, name="expr/good"),
        recorded("same-val-s1-0000000c", right=5.0, name="expr/same", seed=1),
    ]


def test_several_runs_stand_against_the_first(three, abaw):
    shown = abaw("compare", "expr/base", "good", "0000000c")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("Against expr/base@0 (0000000a): macro-F1, EXPR val")
    assert lines[2].split()[-1] == "base"
    assert "expr/good@0 (0000000b)" in lines[3]
    assert "better by 0." in lines[3]
    assert "not separable on these videos" in lines[4]
    assert "corrected for 2 comparisons (Holm 1979" in shown.stdout


def test_several_runs_in_all_forms(three, abaw):
    names = ("base", "good", "same")
    content = json.loads(abaw("compare", *names, "--json").stdout)
    assert (content["base"], content["runs"]) == ("expr/base@0 (0000000a)", ["base-val-s0-0000000a"])
    good, same = content["rows"]
    alone = json.loads(abaw("compare", "good", "base", "--json").stdout)
    assert good["difference"] == alone["differences"][0]["difference"]
    assert good["p_value"] == alone["p_value"]
    assert (good["corrected_p"], same["corrected_p"]) == (2 * alone["p_value"], 1.0)  # Holm of two, the other is 1
    assert (good["separable"], same["separable"]) == (True, False)
    rows = list(csv.DictReader(io.StringIO(abaw("compare", *names, "--format", "csv").stdout)))
    assert [row["run_ids"] for row in rows] == ["base-val-s0-0000000a", "good-val-s0-0000000b", "same-val-s1-0000000c"]
    assert float(rows[1]["difference"]) == good["difference"]
    assert "| expr/good\\@0 (0000000b) |" in abaw("compare", *names, "--format", "md").stdout
    assert "expr/good@0 (0000000b) &" in abaw("compare", *names, "--format", "latex").stdout


def test_several_runs_one_on_other_labels_exit_with_1(three, recorded, abaw):
    recorded("elsewhere-1", split="train", name="expr/elsewhere")
    shown = abaw("compare", "base", "good", "elsewhere-1")
    assert shown.returncode == 1
    assert "better by" in shown.stdout
    assert "not comparable: elsewhere-1 and base-val-s0-0000000a can't be compared" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("base",), "one run alone can't be compared"),
        (("base", "good", "0000000b"), "two names mean the same; found good and 0000000b"),
        (("base", "good", "same", "--videos", "3"), "--videos is for two runs"),
    ],
)
def test_several_runs_misnamed_are_a_usage_error(three, abaw, arguments, words):
    shown = abaw("compare", *arguments)
    assert shown.returncode == 2
    assert words in shown.stderr
