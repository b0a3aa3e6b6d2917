"""A plan from a store: which runs count, what was sent, seeds, labels that are not mixed, and commands to copy."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.board.own_best import own_best
from harness.board.plan import Places, Plan, load_plan
from harness.board.slots import promised_by
from harness.board.tables.plan import plain_plan, plan_table
from harness.cli.main import cli
from harness.errors import DataError, UnknownNameError, UsageError
from harness.records.marks import Marks
from harness.slots import Ledger, Sent
from harness.store.store import Store
from harness.tasks import EMI, EXPR, TASKS
from tests.support.scored_runs import make_run, record, scored_run

LANDMARKS, TINY, BOTH_STREAMS = "expr/landmarks-mlp-smooth", "expr/tiny-mlp-smooth", "expr/landmarks-tiny-smooth"
DATA = {"name": "Aff-Wild2", "fingerprint": f"{12:064d}", "videos": 12, "frames": 480, "root": "/data/Aff Wild2"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "out" / "results.duckdb")


@pytest.fixture(autouse=True)
def _out(tmp_path) -> None:
    (tmp_path / "out").mkdir()


def planned(store: Store, sent: tuple[Sent, ...] = (), **options) -> Plan:
    return load_plan(store, EXPR, sent, Places(), **options)


def run(name: str, skill: float, **changes):
    return scored_run(name, skill, **{"encoder": name.partition("/")[2], "data": DATA, **changes})


def blend_of(*parts, skill: float = 0.9, **plan):
    weights = plan or {"blend": {"weights": {"candidates": [0.0, 0.5, 1.0]}}}
    recipe = {"name": "expr/mix", "parts": [{"run_id": part.run_id, "seed": 0} for part in parts], "plan": weights}
    return run("expr/mix", skill, recipe=recipe, head="blend", encoder="landmarks + tiny", tuned=0.9)


def sent_run(record_of_test, number: int = 1, score: float | None = None) -> Sent:
    results = () if score is None else ({"value": score, "time": "2026-03-01T00:00:00+00:00"},)
    return Sent(
        number,
        "EXPR",
        10,
        "2026-03-01T00:00:00+00:00",
        "x.txt",
        "0" * 64,
        "0" * 64,
        1,
        record_of_test.run_id,
        results=results,
    )


def whys(plan: Plan) -> list[tuple[str, str, str]]:
    return [(own.why, own.name, own.trained_on) for own in plan.submissions]


def test_five_submissions_differ_and_are_ordered(store):
    a, b, c = run(LANDMARKS, 0.5), run(TINY, 0.4), run("expr/abaw8-wav2vec2", 0.3)
    record(store, a, b, c, blend_of(a, b, skill=0.6))
    plan = planned(store)
    assert whys(plan) == [
        ("best blend", "expr/mix", "train"),
        ("best single solution", LANDMARKS, "train"),
        ("trained on train and val", "expr/mix", "train+val"),
        ("best of another family", TINY, "train"),
        ("best of another family", "expr/abaw8-wav2vec2", "train"),
    ]
    assert (plan.edition, plan.slots, plan.left) == (10, 5, 5)


def test_the_expected_best_is_that_of_the_stored_replicates(store):
    """Oracle: the rule written again, on replicates drawn from the statistics by NumPy alone."""
    runs = [run(LANDMARKS, 0.45), run(TINY, 0.44), run("expr/abaw8-wav2vec2", 0.43)]
    record(store, *runs)
    plan = planned(store, slots=3)
    assert any("No blend is on the board" in note for note in plan.notes)
    by_id = {own.run_id: own for own in runs}
    picked = [by_id[own.val_run_id] for own in plan.submissions]
    tables = [np.array([own.statistics["headline"][f"video{k:02d}"] for k in range(12)]) for own in picked]
    counts = np.random.default_rng(1).multinomial(12, [1 / 12] * 12, size=(2, 20_000)).astype(float)

    def macro_f1(sums: np.ndarray) -> np.ndarray:
        confusion = sums.reshape(*sums.shape[:-1], 8, 8)
        hits = np.diagonal(confusion, axis1=-2, axis2=-1)
        return (2 * hits / (confusion.sum(-1) + confusion.sum(-2))).mean(-1)

    scores = np.array([macro_f1(table.sum(0)) for table in tables])
    val, test = (np.array([macro_f1(weights @ table) for table in tables]) for weights in counts)
    deviations = val - val.mean(1, keepdims=True) + test - test.mean(1, keepdims=True)
    outlook = plan.outlook
    np.testing.assert_allclose(outlook.expected + outlook.luck, scores, atol=1e-9)
    best = (outlook.expected[:, None] + deviations).max(0)
    assert outlook.maximum == pytest.approx(best.mean(), abs=1e-3)
    assert outlook.maximum_interval == pytest.approx(np.quantile(best, [0.025, 0.975]), abs=4e-3)
    for interval, expected, own in zip(outlook.intervals, outlook.expected, deviations, strict=True):
        assert interval == pytest.approx(expected + np.quantile(own, [0.025, 0.975]), abs=4e-3)


def test_one_run_is_its_own_expected_best(store):
    only = run("expr/abaw8-wav2vec2", 0.5)
    record(store, only)
    plan = planned(store, slots=1)
    assert plan.outlook.maximum == pytest.approx(only.score()["value"], abs=1e-9)
    assert plan.outlook.luck == pytest.approx([0.0], abs=1e-9)
    assert not any("No blend is on the board" in note for note in plan.notes)


def test_fewer_than_five_say_so(store):
    record(store, run(LANDMARKS, 0.5))
    plan = planned(store)
    assert len(plan.submissions) == 2
    assert any(note.startswith("2 submissions can differ, for 5 slots") for note in plan.notes)


def test_of_two_that_answer_alike_one_is_proposed(store):
    """A blend whose whole weight fell to one part is that part."""
    alone, other = run(LANDMARKS, 0.5), run(TINY, 0.3)
    mix = replace(blend_of(alone, other), statistics=alone.statistics, scores=alone.scores)
    record(store, alone, other, mix)
    plan = planned(store)
    assert {own.name for own in plan.submissions} == {LANDMARKS, TINY}
    assert any("1 solution that on val answer as another" in note for note in plan.notes)


def test_equal_scores_tie_and_the_first_is_chosen(store):
    """Both know the same share of the same videos, mirrored, so that scores are equal and answers are not."""
    first = run(LANDMARKS, 0.5)
    names = sorted(first.statistics["headline"])
    mirrored = dict(zip(names, (first.statistics["headline"][name] for name in reversed(names)), strict=True))
    record(store, first, run(TINY, 0.5, statistics={"headline": mirrored}, scores=first.scores))
    outlook = planned(store, slots=4).outlook
    assert outlook.expected[0] + outlook.luck[0] == outlook.expected[1] + outlook.luck[1]
    assert sum(outlook.best_share) == pytest.approx(1.0)
    assert outlook.maximum > outlook.expected[0]


def test_of_a_solution_run_by_two_versions_the_newest_counts(store):
    old = run(LANDMARKS, 0.9, run_id="old", provenance={"source": "1"}, created="2026-01-01T00:00:00+00:00")
    new = run(LANDMARKS, 0.5, run_id="new", provenance={"source": "2"})
    aligned = run(LANDMARKS, 0.4, run_id="aligned", options={"crops": "cropped_aligned"}, provenance={"source": "1"})
    record(store, old, new, aligned)
    assert {own.val_run_id for own in planned(store).submissions} == {"new", "aligned"}


def test_runs_on_other_labels_are_not_mixed(store):
    old = run(
        TINY, 0.9, videos=11, data={**DATA, "fingerprint": "a" * 64, "videos": 11}, created="2026-01-01T00:00:00+00:00"
    )
    record(store, run(LANDMARKS, 0.5), old)
    plan = planned(store)
    assert {own.name for own in plan.submissions} == {LANDMARKS}
    assert any("Left out, on other labels: 1 run on labels aaaaaaaa" in note for note in plan.notes)
    other = planned(store, labels_name="aaaaaaaa")
    assert {own.name for own in other.submissions} == {TINY}
    with pytest.raises(UnknownNameError):
        planned(store, labels_name="bbbbbbbb")


def test_runs_on_another_data_set_are_not_mixed(store):
    other = run(TINY, 0.9, data={**DATA, "name": "pilot"}, created="2026-01-01T00:00:00+00:00")
    record(store, run(LANDMARKS, 0.5), other)
    assert {own.name for own in planned(store).submissions} == {LANDMARKS}
    assert {own.name for own in planned(store, data_name="pilot").submissions} == {TINY}


def test_heads_that_have_seen_val_are_no_candidates(store):
    record(store, run(LANDMARKS, 0.5), run(TINY, 0.99, trained_on="train+val"))
    assert {own.name for own in planned(store).submissions} == {LANDMARKS}


def test_files_of_other_code_and_unknown_solutions_are_left_out(store):
    record(store, run(LANDMARKS, 0.5), run("expr/their-file", 0.9))
    plan = planned(store)
    assert {own.name for own in plan.submissions} == {LANDMARKS}
    assert any(note.startswith("Left out: 1 solution of the board") for note in plan.notes)


def test_several_seeds_are_one_candidate_by_their_mean(store):
    seeds = [run(LANDMARKS, skill, seed=k, provenance={"device": "cpu"}) for k, skill in enumerate((0.40, 0.60))]
    record(store, *seeds, run(TINY, 0.45))
    plan = planned(store)
    first = plan.submissions[0]
    assert (first.name, first.seed, first.seeds) == (LANDMARKS, 0, 2)
    assert first.val == pytest.approx(np.mean([own.score()["value"] for own in seeds]))
    assert [own.seed for own in plan.submissions if own.name == LANDMARKS and own.trained_on == "train"] == [0]


# slots


def on_test(name: str, **changes):
    return make_run(name, None, split="test", data={**DATA, "videos": 24}, **changes)


def test_what_was_sent_is_not_proposed_again(store):
    val, test = run(LANDMARKS, 0.5), on_test(LANDMARKS)
    record(store, val, test, run(TINY, 0.4))
    plan = planned(store, (sent_run(test),))
    assert (plan.left, len(plan.submissions)) == (4, 3)
    assert whys(plan) == [
        ("best single solution", TINY, "train"),
        ("trained on train and val", LANDMARKS, "train+val"),
        ("trained on train and val", TINY, "train+val"),
    ]


def test_what_was_sent_counts_towards_the_best_of_all(store):
    val, test = run(LANDMARKS, 0.5), on_test(LANDMARKS)
    record(store, val, test, run(TINY, 0.4))
    plan = planned(store, (sent_run(test),))
    assert plan.counted_before == 1
    assert plan.outlook.maximum >= val.score()["value"] - 1e-9
    copy = [submission.name for submission in plan.submissions].index(LANDMARKS)
    assert plan.outlook.adds[copy] == pytest.approx(0.0, abs=1e-9), "its twin is sent already"
    table = plan_table(plan)
    assert table.rows[0]["adds"] == pytest.approx(plan.outlook.adds[0])
    assert any("and of 1 sent already" in note for note in table.notes)


def test_sent_files_without_a_run_on_val_are_named(store):
    test = on_test("expr/unknown")
    record(store, test, run(TINY, 0.4))
    plan = planned(store, (sent_run(test),))
    assert plan.counted_before == 0
    assert any(note.startswith("Not counted: 1 submission sent already") for note in plan.notes)


def test_heads_on_both_that_were_sent_are_not_proposed_again(store):
    val, test = (
        run(LANDMARKS, 0.5),
        on_test(LANDMARKS, trained_on="train+val", recipe={"name": LANDMARKS, "final": [1]}),
    )
    record(store, val, test)
    plan = planned(store, (sent_run(test, score=0.3),))
    assert whys(plan) == [("best single solution", LANDMARKS, "train")]
    shift = 0.3 - val.score()["value"]
    assert any(f"differ from val by {shift:+.3f} (mean of 1)" in note for note in plan.notes)


def test_a_test_run_tells_how_large_test_is(store):
    record(store, run(LANDMARKS, 0.5), on_test(TINY))
    smaller, plan = planned(store), None
    assert any("24; val has 12" in note for note in smaller.notes)
    low, high = smaller.outlook.intervals[0]
    other = Store(store.path.with_name("other.duckdb"))
    record(other, run(LANDMARKS, 0.5))
    plan = planned(other)
    assert any("no run on test says how many it has" in note for note in plan.notes)
    wide = plan.outlook.intervals[0]
    assert (high - low) / (wide[1] - wide[0]) == pytest.approx(np.sqrt(1.5 / 2), rel=0.05)


def test_used_slots_and_missing_tasks_are_refused(store):
    record(store, run(LANDMARKS, 0.5), on_test(LANDMARKS))
    sent = tuple(sent_run(on_test(LANDMARKS), k) for k in range(1, 6))
    with pytest.raises(UsageError, match="all 5 slots of EXPR, edition 10, are used"):
        planned(store, sent)
    assert planned(store, sent, slots=7).left == 2
    assert planned(store, sent, edition=11).left == 5
    with pytest.raises(UsageError, match="edition 7 has no EMI"):
        load_plan(store, EMI, (), Places(), edition=7)


def test_a_task_without_runs_says_how_to_make_some(store):
    with pytest.raises(DataError, match="no scored run of EXPR on val"):
        planned(store)
    record(store, run(LANDMARKS, 0.5))
    with pytest.raises(DataError, match="no scored run of VA on val"):
        load_plan(store, TASKS["VA"], (), Places())


# commands


def test_commands_repeat_the_options_of_the_runs(store):
    options = {"crops": "cropped_aligned", "ignore_lengths": "True", "device": "cpu", "template": "/x"}
    a, b = run(LANDMARKS, 0.5, options=options), run(TINY, 0.4, seed=3)
    mix = blend_of(a, b, blend={"weights": [0.3, 0.7]}, smoothing={"half_width": {"candidates": [0, 5]}}, skill=0.6)
    record(store, a, b, mix)
    plan = load_plan(store, EXPR, (), Places(out="my runs"))
    by_role = {(own.why, own.name): [shlex.split(line) for line in own.commands] for own in plan.submissions}
    data = ["--data", "/data/Aff Wild2"]
    flags, out = ["--crops", "cropped_aligned", "--ignore-lengths", "--device", "cpu"], ["--out", "my runs"]
    alone = ["abaw", "submit", LANDMARKS, "--seed", "0", *data, *flags]
    assert by_role["best single solution", LANDMARKS] == [[*alone, *out]]
    parts = by_role["trained on train and val", "expr/mix"]
    assert parts[0] == [*alone, "--train-on", "train+val", *out]
    assert parts[1] == ["abaw", "submit", TINY, "--seed", "3", *data, "--train-on", "train+val", *out]
    assert parts[2] == [
        "abaw", "blend", a.run_id, b.run_id, "--task", "EXPR", *data, "--split", "test", "--name", "mix", "--weights",
        "0.3,0.7", "--smooth", "--crops", "cropped_aligned", "--ignore-lengths", "--train-on", "train+val", *out,
    ]  # fmt: skip
    assert any("not at /data/Aff Wild2 on this machine" in note for note in plan.notes)
    here = load_plan(store, EXPR, (), Places(data=str(store.path.parent)))
    assert not any("on this machine" in note for note in here.notes)


def test_a_blend_whose_parts_are_gone_is_left_out(store):
    gone = run(TINY, 0.4)
    a = run(LANDMARKS, 0.5)
    record(store, a, blend_of(a, gone, skill=0.6))
    assert {own.name for own in planned(store).submissions} == {LANDMARKS}


def test_a_pretrained_solution_has_no_train_and_val_slot(store):
    bare = scored_run("va/abaw10-mt-ddamfn-pretrained", 0.5, task=TASKS["VA"], data=DATA)
    record(store, bare)
    plan = load_plan(store, TASKS["VA"], (), Places())
    assert [own.trained_on for own in plan.submissions] == ["train"]


# the command


@pytest.mark.parametrize("form", ["text", "md", "csv", "latex", "json"])
def test_the_command_prints_in_every_form(form, store, tmp_path):
    record(store, run(LANDMARKS, 0.5), run(TINY, 0.4))
    done = CliRunner(env={"COLUMNS": "220"}).invoke(
        cli, ["plan", "--task", "expr", "--out", str(tmp_path / "out"), "--format", form]
    )
    assert done.exception is None, done.output
    assert "train+val" in done.output
    assert "abaw submit" in done.output.replace("\\", "")
    if form == "text":
        assert "Expected score of the best of these 4: " in done.output
        assert "heads trained on train alone" not in done.output.partition("No.")[0]
    if form == "json":
        content = json.loads(done.output)
        assert content["expected_maximum"] >= max(own["expected"] for own in content["submissions"])
        assert content["submissions"][0]["commands"][0].startswith("abaw submit ")


def test_plain_data_and_table_hold_the_same_numbers(store):
    record(store, run(LANDMARKS, 0.5), run(TINY, 0.4))
    plan = planned(store)
    rows, plain = plan_table(plan).rows, plain_plan(plan)["submissions"]
    assert [row["expected"] for row in rows] == [row["expected"] for row in plain]
    assert all(row["val"] == pytest.approx(row["expected"] + row["luck"]) for row in plain)


def test_the_ledger_of_the_runs_folder_counts(store, tmp_path):
    record(store, run(LANDMARKS, 0.5))
    file = tmp_path / "predictions.txt"
    file.write_text("x\n")
    ledger = Ledger(tmp_path / "out")
    ledger.send(file, "EXPR", despite=True)
    done = CliRunner().invoke(cli, ["plan", "--task", "EXPR", "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(done.output)["left"] == 4
    assert Path(ledger.path).is_file()


def test_hidden_runs_that_were_sent_still_count_as_sent(store, tmp_path):
    val, test, other = run(LANDMARKS, 0.5), on_test(LANDMARKS), run(TINY, 0.4)
    expected = None
    for hidden in ((), (test,), (test, val)):
        for own in (val, test):
            folder = tmp_path / own.run_id
            folder.mkdir(exist_ok=True)
            Marks(hidden=own in hidden).write(folder)
            store.record([(own, folder)])
        record(store, other)
        plan = planned(store, (sent_run(test, score=0.3),))
        shift = 0.3 - val.score()["value"]
        assert any(f"differ from val by {shift:+.3f} (mean of 1)" in note for note in plan.notes)
        expected = expected or whys(plan)
        assert whys(plan) == [row for row in expected if val not in hidden or row[1] == TINY]


def test_stride_is_repeated_and_is_another_solution(store):
    whole = run(LANDMARKS, 0.6, created="2026-11-22T10:00:00+00:00")
    options, recipe = {"stride": "3"}, {"name": LANDMARKS, "stride": 3}
    thin = run(LANDMARKS, 0.5, created="2026-11-22T11:00:00+00:00", run_id="thin", options=options, recipe=recipe)
    record(store, whole, thin)
    commands = {own.val_run_id: own.commands for own in planned(store).submissions if own.trained_on == "train"}
    assert set(commands) == {whole.run_id, "thin"}
    assert "--stride" not in commands[whole.run_id][0]
    assert commands["thin"][0].endswith("--stride 3")


def test_edition_of_the_settings_is_that_of_the_plan(store, monkeypatch):
    record(store, run(LANDMARKS, 0.5))
    monkeypatch.setenv("ABAW_EDITION", "11")
    shown = CliRunner().invoke(cli, ["plan", "--task", "EXPR", "--store", str(store.path)])
    assert "5 of 5 slots, edition 11" in shown.stdout
    named = CliRunner().invoke(cli, ["plan", "--task", "EXPR", "--store", str(store.path), "--edition", "10"])
    assert "edition 10" in named.stdout
    assert CliRunner().invoke(cli, ["plan", "--task", "EXPR", "--edition", "0"]).exit_code == 2


@pytest.mark.parametrize("spelling", ["TRAIN+VAL", "val", "Train, Val", "trainval", "train and validation"])
def test_heads_that_have_seen_val_have_no_score_however_spelt(store, spelling):
    """Neither rank, nor best score, nor place behind a run on test."""
    seen = run(LANDMARKS, 0.99, trained_on=spelling, run_id="seen")
    assert seen.has_seen_its_split
    test = on_test(LANDMARKS)
    record(store, seen, test, run(TINY, 0.4))
    values = store.runs().set_index("run_id")["value"]
    assert np.isnan(values["seen"])
    assert set(own_best(store)) == {TINY}
    assert promised_by(store, [test.run_id]).empty
    assert {own.name for own in planned(store).submissions} == {TINY}


@pytest.mark.parametrize("spelling", ["train", "", "not known", "evaluation of train", "interval"])
def test_heads_that_have_not_seen_val_keep_their_score(store, spelling):
    record(store, run(LANDMARKS, 0.9, trained_on=spelling))
    assert store.runs()["value"].notna().all()
    assert set(own_best(store)) == {LANDMARKS}


def test_hidden_run_is_no_best_run(store, tmp_path):
    Marks(hidden=True).write(tmp_path)
    store.record([(run(LANDMARKS, 0.9), tmp_path)])
    record(store, run(LANDMARKS, 0.5, run_id="shown"))
    assert own_best(store)[LANDMARKS].run_id == "shown"
