"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.layout import in_section
from harness.system.terminal import clean_json

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset
    from harness.settings import Settings
    from harness.tables.table import Table
    from harness.tasks import Task

F = TypeVar("F", bound=Callable[..., Any])

SEEN_VAL = "heads that are trained on train and val have no validation score: they predict test alone"


def data_options(function: F) -> F:
    """Add options on the data set's place and on the way of reading it."""
    options = [
        click.option("--data", "root", type=click.Path(path_type=Path), help="Root of the data set.  [ABAW_DATA]"),
        click.option(
            "--crops",
            type=click.Choice(["cropped", "cropped_aligned"]),
            help="Which of the organisers' crops.  [default: cropped, as the papers use, if it is there]",
        ),
        click.option(
            "--annotations",
            type=click.Path(path_type=Path),
            help="Annotation folder to take, where there are several.  [default: the newest edition's]",
        ),
        click.option("--ignore-lengths", is_flag=True, help="Go on where tasks disagree on a video's length."),
    ]
    decorated: F = in_section("Data set", options)(function)
    return decorated


def open_given(
    settings: Settings,
    task: Task,
    *,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    template: Path | None = None,
) -> Dataset:
    """Open the data set that the options of :func:`data_options` describe.

    Raises:
        AbawError: see :func:`harness.datasets.open.open_dataset`.
    """
    from harness.datasets.open import open_dataset

    return open_dataset(
        settings.data,
        task,
        crops=crops,
        template=template,
        annotations=annotations,
        ignore_lengths=ignore_lengths,
        cache=settings.cache,
    )


def work_options(function: F) -> F:
    """Add options on the way of working: cache, device, precision, cluster."""
    options = [
        click.option("--cache", type=click.Path(path_type=Path), help="Folder of the features.  [ABAW_CACHE]"),
        click.option("--device", help="auto, cpu, cuda, cuda:1, …  [ABAW_DEVICE]"),
        click.option("--backend", help="What runs networks: torch, or openvino (an extra).  [ABAW_BACKEND]"),
        click.option("--precision", help="Of networks: float32 or bfloat16.  [ABAW_PRECISION]"),
        click.option(
            "--weights",
            help="Of timm's networks and those of clips: pretrained; or random, to try the pipe where weights "
            "can't be had: the score then says nothing of the solution.  [ABAW_WEIGHTS]",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="Processes or threads of this machine.  [default: all cores; ABAW_WORKERS]",
        ),
        click.option(
            "--engine",
            help="Who does the work: local, this machine; or ray (an extra: cluster), workers of a Ray cluster, "
            "to which features go by video, training by solution, seed and fold.  [default: local; ABAW_ENGINE]",
        ),
        click.option(
            "--address",
            help="Ray cluster to join: host:port, or auto for the one that this machine is part of. Its machines "
            "need this version of the package, and data, cache and runs under the same paths.  [default: a Ray "
            "of this machine's own, with --workers cores, that ends with the command; ABAW_ADDRESS]",
        ),
        click.option(
            "--gpus-per-worker",
            type=float,
            help="GPUs of each of Ray's workers, where work is done on GPUs: 0.5 lets two share one.  "
            "[default: 1; ABAW_GPUS_PER_WORKER]",
        ),
    ]
    decorated: F = in_section("How work is done", options)(function)
    return decorated


def stride_option(function: F) -> F:
    """Add the option on the step between encoded frames."""
    return click.option(
        "--stride",
        type=click.IntRange(min=1),
        help="Encode every so many images only and fill in the frames between them, for a first look. The run is noted "
        "as such; what needs every frame is refused.  [default: 1]",
    )(function)


def out_options(function: F) -> F:
    """Add options on the places of results: run folders and store."""
    options = [
        click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs.  [default: submissions]"),
        click.option(
            "--store",
            type=click.Path(path_type=Path),
            help="Results store: a file, or a server's quack:HOST:PORT.  [default: OUT/results.duckdb]",
        ),
    ]
    decorated: F = in_section("Runs and store", options)(function)
    return decorated


def format_options(function: F) -> F:
    """Add options on the form of printed tables; the command gets ``form``."""
    for option in reversed(
        [
            click.option(
                "--format",
                "form",
                type=click.Choice(["text", "md", "csv", "latex", "json"]),
                default="text",
                show_default=True,
                help="How to print. An empty line separates several tables; json is everything, for a program.",
            ),
            click.option("--json", "form", flag_value="json", help="Short for --format json."),
        ]
    ):
        function = option(function)
    return function


def print_tables(tables: Sequence[Table], form: str) -> None:
    """Print tables in one of their forms, with an empty line between them."""
    if form == "text":
        from harness.system.console import Terminal
        from harness.tables import text

        text.print_tables(Terminal(), tables)
        return
    from harness.tables.forms import FORMS

    write = FORMS[form][0]
    # bytes: no system changes the line ends
    click.echo("\n".join(write(table) for table in tables).encode(), nl=False)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def print_json(content: Any) -> None:
    """Print plain data to stdout as JSON."""
    click.echo(clean_json(json.dumps(content, indent=2, ensure_ascii=False, default=str)))
