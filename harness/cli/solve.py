"""``abaw solutions``, ``extract``, ``run``, ``submit``: from frames to official files and scores."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from harness.cli.options import (
    data_options,
    json_option,
    open_given,
    out_options,
    print_json,
    stride_option,
    work_options,
)
from harness.errors import UnknownNameError
from harness.settings import load_settings
from harness.system.console import Terminal
from harness.tasks import AH, AHV, SPLITS, Task, task_named

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset
    from harness.plugins.interface import SolutionEntry
    from harness.runs.runner import Finished

SPLIT = click.Choice(SPLITS)


@click.command()
@click.option("--task", help="Of this task only, such as EXPR; AH lists AHV, too.")
@click.option("--paper", help="Rows of this paper only: abaw8 or abaw10.")
@json_option
def solutions(task: str | None, paper: str | None, as_json: bool) -> None:
    """List every solution: what it is made of, which row of a paper it reproduces, that row's score.

    Variants are not listed, but in --json: their names are the same with @paper behind them (the paper's own constants,
    so that nothing is chosen on labels), @fixed (trained as a careful person would, where the authors' code is
    followed otherwise) or @frozen (pretrained encoders as they are, quick to train).

    \b
    Example: abaw solutions --task VD --paper abaw10
    """
    from harness.plugins.registry import solution_entries
    from harness.reference.papers import table_rows

    papers = {row.row.paper for row in table_rows()}
    if paper is not None and paper not in papers:
        raise UnknownNameError("paper", paper, papers)
    wanted = _wanted(task) if task else None
    every = solution_entries()
    variants: dict[str, list[str]] = {}
    for e in every.values():
        if e.variant_of:
            variants.setdefault(e.variant_of, []).append(e.name)
    entries = [
        e
        for e in every.values()
        if not e.variant_of and (wanted is None or e.task in wanted) and paper in (None, e.row.paper if e.row else None)
    ]
    if as_json:
        print_json([_listed(e, variants.get(e.name, [])) for e in entries])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("solution", overflow="fold")
    table.add_column("paper's table", no_wrap=True)
    table.add_column("its score", justify="right", no_wrap=True)
    targets = list(dict.fromkeys(target for e in entries for target in e.published_targets)) if wanted else []
    for target in targets:
        table.add_column(target, justify="right")
    for e in entries:
        needs = f" (extra: {', '.join(e.needs)})" if e.needs else ""
        source = f"{e.row.paper}:table{e.row.table}" if e.row else "–"
        own = [f"{e.published_targets[target]:.4f}" if target in e.published_targets else "–" for target in targets]
        what = Text.assemble(e.name, (f"\n  {e.summary}{needs}", "dim"))  # a name stays in one piece, to be copied
        table.add_row(what, source, "–" if e.published is None else f"{e.published:.4f}", *own)
    Terminal().print(table if entries else f"no solution for {task or paper} yet")


def _wanted(name: str) -> tuple[Task, ...]:
    """Return the tasks whose solutions are listed: the organisers and papers call both AH and AHV by one name."""
    task = task_named(name)
    return (task, AHV) if task is AH else (task,)


def _listed(entry: SolutionEntry, variants: Sequence[str]) -> dict[str, Any]:
    """A solution as plain data."""
    keys = ("name", "summary", "encoder", "head", "postprocess", "published", "published_targets", "remark", "needs")
    row = entry.row
    where = {"paper": row.paper, "table": row.table, "row_id": row.row_id} if row else {}
    empty = {"paper": None, "table": None, "row_id": None}
    own = {key: getattr(entry, key) for key in keys}
    constants = next((name for name in variants if name.endswith("@paper")), None)
    return {"task": entry.task.name, **own, **empty, **where, "variants": variants, "with_paper_constants": constants}


@click.command()
@click.argument("encoder")
@data_options
@work_options
@stride_option
@click.option("--task", default="EXPR", show_default=True, help="Whose videos: tasks annotate different ones.")
@click.option("--split", "splits", type=SPLIT, multiple=True, help="Repeat for several.  [default: all there are]")
def extract(
    encoder: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    task: str,
    splits: tuple[str, ...],
    **work: Any,
) -> None:
    """Fill the feature cache for ENCODER. Runs also do so by themselves; the same command goes on where it stopped.

    \b
    Encoders: landmarks, tiny, expression, enet_b0_8_best_vgaf and its family, ddamfn_8, ddamfn_8_mtl, timm:<model>;
              of audio: wav2vec2, hubert (frames are then rows of 20 ms, once a recording), log-mel, speech-embedding;
              of words: sentences, roberta-go-emotions; stat:<encoder>; precomputed:<name>
    Example:  abaw extract landmarks --data /data/Aff-Wild2 --split train --split val
    """
    from harness.plugins.registry import extract as extract_with

    settings = load_settings(data=root, **work)
    data = open_given(settings, task_named(task), crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    wanted = splits or tuple(split for split in SPLITS if data.splits.get(split))
    report = extract_with(encoder, data, wanted, settings)
    rate = f", {report.frames_per_second:,.0f} frames/s" if report.frames_per_second else ""
    click.echo(
        f"{report.encoder}: {report.videos} videos; {report.frames:,} frames encoded in {report.seconds:.1f} s{rate}; "
        f"{report.reused:,} were in the cache; nothing found in {report.undetected:,} {data.task.noun}s"
    )
    for note in (*data.notes, *report.notes):
        click.echo(f"note: {note}", err=True)


def _common(function: Any) -> Any:
    for decorate in (
        json_option,
        click.option("--fresh", is_flag=True, help="Fit and predict again even if this very run is there."),
        click.option("--seed", default=0, show_default=True, help="Of the training."),
        out_options,
        stride_option,
        work_options,
        data_options,
        click.argument("solution"),
    ):
        function = decorate(function)
    return function


@click.command()
@_common
@click.option("--split", type=SPLIT, default="val", show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="So many, from --seed on.")
def run(**options: Any) -> None:
    """Fit SOLUTION if needed, predict, write the official file, validate, score, record.

    What is chosen on labels (a smoothing window, say) is cross-fitted over the validation videos; the score "tuned on
    val" beside it is what papers report.

    \b
    Example: abaw run expr/landmarks-mlp-smooth --data /data/Aff-Wild2 --split val --seed 0
    """
    _run(**options)


@click.command()
@_common
@click.option("--split", type=click.Choice(["test"]), default="test", show_default=True)
@click.option(
    "--template", type=click.Path(path_type=Path), help="Official list of rows.  [default: the newest below ROOT]"
)
def submit(**options: Any) -> None:
    """Make the official file for the test set: every row of the organisers' template, in order, checked and packed.

    \b
    Example: abaw submit expr/landmarks-mlp-smooth --data /data/Aff-Wild2 --split test
    """
    _run(**options, packed=True)


def _run(
    solution: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    seed: int,
    fresh: bool,
    as_json: bool,
    split: str,
    template: Path | None = None,
    packed: bool = False,
    seeds: int = 1,
    **work: Any,
) -> None:
    from harness.cli.report import print_run, print_seeds
    from harness.plugins.registry import solution_entry
    from harness.runs.batch import Job, raise_failed, run_all

    entry = solution_entry(solution)
    settings = load_settings(data=root, out=out, store=store, **work)
    data = open_given(
        settings, entry.task, crops=crops, template=template, annotations=annotations, ignore_lengths=ignore_lengths
    )
    given = {"crops": crops, "ignore_lengths": ignore_lengths or None, "template": template, "annotations": annotations}
    given |= {key: work[key] for key in ("device", "backend", "precision", "weights", "stride")}
    given_text = {key: str(value) for key, value in given.items() if value is not None}
    jobs = [Job(entry, number) for number in range(seed, seed + seeds)]
    runs, listed, records = [], [], []
    for ran in run_all(jobs, data, split, settings, fresh=fresh, options=given_text):
        runs.append(ran)
        finished = ran.value
        if finished is None:
            continue
        archive = _pack(finished.folder) if packed else None
        if as_json:
            more = {"archive": str(archive), "warnings": _doubts(finished, data)} if archive else {"archive": None}
            listed.append(finished.plain() | more)
        else:
            print_run(finished.record, finished.folder, reused=finished.reused)
        doubts = _doubts(finished, data) if packed else []
        if archive and not as_json:
            listed_rows = data.template.path if data.template is not None else None
            rows = f" --template {shlex.quote(str(listed_rows))}" if listed_rows is not None else ""
            command = f"abaw slots send {shlex.quote(str(archive))} --task {entry.task.name}{rows}"
            click.echo(f"to send in     {archive}  (note it with: {command})")
        for text in doubts if not as_json else ():
            click.echo(f"warning: {text}", err=True)
        records.append(finished.record)
    if as_json and listed:
        print_json(listed if seeds > 1 else listed[0])
    elif len(records) > 1:
        print_seeds(records)
    raise_failed(runs)


def _doubts(finished: Finished, data: Dataset) -> list[str]:
    """What the validator doubts about the official file, and what is odd about the test videos' images."""
    from harness.datasets.checking.report import elsewhere_words
    from harness.datasets.images.positions import doubts_of_positions
    from harness.files.checking.submission import validate

    template = data.template.path if data.template is not None else None
    report = validate(finished.submission, task=data.task.name, template=template)
    bare = [video.name for video in data.videos("test") if not len(video.images)]
    texts = [found.message for found in report.problems if found.severity == "warning"]
    if bare:
        some = ", ".join(bare[:5]) + (" …" if len(bare) > 5 else "")
        total = len(data.videos("test"))
        near = elsewhere_words(data, bare)
        texts.append(
            f"{len(bare)} of {total} test videos have no {data.task.noun} at all: {some}"
            + (f"; {near}" if near else "")
        )
    return texts + doubts_of_positions(data.videos("test"))


def _pack(folder: Path) -> Path:
    """The run's official files as a zip beside its folder."""
    from harness.files.archives.pack import pack
    from harness.records.run import official_files

    return pack(official_files(folder), folder.with_name(f"{folder.name}.zip"), force=True).path
