"""The solution to start with: the user's best on real data, else the simplest that needs no download."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board.first_choice import first_choices
from harness.board.own_best import OwnBest
from harness.cli.demo import SOLUTIONS
from harness.plugins.interface import SolutionEntry
from harness.plugins.needs import Need
from harness.plugins.registry import needs_of_solution, solution_entries
from harness.settings import Settings
from harness.tasks import EMI, EXPR, TASKS


def entry(name: str, encoder: str = "one", head: str = "mlp", steps: str = "gaps filled", **more) -> SolutionEntry:
    return SolutionEntry(name, EXPR, "", lambda settings: None, encoder=encoder, head=head, postprocess=steps, **more)


FETCHED = Need("weights", "enet", "abaw weights fetch enet", here=True)
MISSING = replace(FETCHED, here=False)
EXTRA = Need("package", "mediapipe", "pip install", here=True)


def choice(entries, needs=None, best=None):
    found = first_choices(entries, needs or {}, best or {}, demo=("expr/demo",)).get("EXPR")
    return (found.name, found.why) if found else None


def test_a_single_row_goes_before_a_blend():
    rows = [entry("expr/blend", "one + two", "mlp + mlp"), entry("expr/single")]
    assert choice(rows) == ("expr/single", "simplest, no download")


def test_few_encoders_smoothed_with_few_steps_win():
    rows = [
        entry("expr/wide", "one + two", steps="gaps filled, smoothed"),
        entry("expr/plain"),
        entry("expr/adjusted", steps="gaps filled, GLA, smoothed"),
        entry("expr/smooth", steps="gaps filled, smoothed"),
    ]
    assert choice(rows)[0] == "expr/smooth"


def test_encoders_of_the_demo_come_last():
    rows = [
        entry("expr/demo", "drawn"),
        entry("expr/demo-smooth", "drawn", steps="smoothed"),
        entry("expr/ours", "a + b"),
    ]
    assert choice(rows)[0] == "expr/ours"
    assert choice(rows[:2])[0] == "expr/demo-smooth"


def test_rows_without_their_weights_are_passed_over():
    rows = [entry("expr/heavy"), entry("expr/light", "one + two")]
    assert choice(rows, {"expr/heavy": [FETCHED], "expr/light": [EXTRA]})[0] == "expr/light"
    assert choice(rows[:1], {"expr/heavy": [FETCHED]}) == ("expr/heavy", "its weights are here")
    assert choice(rows[:1], {"expr/heavy": [MISSING]}) is None


def test_the_best_recorded_score_on_real_data_decides():
    rows = [
        entry("expr/simple"),
        entry("expr/blend", "a + b", "mlp + mlp"),
        entry("expr/blend@text", variant_of="expr/blend"),
    ]
    best = {
        "expr/simple": OwnBest(0.3, "r1", "Aff-Wild2", "x"),
        "expr/blend@text": OwnBest(0.4, "r2", "Aff-Wild2", "x"),
    }
    assert choice(rows, best=best) == ("expr/blend@text", "your best: 0.4000")
    assert choice(rows, {"expr/blend@text": [MISSING]}, best)[0] == "expr/simple"
    drawn = {name: replace(run, data_name="abaw-synth") for name, run in best.items()}
    assert choice(rows, best=drawn)[0] == "expr/simple"
    assert "simplest" in choice(rows, best=drawn)[1]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_single_row_without_download(task, tmp_path):
    entries = list(solution_entries().values())
    needs = {e.name: needs_of_solution(e.name, Settings(cache=tmp_path)) or [] for e in entries}
    light = [e for e in entries if all(need.kind == "package" for need in needs[e.name])]
    all_here = {e.name: [replace(need, here=True) for need in needs[e.name]] for e in light}
    chosen = first_choices(light, all_here, {}, demo=SOLUTIONS)[task]
    first = solution_entries()[chosen.name]
    assert " + " not in first.head
    assert all(need.kind == "package" for need in needs[chosen.name])
    if task == EMI.name:
        assert chosen.name == "emi/voice"
