"""``abaw solutions``: names that can be copied, whatever the terminal's width."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from harness.cli.main import cli


@pytest.mark.parametrize("task", ["EMI", "AH", "VD", "EXPR"])
@pytest.mark.parametrize("width", [80, 200])
def test_names_stay_in_one_piece(task: str, width: int) -> None:
    listed = json.loads(CliRunner().invoke(cli, ["solutions", "--task", task, "--json"]).stdout)
    shown = CliRunner(env={"COLUMNS": str(width)}).invoke(cli, ["solutions", "--task", task]).stdout
    first = [line.split()[0] for line in shown.splitlines() if line and not line.startswith(" ")]
    assert [name for name in first if "/" in name and name.split("/")[0] in ("emi", "ah", "ahv", "vd", "expr")] == [
        solution["name"] for solution in listed
    ]
    assert max(len(line) for line in shown.splitlines() if "to get it: " not in line) <= width  # commands stay whole


def test_narrow_list_has_each_published_score() -> None:
    (row,) = [
        solution
        for solution in json.loads(CliRunner().invoke(cli, ["solutions", "--task", "EMI", "--json"]).stdout)
        if solution["name"] == "emi/abaw8-hubert-emb-mean"
    ]
    shown = " ".join(CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["solutions", "--task", "EMI"]).stdout.split())
    for target, value in row["published_targets"].items():
        assert f"{target} {value:.4f}" in shown
