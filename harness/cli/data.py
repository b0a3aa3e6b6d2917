"""``abaw data``: see what a data set holds, or draw a small one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from harness.cli.options import json_option, print_json
from harness.errors import UsageError
from harness.settings import load_settings
from harness.system.console import Terminal
from harness.system.counts import counted, verb_for
from harness.system.progress import progress
from harness.system.terminal import one_line, shown_notes
from harness.tasks import SPLITS

_LAYOUTS = {
    "affwild2": "write_affwild2",
    "dvd": "write_dvd",
    "vidmimic": "write_vidmimic",
    "bah": "write_bah",
}
_BAH_EDITIONS = ("8", "10", "11")


_cache_option = click.option(
    "--cache", type=click.Path(path_type=Path), help="Lengths of films are kept in its folder films.  [ABAW_CACHE]"
)


if TYPE_CHECKING:
    from harness.datasets.alignment.align import AlignmentReport, VideoAlignment
    from harness.datasets.checking.report import DataReport


@click.group()
def data() -> None:
    """Look at a data set, or make a small one."""


@data.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--crops", type=click.Choice(["cropped", "cropped_aligned"]), help="Which crops to count.")
@click.option(
    "--annotations", type=click.Path(path_type=Path), help="Annotation folder to take, where there are several."
)
@_cache_option
@json_option
def check(root: Path, crops: str | None, annotations: Path | None, cache: Path | None, as_json: bool) -> None:
    """Count videos, frames, labels and problems.

    Frames without an image are counted, too, and labels by class. The layouts of Aff-Wild2, DVD, Hume-Vidmimic2 and
    BAH are recognised; a folder may hold several. The first time, DVD's videos are decoded to count their frames,
    because their headers may be wrong. Exit code 1 if there are problems.

    \b
    Example: abaw data check /data/Aff-Wild2
    """
    from harness.datasets.checking.dataset import check_data  # the console command starts without it

    report = check_data(root, crops=crops, annotations=annotations, cache=load_settings(cache=cache).cache)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    if report.problems:
        raise click.exceptions.Exit(1)


def _print(report: DataReport) -> None:
    console = Terminal()
    console.print(Text.assemble((one_line(report.name), "bold"), f" in {one_line(report.root)}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    without = "without a crop" if all(row.task != "VD" for row in report.splits) else "without a picture"
    for column in ("task", "split", "videos", "frames", "labelled", without, "share", "sound"):
        table.add_column(column, justify="left" if column in ("task", "split") else "right")
    for row in report.splits:
        table.add_row(
            row.task,
            row.split,
            f"{row.videos:,}",
            f"{row.frames:,}",
            "–" if row.labelled is None else f"{row.labelled:,}",
            f"{row.without_picture:,}",
            f"{row.without_picture / max(row.frames, 1):.1%}",
            "–" if row.task == "VD" else f"{row.with_sound}/{row.videos}",
        )
    console.print(table)
    for task, counts in report.label_counts.items():
        labels = Table(box=None, pad_edge=False)
        labels.add_column("")
        for split in counts:
            labels.add_column(split, justify="right")
        for name in next(iter(counts.values())):
            labels.add_row(name, *(_number(by_name[name]) for by_name in counts.values()))
        console.print(f"\n{task}: {report.count_meaning[task]}", style="italic")
        console.print(labels)
    for note in shown_notes(report.notes):
        console.print(f"note: {note}", soft_wrap=True)
    for message in report.problems:
        console.print(f"problem: {message}", soft_wrap=True, style="red")
    console.print("\nno problems" if not report.problems else f"\n{counted(len(report.problems), 'problem')}")


@data.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of OpenFace's, LibreFace's, py-feat's or opensmile's tables, or of Whisper's transcripts; repeatable.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Write the offsets as a chart: FILE.png or FILE.svg.")
@click.option("--workers", type=click.IntRange(min=1), help="Cores to decode on.  [default: all]")
@_cache_option
@json_option
def align(
    root: Path, features: tuple[Path, ...], plot: Path | None, workers: int | None, cache: Path | None, as_json: bool
) -> None:
    """Hold frames against audio, labels, features.

    Each video file is decoded once: frames by the header and by decoding, rates that vary, edit lists, rotation, start
    and length of the audio, rows of each speech encoder, numbers of crops, rows of other tools. One line per video that
    does not fit, with cause and offset; docs/alignment.md explains the causes. ROOT is a data set in a known layout, a
    folder of video files, or one file. Exit code 1 if there are problems.

    \b
    Example: abaw data align /data/Vidmimic2 --plot offsets.png
             abaw data align videos --features openface_out
    """
    from harness.datasets.alignment.align import align_data
    from harness.datasets.alignment.plot import check_ending, write_plot
    from harness.plugins.registry import audio_rows

    if plot is not None:
        check_ending(plot)
    settings = load_settings(workers=workers, cache=cache)
    report = align_data(root, encoders=audio_rows(), features=features, cache=settings.cache, workers=settings.workers)
    if plot is not None:
        write_plot(report, plot)
    if as_json:
        print_json(report.as_dict())
    else:
        _print_alignment(report, plot)
    if report.has_problem:
        raise click.exceptions.Exit(1)


def _print_alignment(report: AlignmentReport, plot: Path | None) -> None:
    console = Terminal()
    header = Text.assemble((one_line(report.kind), "bold"), f" in {one_line(report.root)}")
    console.print(header, soft_wrap=True)
    misfitting = [video for video in report.videos if video.misfits]
    for video in misfitting:
        style = "red" if video.has_problem else ""
        console.print(Text(one_line(_alignment_line(video)), style), soft_wrap=True)
    if misfitting:
        table = Table(box=None, pad_edge=False)
        for column in ("cause", "level", "videos", "median", "largest"):
            table.add_column(column, justify="left" if column in ("cause", "level") else "right")
        for name, entry in report.as_dict()["causes"].items():
            offsets = (_frames(entry[f"{which}_offset_frames"]) for which in ("median", "largest"))
            table.add_row(name, entry["level"], f"{entry['videos']:,}", *offsets)
        console.print()
        console.print(table)
        console.print("offsets in frames; docs/alignment.md says what each cause means, and what to do", soft_wrap=True)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True)
    for message in report.problems:
        console.print(f"problem: {message}", soft_wrap=True, style="red")
    if plot is not None:
        console.print(f"chart: {plot}", soft_wrap=True)
    problems = sum(video.has_problem for video in misfitting)
    n_notes = len(misfitting) - problems
    decoded = [video for video in report.videos if video.frames]
    fitting = sum(not video.misfits for video in decoded)
    console.print(
        f"\n{counted(len(report.videos), 'video')}, {len(decoded):,} decoded: {fitting:,} fit, "
        f"{n_notes:,} {verb_for(n_notes, 'have')} notes, "
        f"{problems:,} {verb_for(problems, 'have')} problems"
    )


def _alignment_line(video: VideoAlignment) -> str:
    """Return the line of a video, problems first."""
    ordered = sorted(video.misfits, key=lambda misfit: (misfit.level != "problem", -abs(misfit.frames)))
    parts = [
        f"{misfit.cause} {_frames(misfit.frames)} frames ({misfit.milliseconds:+,.0f} ms; {misfit.detail})"
        for misfit in ordered
    ]
    return f"{video.name}: {' | '.join(parts)}"


def _frames(value: float) -> str:
    return f"{round(value):+,}" if round(value) else "0"


def _number(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


@data.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--split", "splits", type=click.Choice(SPLITS), multiple=True, help="Repeat for several.  [default: all]")
@click.option("--workers", type=click.IntRange(min=1), help="Films at once.  [default: all cores]")
@_cache_option
@json_option
def frames(root: Path, splits: tuple[str, ...], workers: int | None, cache: Path | None, as_json: bool) -> None:
    """Decode DVD's videos to image files.

    The images are frames/<video>/00001.jpg and so on, beside videos/. Training needs these files. A video's folder
    appears when it is complete, and complete folders are kept: to resume an interrupted run, repeat the command. The
    number of frames is checked against the video and its annotations. Exit code 1 if there are problems.

    \b
    Example: abaw data frames /data/DVD --split train --split val
    """
    from harness.datasets.video_files.export import decode_films, films_to_decode

    settings = load_settings(workers=workers, cache=cache)
    jobs = films_to_decode(root, splits)
    done = []
    with progress(f"decoding {counted(len(jobs), 'film')}", len(jobs), "films") as advance:
        for decoded in decode_films(jobs, workers=settings.workers, cache=settings.cache):
            done.append(decoded)
            advance(1)
    done.sort(key=lambda d: (SPLITS.index(d.split), d.video))
    problems = [d.problem for d in done if d.problem]
    if as_json:
        print_json({"root": str(root), "films": [asdict(d) for d in done], "problems": problems})
    else:
        for split in dict.fromkeys(d.split for d in done):
            decoded_videos = [d for d in done if d.split == split and d.frames]
            new = [d.frames for d in decoded_videos if not d.reused]
            n_reused = len(decoded_videos) - len(new)
            click.echo(
                f"{split}: {counted(sum(new), 'frame')} of {counted(len(new), 'film')} written; "
                f"{counted(n_reused, 'film', 'were')} done"
            )
        for text in shown_notes(d.note for d in done if d.note):
            click.echo(f"note: {text}", err=True)
        for text in problems:
            click.echo(f"problem: {text}", err=True)
    if problems:
        raise click.exceptions.Exit(1)


@data.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--layout",
    type=click.Choice(list(_LAYOUTS)),
    default="affwild2",
    show_default=True,
    help="Faces (EXPR, VA, AU), scenes with and without violence (VD), or people who speak (EMI; AH, AHV).",
)
@click.option("--edition", type=click.Choice(_BAH_EDITIONS), help="Layout of BAH to write.  [default: 8]")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same files, byte for byte.")
@click.option("--videos", default=20, show_default=True, type=click.IntRange(min=8), help="Videos in all.")
@click.option(
    "--frames", default=240, show_default=True, type=click.IntRange(min=80), help="Mean number of frames per video."
)
def synth(out: Path, layout: str, edition: str | None, seed: int, videos: int, frames: int) -> None:
    """Draw a small data set of procedural people.

    They show expressions from action units with audio, fight, mimic, or hesitate in English and French. It is drawn
    by this program: a score on it shows that the pipeline works, nothing more.

    \b
    Example: abaw data synth /tmp/drawn --videos 20 --seed 0
             abaw data synth /tmp/fights --layout dvd
             abaw data synth /tmp/doubts --layout bah --edition 11
    """
    from harness.datasets import synthetic

    if edition is not None and layout != "bah":
        raise UsageError(
            "only BAH's layout differs by edition",
            found=f"--layout {layout} --edition {edition}",
            do="Leave it out",
        )
    write = getattr(synthetic, _LAYOUTS[layout])
    options = {"edition": int(edition)} if edition is not None else {}
    val, test = max(2, round(0.3 * videos)), max(2, round(0.2 * videos))
    split = {"train": videos - val - test, "val": val, "test": test}
    with progress(f"drawing {counted(videos, 'video')}", videos, "videos") as advance:
        write(out, seed=seed, videos=split, frames=frames, progress=lambda name, done, total: advance(1), **options)
    click.echo(f"{out}: {counted(videos, 'video')}. See what is there: abaw data check {out}")
