"""A paper's table in one go: rows share what they can, ours stands beside the paper's, and what is missing is said."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.errors import DataError
from harness.settings import Settings
from solutions.streams import training
from tests.support import published_files as pretrained
from tests.support import shortened

pytestmark = pytest.mark.slow

Reproduce = Callable[..., Result]
TABLE = (
    "abaw10:table2"  # valence and arousal: three rows on MT-DDAMFN, one on sound, one on features that a team brings
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Iterator[Path]:
    """Return a cache with the weights of MT-DDAMFN, which has few layers meanwhile; recipes are cut down."""
    folder = tmp_path_factory.mktemp("cache")
    with pretrained.small_networks(), shortened.cut_down_recipes():
        pretrained.bring("ddamfn_8_mtl", Settings(cache=folder), tmp_path_factory.mktemp("published"))
        yield folder


@pytest.fixture(scope="module")
def data(drawn_once, tmp_path_factory) -> Path:
    """Return the drawn data set with a crop of every sixth frame."""

    def dense(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.endswith(".jpg") and int(Path(name).stem) % 6]

    return Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("sparse") / "data", ignore=dense))


@pytest.fixture
def reproduce(cache, data, tmp_path, monkeypatch) -> Reproduce:
    monkeypatch.setattr("solutions.encoders.backends.torch.export", None)  # a graph takes longer than so few crops

    def run(*arguments: str) -> Result:
        places = ["--data", str(data), "--cache", str(cache), "--out", str(tmp_path / "out"), "--device", "cpu"]
        return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["reproduce", *arguments, *places])

    return run


def test_a_table_is_run_and_what_is_missing_is_said(reproduce):
    done = reproduce(TABLE, "--json")
    assert done.exit_code == 1
    rows = {row["row_id"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["wav2vec2", "libreface-mlp", "mt-ddamfn-pretrained", "mt-ddamfn-mlp", "mt-ddamfn-mlp-smooth"]
    assert rows["mt-ddamfn-mlp-smooth"]["published"] == 0.562
    ran = [name for name, row in rows.items() if row["ours"]]
    assert ran == ["mt-ddamfn-pretrained", "mt-ddamfn-mlp", "mt-ddamfn-mlp-smooth"]
    for name in ran:
        ours = rows[name]["ours"]
        assert ours["low"] <= ours["mean"] <= ours["high"]
        assert (ours["optimism"] is None) == (name == "mt-ddamfn-pretrained")
    states = {name: row["state"] for name, row in rows.items() if not row["ours"]}
    assert states == {"wav2vec2": "needs weights wav2vec2-base-960h", "libreface-mlp": "needs features libreface"}
    assert rows["mt-ddamfn-mlp"]["state"] == "run"
    assert "abaw weights fetch wav2vec2-base-960h" in rows["wav2vec2"]["reason"]
    assert "precomputed" in rows["libreface-mlp"]["reason"]


def test_on_a_terminal(reproduce):
    done = reproduce(TABLE)
    assert done.exit_code == 1
    for words in (
        "MT-DDAMFN, MLP, smoothing",
        "0.562",
        "needs weights wav2vec2-base-960h",
        "needs features libreface",
        "not run: wav2vec2",
        "because",
        "the best constant",
        "tuned on",
    ):
        assert words in done.stdout, words
    assert "not run yet" not in done.stdout
    assert "libreface-mlp: needs features libreface" in done.stderr


@pytest.mark.parametrize("form", ["md", "csv", "latex"])
def test_other_forms_name_missing_weights_and_failures(reproduce, cache, form):
    broken = cache / "precomputed/libreface"
    broken.mkdir(parents=True)
    (broken / "nobody.npy").write_bytes(b"")
    try:
        done = reproduce(TABLE, "--format", form)
    finally:
        shutil.rmtree(broken)
    plain = done.stdout.replace("\\", "").replace("{", "").replace("}", "")
    assert "needs weights wav2vec2-base-960h" in plain
    assert "failed: " in plain
    assert re.search("failed: .*lacks [0-9]+ of [0-9]+ videos", plain)
    assert "not run yet" not in plain


def test_states_equal_those_of_the_papers_table(reproduce, cache, tmp_path):
    done = reproduce(TABLE, "--json")
    states = [row["state"] for row in json.loads(done.stdout)]
    places = ["--out", str(tmp_path / "out"), "--format", "json"]
    shown = CliRunner(env={"ABAW_CACHE": str(cache)}).invoke(cli, ["export", "papers", TABLE, *places])
    assert shown.exit_code == 0, shown.output
    exported = {row["system"]: row["state"] for row in json.loads(shown.stdout)["rows"]}
    assert [exported[row["system"]] for row in json.loads(done.stdout)] == states


def test_rows_share_heads_and_nothing_is_run_twice(reproduce, monkeypatch):
    trained = []
    train = training.train_head

    def counted(settings, *arguments, **named):
        trained.append((settings.words, named["seed"]))
        return train(settings, *arguments, **named)

    monkeypatch.setattr(training, "train_head", counted)
    wanted = f"{TABLE}:mt-ddamfn-mlp", f"{TABLE}:mt-ddamfn-mlp-smooth"
    first = [json.loads(reproduce(row, "--json", "--seeds", "2").stdout) for row in wanted]
    assert set(trained) <= {("linear", 0), ("linear", 1)}
    assert len(trained) == len(set(trained)), "two rows of one head trained it twice"
    before = len(trained)
    again = [json.loads(reproduce(row, "--json", "--seeds", "2").stdout) for row in wanted]
    assert again == first
    assert len(trained) == before
    reproduce(wanted[0], "--fresh")
    assert len(trained) == before + 1


def test_seeds_have_a_mean_and_a_spread(reproduce):
    done = reproduce(f"{TABLE}:mt-ddamfn-mlp", "--seeds", "3", "--json")
    assert done.exit_code == 0
    ours = json.loads(done.stdout)[0]["ours"]
    assert ours["seeds"] == [0, 1, 2]
    assert ours["sd"] > 0
    assert min(ours["values"]) < ours["mean"] < max(ours["values"])


def test_data_that_is_not_there_is_no_row_that_failed(cache, tmp_path):
    done = CliRunner().invoke(cli, ["reproduce", TABLE, "--data", str(tmp_path / "nowhere"), "--cache", str(cache)])
    assert isinstance(done.exception, DataError)


def test_a_variant_of_each_row_is_run_by_name(reproduce):
    by_text = json.loads(reproduce(f"{TABLE}:mt-ddamfn-mlp", "--variant", "text", "--json").stdout)[0]
    assert by_text["solution"] == "va/abaw10-mt-ddamfn-mlp@text"
    assert by_text["ours"]
    done = reproduce(f"{TABLE}:mt-ddamfn-mlp", "--variant", "paper", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["reason"] == "no variant @paper of this row"


def test_a_row_without_that_variant_says_so_in_its_state(reproduce):
    done = reproduce(f"{TABLE}:mt-ddamfn-mlp", "--variant", "paper")
    assert done.exit_code == 1
    assert "no solution for it" not in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("MT-DDAMFN, MLP")]
    assert row.endswith("no variant @paper of this row")
