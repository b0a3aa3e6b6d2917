"""Runs for MLflow and for the Hugging Face Hub: every number, once, and synthetic data by its name."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from huggingface_hub import ModelCard

from harness.datasets.identity import PUBLISHED_ON, remark_on_data
from harness.errors import MissingDependencyError, StorageError, SubmissionError
from harness.records.run import RunRecord
from harness.system.provenance import sha256_of
from leaderboard.export.command import export
from leaderboard.export.portable import PortableRun
from tests.support.scored_runs import make_run

NEEDS_MLFLOW = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="needs the extra mlflow: pip install -e '.[mlflow]'"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path, score=0.4, data_name="abaw-synth", options={"seed": 0, "smooth": [1, 2]})


def write_run(place: Path, **changes: object) -> Path:
    record = make_run(**changes)
    folder = place / "runs" / record.task / record.run_id
    folder.mkdir(parents=True)
    predictions = folder / "predictions.txt"
    predictions.write_text("image,label\n", encoding="utf-8")
    changed = RunRecord.of({**record.plain(), "files": {"predictions.txt": sha256_of(predictions)}}, {})
    changed.write(folder)
    return folder


def call(*arguments: object, place: Path) -> Result:
    return CliRunner().invoke(export, [*map(str, arguments), "--out", str(place / "runs")])


def front_matter(card: Path) -> dict[str, object]:
    return yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])


# --- remarks


def test_remark_is_empty_for_published_data_alone():
    for task, name in PUBLISHED_ON.items():
        assert remark_on_data(name, task) == ""
        assert "synthetic" in remark_on_data("abaw-synth-dvd", task)
        assert "may be synthetic or derived" in remark_on_data("faces", task)
        assert remark_on_data(f"{name}, 12 of 70 validation videos", task).startswith(f"a part of {name}")
    assert "may be synthetic or derived" in remark_on_data("DVD", "EXPR")


def test_scores_of_heads_that_saw_the_split_have_other_names(tmp_path):
    run = PortableRun.of(write_run(tmp_path, trained_on="train+val"))
    scores = [name for name in run.numbers() if not name.startswith("timing.")]
    assert scores
    assert all(name.startswith("seen_in_training.") for name in scores)
    assert "no validation" in run.remark


# --- Hugging Face


def test_card_holds_every_headline_score(folder, tmp_path):
    done = call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    results = ModelCard.load(tmp_path / "card/README.md").data.eval_results  # as the Hub reads it
    record = RunRecord.read(folder)
    headline = [row for row in record.scores if row["estimate"] == "headline"]
    assert [(r.metric_type, r.metric_value, r.metric_args["target"], r.metric_args["low"]) for r in results] == [
        (row["metric"], row["value"], row["target"], row["low"]) for row in headline
    ]
    assert all("synthetic data" in result.dataset_name for result in results)
    text = (tmp_path / "card/README.md").read_text(encoding="utf-8")
    assert "**Synthetic data: " in text
    assert "macro-F1: 0.400 [0.370, 0.430]" in text
    assert "synthetic data" in front_matter(tmp_path / "card/README.md")["model-index"][0]["name"]


def test_results_are_the_same_as_csv_and_parquet(folder, tmp_path):
    call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    with (tmp_path / "card/results.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    table = pd.read_parquet(tmp_path / "card/results.parquet")
    assert [float(row["value"]) for row in rows] == table["value"].tolist()
    assert [row["value"] for row in RunRecord.read(folder).scores] == table["value"].tolist()
    assert all(row["remark"].startswith("synthetic data") for row in rows)
    assert set(table["run_id"]) == {folder.name}


def test_card_on_the_published_data_has_no_remark(tmp_path):
    folder = write_run(tmp_path, data_name="Aff-Wild2")
    call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    text = (tmp_path / "card/README.md").read_text(encoding="utf-8")
    assert "synthetic" not in text
    assert "derived" not in text


def test_card_of_a_split_without_labels_has_no_results(tmp_path):
    folder = write_run(tmp_path, score=None, split="test")
    done = call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "model-index" not in front_matter(tmp_path / "card/README.md")
    assert "no score" in (tmp_path / "card/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["card", "model/deep/card", "."])
@pytest.mark.parametrize("options", [(), ("--replace",)])
def test_folder_inside_a_run_is_refused(folder, tmp_path, place, options):
    before = sorted(folder.rglob("*"))
    done = call("huggingface", folder, "--to", folder / place, *options, place=tmp_path)
    assert isinstance(done.exception, StorageError)
    assert "a run can't be exported into a run's folder; found the run in " in str(done.exception)
    assert sorted(folder.rglob("*")) == before


def test_folder_holds_the_run_and_is_not_replaced_unasked(folder, tmp_path):
    card = tmp_path / "card"
    call("huggingface", folder, "--to", card, place=tmp_path)
    first = {path.relative_to(card): path.read_bytes() for path in card.rglob("*") if path.is_file()}
    assert RunRecord.read(card / folder.name) == RunRecord.read(folder)
    assert isinstance(call("huggingface", folder, "--to", card, place=tmp_path).exception, StorageError)
    assert call("huggingface", folder, "--to", card, "--replace", place=tmp_path).exit_code == 0
    assert {path.relative_to(card): path.read_bytes() for path in card.rglob("*") if path.is_file()} == first


def test_card_shows_foreign_names_as_plain_text(tmp_path):
    wild = "<img src=x>\n\n# [a](http://b)"
    folder = write_run(tmp_path, name="expr/<b>`x", data_name=wild, head=wild, notes=(wild,))
    call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    text = (tmp_path / "card" / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]
    assert not re.search(r"(?<!\\)<(img|b>)|^# \[a|(?<!\\)\[a", text, re.MULTILINE)


@pytest.mark.parametrize("place", ["runs", "runs/EXPR", "mine", "mine/paper.txt"])
def test_replace_spares_all_but_an_earlier_export(folder, tmp_path, place):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "paper.txt").write_text("weeks of work", encoding="utf-8")
    done = call("huggingface", folder, "--to", tmp_path / place, "--replace", place=tmp_path)
    assert isinstance(done.exception, StorageError)
    assert (tmp_path / "mine" / "paper.txt").read_text(encoding="utf-8") == "weeks of work"
    assert (folder / "run.json").is_file()


def test_changed_official_file_is_refused(folder, tmp_path):
    (folder / "predictions.txt").write_text("changed\n", encoding="utf-8")
    done = call("huggingface", folder, "--to", tmp_path / "card", place=tmp_path)
    assert isinstance(done.exception, SubmissionError)
    assert not (tmp_path / "card").exists()


# --- MLflow


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="the extra mlflow is installed")
def test_missing_mlflow_is_named_with_its_extra(folder, tmp_path):
    done = call("mlflow", folder, "--to", tmp_path / "mlruns", place=tmp_path)
    assert isinstance(done.exception, MissingDependencyError)
    assert "mlflow" in str(done.exception)


@pytest.fixture
def mlruns(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return tmp_path / "mlruns"


def stored_runs(mlruns: Path, experiment: str = "abaw EXPR val"):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=mlruns.as_uri())
    return client, client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


@NEEDS_MLFLOW
@pytest.mark.filterwarnings("ignore")
def test_mlflow_holds_parameters_scores_tags_and_files(folder, mlruns, tmp_path):
    done = call("mlflow", folder, "--to", mlruns, place=tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    client, (run,) = stored_runs(mlruns)
    assert run.data.params["solution"] == "expr/landmarks-mlp-smooth"
    assert (run.data.params["task"], run.data.params["seed"]) == ("EXPR", "0")
    assert json.loads(run.data.params["option.smooth"]) == [1, 2]
    record = RunRecord.read(folder)
    assert run.data.metrics["macro_f1"] == 0.4
    assert run.data.metrics["macro_f1.low"] == record.score()["low"]
    assert run.data.metrics["f1.Anger"] == record.score(metric="f1", target="Anger")["value"]
    assert run.data.metrics["constant.macro_f1"] == 0.0567
    assert "synthetic data" in run.data.tags["abaw.remark"]
    assert "synthetic data" in run.data.tags["mlflow.note.content"]
    assert "synthetic data" in run.info.run_name
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "predictions.txt", "run.json", "statistics.json",
    }  # fmt: skip


@NEEDS_MLFLOW
@pytest.mark.filterwarnings("ignore")
def test_second_export_to_mlflow_adds_no_run(folder, mlruns, tmp_path):
    assert "1 run written" in call("mlflow", folder, folder, "--to", mlruns, place=tmp_path).output
    assert "1 run there already" in call("mlflow", folder, "--to", mlruns, place=tmp_path).output
    _, runs = stored_runs(mlruns)
    assert len(runs) == 1


@NEEDS_MLFLOW
@pytest.mark.filterwarnings("ignore")
def test_changed_record_updates_its_mlflow_run(folder, mlruns, tmp_path):
    call("mlflow", folder, "--to", mlruns, place=tmp_path)
    record = RunRecord.read(folder)
    scores = [{**row, "value": 0.5} if row["target"] == "all" else row for row in record.scores]
    RunRecord.of({**record.plain(), "scores": scores}, {}).write(folder)
    assert "1 run updated" in call("mlflow", folder, "--to", mlruns, place=tmp_path).output
    _, (run,) = stored_runs(mlruns)
    assert run.data.metrics["macro_f1"] == 0.5


@NEEDS_MLFLOW
@pytest.mark.filterwarnings("ignore")
def test_store_that_mlflow_cannot_open_is_named(folder, mlruns, tmp_path):
    done = call("mlflow", folder, "--to", "nothing://here", place=tmp_path)
    assert isinstance(done.exception, StorageError)
    assert "nothing://here" in str(done.exception)


@NEEDS_MLFLOW
@pytest.mark.filterwarnings("ignore")
def test_interrupted_export_is_completed(folder, mlruns, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(PortableRun, "copy_files", lambda self, place: (_ for _ in ()).throw(KeyboardInterrupt))
        assert call("mlflow", folder, "--to", mlruns, place=tmp_path).exit_code != 0
    assert "1 run updated" in call("mlflow", folder, "--to", mlruns, place=tmp_path).output
    client, (run,) = stored_runs(mlruns)
    assert run.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"predictions.txt", "run.json"}
