"""The examples run as they stand, and print what their pages say."""

from __future__ import annotations

import json
import os
import runpy
import tomllib
from pathlib import Path

import pytest

from tests.support.places import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
NOTEBOOK = EXAMPLES / "frames_to_submission.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_validate_file_lists_both_damages(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "validate_file.py"))
    first, second, *problems = capsys.readouterr().out.splitlines()
    assert "without errors, 7 rows, 2 videos" in first
    assert second == "damaged: valid is False"
    assert [line.split(": ")[0].rpartition("/")[2] for line in problems] == ["damaged.txt:3:18", "damaged.txt:8:1"]
    assert "[range]" in problems[0]
    assert "[missing]" in problems[1]
    assert not any(tmp_path.iterdir()), "files of the user are left alone"


def test_score_arrays_equals_scikit_learn():
    from sklearn.metrics import f1_score

    space = runpy.run_path(str(EXAMPLES / "score_arrays.py"))
    pairs = [(y, p) for v in space["labels"] for y, p in zip(space["labels"][v], space["predictions"][v], strict=True)]
    labels, decisions = zip(*[pair for pair in pairs if pair[0] >= 0], strict=True)
    assert len(labels) == 20 * 300 - 30
    assert space["headline"].value == pytest.approx(f1_score(labels, decisions, average="macro"), abs=1e-12)


def test_compare_runs_finds_the_less_noisy_run(capsys):
    space = runpy.run_path(str(EXAMPLES / "compare_runs.py"))
    difference, a, b = space["difference"], space["a"].headline, space["b"].headline
    assert difference.difference == pytest.approx(a.value - b.value)
    assert difference.high - difference.low < min(a.high - a.low, b.high - b.low)
    assert "A is better" in capsys.readouterr().out


def test_plugin_package_offers_its_entry_point():
    project = tomllib.loads((EXAMPLES / "plugin/pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, attribute = project["entry-points"]["abaw.solutions"]["nearest-colour"].partition(":")
    space = runpy.run_path(str(EXAMPLES / "plugin" / f"{module}.py"))
    assert [entry.name for entry in space[attribute].solutions()] == ["expr/nearest-colour"]


@pytest.mark.process
@pytest.mark.slow
def test_notebook_goes_from_frames_to_a_valid_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    space: dict[str, object] = {"__name__": "__main__"}
    for cell in CELLS:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), space)  # noqa: S102
    assert space["report"].valid
    official, template = Path(space["official"]), Path(space["template"])
    rows = [line.partition(",")[0] for line in official.read_text(encoding="utf-8").splitlines()]
    assert rows == [line.partition(",")[0] for line in template.read_text(encoding="utf-8").splitlines()]
    assert space["cards"][0].headline.value == pytest.approx(space["headline"]["value"], abs=1e-12)
    printed = capsys.readouterr().out
    assert "no problems" in printed
    assert "synthetic validation videos" in printed
    assert printed.count("tiny-mlp-smooth-") == 2


def test_notebook_is_stored_without_outputs():
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
