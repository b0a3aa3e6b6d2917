"""Command ``abaw export mlflow``: runs in an MLflow store, written by MLflow's own client."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import out_options
from harness.errors import MissingDependencyError, StorageError, install_command
from harness.settings import load_settings
from harness.system.counts import counted
from leaderboard.export.portable import PortableRun
from leaderboard.export.writing import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_ID, CONTENT, REMARK = "abaw.run_id", "abaw.content", "abaw.remark"
"""Tags of an exported run: its id in our store, the digest of its record, and a caution about its scores."""
NOTE = "mlflow.note.content"
"""Tag that MLflow shows as the description."""
LONGEST = 6_000
"""Largest number of characters in an MLflow parameter; longer values stand only in ``run.json``."""
BATCH = 100
"""Number of parameters that MLflow accepts per call."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--to", "uri", required=True, metavar="URI", help="Tracking store: http://…, sqlite:///… or a folder.")
@click.option("--experiment", help="Its name in MLflow.  [default: abaw TASK SPLIT]")
@out_options
def mlflow(runs: tuple[str, ...], uri: str, experiment: str | None, out: Path | None, store: Path | None) -> None:
    """Write runs with scores and files to MLflow.

    Needs the extra mlflow. A run that is there already is left as it is; where its record has changed since, scores,
    tags and files are written again. Scores on synthetic data are called so in the run's name, a tag and its note.

    \b
    Example: abaw export mlflow 1a2b3c4d expr/tiny-mlp@1 --to http://localhost:5000
    """
    from harness.cli.results import run_folder

    settings = load_settings(out=out, store=store)
    results = open_store(settings)
    portable = [PortableRun.of(run_folder(results, name, settings.out)) for name in runs]
    client = _client(uri)
    each = {run.record.run_id: run for run in portable}
    states = [_export(client, run, experiment, uri) for run in each.values()]
    for state in ("written", "updated", "there already"):
        if n := states.count(state):
            click.echo(f"{uri}: {counted(n, 'run')} {state}", err=True)


def _client(uri: str) -> MlflowClient:
    """Return MLflow's client of a tracking store.

    Raises:
        MissingDependencyError: MLflow is not installed.
        StorageError: this MLflow can't open a store of this kind.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default of 7 takes minutes without a server
    if "://" not in uri:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # folders work only with this setting
        uri = Path(uri).resolve().as_uri()
    try:
        from mlflow import MlflowClient
    except ImportError:
        what = "MLflow is not installed, which abaw export mlflow works with"
        raise MissingDependencyError(what, do=install_command("mlflow")) from None
    from mlflow.exceptions import MlflowException

    try:
        return MlflowClient(tracking_uri=uri)
    except (MlflowException, ImportError) as error:
        do = "Name a server or a folder; for a database install the whole of it: pip install mlflow"
        raise StorageError("MLflow opens no such store", where=uri, found=_first_line(error), do=do) from error


def _export(client: MlflowClient, run: PortableRun, experiment: str | None, uri: str) -> str:
    """Write a new or changed run; return ``written``, ``updated`` or ``there already``.

    Raises:
        StorageError: MLflow refuses the run.
    """
    from mlflow.exceptions import MlflowException

    try:
        return _exported(client, run, experiment or f"abaw {run.record.task} {run.record.split}")
    except (MlflowException, OSError) as error:
        raise StorageError("MLflow does not take the run", where=uri, found=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _exported(client: MlflowClient, run: PortableRun, experiment: str) -> str:
    from harness.system.provenance import digest_of

    content = digest_of(run.record.plain())
    place = client.get_experiment_by_name(experiment)
    experiment_id = place.experiment_id if place else client.create_experiment(experiment)
    quote = '"' if "'" in run.record.run_id else "'"
    same = f"tags.`{RUN_ID}` = {quote}{run.record.run_id}{quote}"
    earlier = client.search_runs([experiment_id], same, max_results=1)
    if earlier and earlier[0].data.tags.get(CONTENT) == content and earlier[0].info.status == "FINISHED":
        return "there already"
    tags = {RUN_ID: run.record.run_id}
    there = earlier[0] if earlier else client.create_run(experiment_id, run_name=run.title, tags=tags)
    _write(client, run, there)
    client.set_tag(there.info.run_id, CONTENT, content)  # last: a run without it is written again
    client.set_terminated(there.info.run_id)
    return "updated" if earlier else "written"


def _write(client: MlflowClient, run: PortableRun, there: Any) -> None:
    from mlflow.entities import Metric, Param, RunTag

    moment = int(time.time() * 1000)
    parameters = [
        Param(name, text)
        for name, text in run.parameters().items()
        if name not in there.data.params and len(text) <= LONGEST
    ]
    numbers = [Metric(name, value, moment, 0) for name, value in run.numbers().items()]
    tags = {"task": run.record.task, "split": run.record.split, "abaw.created": run.record.created}
    tags |= {REMARK: run.remark, NOTE: _note(run)}
    for k in range(0, max(len(parameters), 1), BATCH):
        client.log_batch(there.info.run_id, params=parameters[k : k + BATCH])
    for k in range(0, len(numbers), BATCH):
        client.log_batch(there.info.run_id, metrics=numbers[k : k + BATCH])
    client.log_batch(there.info.run_id, tags=[RunTag(name, text) for name, text in tags.items()])
    with tempfile.TemporaryDirectory(prefix="abaw-mlflow-") as temporary:
        run.copy_files(Path(temporary))
        client.log_artifacts(there.info.run_id, temporary)


def _note(run: PortableRun) -> str:
    lines = [f"**{run.remark}**"] if run.remark else []
    data = run.record.data.get("name")
    lines.append(
        f"{run.record.task} on {data}, {run.record.split}. Intervals: 95 %, bootstrap over {run.record.unit}s."
    )
    return "\n\n".join([*lines, *run.record.notes])
