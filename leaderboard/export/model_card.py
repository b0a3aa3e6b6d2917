"""Command ``abaw export huggingface``: a run as a folder, ready for a repository of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import out_options
from harness.errors import StorageError
from harness.records.files import RUN_FILE
from harness.settings import load_settings
from harness.system.atomic import atomic_folder
from harness.system.counts import some
from harness.system.regular import is_taken
from leaderboard.export.portable import SEEN_IN_TRAINING, PortableRun
from leaderboard.export.writing import open_store

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

CARD, RESULTS = "README.md", "results"
KINDS = {"VA": "regression", "EMI": "regression"}
"""The Hub's term for the kind of a task; tasks that are missing here are classifications."""


@click.command()
@click.argument("run")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="The new folder.")
@click.option("--replace", is_flag=True, help="Put it in the place of an earlier one.")
@out_options
def huggingface(run: str, folder: Path, replace: bool, out: Path | None, store: Path | None) -> None:
    """Write a run as a folder for Hugging Face.

    README.md with a card whose model-index holds the scores, results as CSV and Parquet, and the run's files. Nothing
    is uploaded; the last line says how to. Scores on synthetic data are called so in the card and in every row.

    \b
    Example: abaw export huggingface 1a2b3c4d --to card
    """
    import pandas as pd

    from harness.cli.results import run_folder

    _refuse_inside_run(folder)
    if replace:
        _refuse_strangers(folder)
    settings = load_settings(out=out, store=store)
    portable = PortableRun.of(run_folder(open_store(settings), run, settings.out))
    with atomic_folder(folder, replace=replace) as temporary:
        portable.copy_files(temporary / portable.folder.resolve().name)
        rows = pd.DataFrame(portable.score_rows())
        rows.to_csv(temporary / f"{RESULTS}.csv", index=False, lineterminator="\n")
        rows.to_parquet(temporary / f"{RESULTS}.parquet", index=False)
        (temporary / CARD).write_bytes(card(portable).encode())
    click.echo(
        f"{folder}: {portable.title}. Its run.json names the folder of your data and this machine: read it first"
    )
    click.echo(f"To upload: hf upload YOU/NAME {folder} .")


def _refuse_inside_run(folder: Path) -> None:
    """Refuse a place inside a run's folder, which holds what the run wrote and is removed or copied as a whole.

    Raises:
        StorageError: the place is a run's folder, or lies in one.
    """
    place = folder.resolve()
    home = next((parent for parent in (place, *place.parents) if is_taken(parent / RUN_FILE)), None)
    if home is not None:
        raise StorageError(
            "a run can't be exported into a run's folder",
            where=folder,
            found=f"the run in {home}",
            expected="a place outside of all runs",
            do="Name another folder, such as --to card",
        )


def _refuse_strangers(folder: Path) -> None:
    """Refuse to replace anything but an empty folder or one that this command wrote, as a folder is replaced whole.

    Raises:
        StorageError: something else lies there.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StorageError("this is no folder", where=folder, do="Name another place")
    contents = sorted(folder.iterdir()) if folder.is_dir() else []
    written = {CARD, f"{RESULTS}.csv", f"{RESULTS}.parquet"}
    others = [path for path in contents if path.name not in written]
    runs = [path for path in others if (path / RUN_FILE).is_file()]
    if contents and (len(others) > 1 or others != runs or not (folder / CARD).is_file()):
        what = "a folder is replaced as a whole, and this one is no earlier export of a run"
        finding = some([path.name for path in contents])
        raise StorageError(
            what, where=folder, found=finding, expected=", ".join(sorted(written)), do="Name a new folder"
        )


def card(run: PortableRun) -> str:
    """Return the text of a model card: YAML with a model-index, then a description of the run and its scores."""
    from huggingface_hub import ModelCard, ModelCardData

    record = run.record
    data = ModelCardData(
        model_name=run.title,
        tags=["abaw", record.task, *(["synthetic-data"] if run.is_synthetic else [])],
        metrics=sorted({row["metric"] for row in record.scores}) or None,
        eval_results=_results(run) or None,
    )
    text = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_words(run)}").content
    return str(text)


def _results(run: PortableRun) -> list[EvalResult]:
    """Return the headline scores as entries of the model-index: the official score first, then each class."""
    from huggingface_hub import EvalResult

    from harness.records.run import HEADLINE

    record = run.record
    name = str(record.data.get("name", ""))
    remark = f" ({run.remark})" if run.remark else ""
    kind = f"{'video' if record.task in ('VD', 'EMI', 'AHV') else 'image'}-{KINDS.get(record.task, 'classification')}"
    return [
        EvalResult(
            task_type=kind,
            task_name=f"ABAW {record.task}",
            dataset_type="abaw",
            dataset_name=f"{name}{remark}",
            dataset_split=record.split,
            dataset_config=record.task,
            metric_type=row["metric"],
            metric_name=_metric_name(run, row["metric"], row["target"]),
            metric_value=row["value"],
            metric_args={"low": row["low"], "high": row["high"], "target": row["target"], "version": row["version"]},
            verified=False,
        )
        for row in record.scores
        if row["estimate"] == HEADLINE
    ]


def _metric_name(run: PortableRun, metric: str, target: str) -> str:
    from harness.metrics.titles import score_title

    start = f"{SEEN_IN_TRAINING}: " if run.record.has_seen_its_split else ""
    return start + score_title(metric, target)


def _words(run: PortableRun) -> str:
    from harness.board.tables.run import run_tables
    from harness.metrics.titles import interval_text
    from harness.records.run import CONSTANT
    from harness.tables.forms import FORMS, markdown

    record = run.record
    remark = f"> **{run.remark[0].upper()}{run.remark[1:]}.**\n\n" if run.remark else ""
    parts = ("task", "split", "seed", "encoder", "head", "postprocess", "trained_on", "tuned_on")
    facts = "\n".join(f"- {part.replace('_', ' ')}: {markdown(str(getattr(record, part)))}" for part in parts)
    official = record.score()
    if official:
        numbers = interval_text(official["value"], official["low"], official["high"])
        facts += f"\n- **{_metric_name(run, official['metric'], 'all')}: {numbers}**"
        constant = record.score(CONSTANT, metric=official["metric"])
        facts += f"\n- the best constant, {markdown(str(record.constant))}: {constant['value']:.3f}" if constant else ""
    tables = run_tables(record)
    first = next(iter(tables), None)
    table = FORMS["md"][0](tables[first]) if record.scores and first else "This split has no labels here: no score.\n"
    notes = "".join(f"- {markdown(note)}\n" for note in record.notes)
    start = f"# {markdown(run.title)}\n\n{remark}A run of the solution {markdown(record.name)} for the ABAW challenge"
    end = (
        f"Intervals are 95 %, from a bootstrap over {record.unit}s. `results.csv` and `results.parquet` hold all "
        "scores; the official files and the record lie in the folder of the run's id, which `abaw import` reads.\n"
    )
    more = f"\n## Notes\n\n{notes}" if notes else ""
    name = markdown(str(record.data.get("name")))
    return f"{start}, task {record.task}, on {name}.\n\n{facts}\n\n## Scores\n\n{table}\n{end}{more}"
