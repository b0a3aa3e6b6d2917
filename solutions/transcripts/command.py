"""Command ``abaw transcribe``: transcripts for videos for which the data set has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import AbawError, DataError
from harness.settings import load_settings
from harness.system.counts import counted, verb_for
from harness.system.terminal import shown_notes
from harness.tasks import task_named

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset, Video
    from harness.datasets.transcript_store import TranscriptStore
    from harness.datasets.transcripts import Transcript
    from harness.settings import Settings

_SHOWN = 3


@click.command()
@click.option("--data", "root", type=click.Path(path_type=Path), help="Root of the data set.  [ABAW_DATA]")
@click.option("--task", required=True, help="Task whose videos are to have words: EMI, AH, AHV.")
@click.option("--split", "splits", multiple=True, help="Splits; may be repeated.  [default: all]")
@click.option(
    "--transcripts",
    "file",
    type=click.Path(path_type=Path),
    help="CSV file with the columns Filename (or name) and text.",
)
@click.option(
    "--with",
    "recogniser",
    default="moonshine",
    show_default=True,
    help="moonshine (English, extra asr), faster-whisper:MODEL, or whisper:MODEL.",
)
@click.option("--again", is_flag=True, help="Replace words that are kept.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Words are kept in its folder transcripts.  [ABAW_CACHE]"
)
@click.option("--device", help="For whisper: auto, cpu, cuda.  [ABAW_DEVICE]")
@click.pass_context
def transcribe(
    ctx: click.Context,
    root: Path | None,
    task: str,
    splits: tuple[str, ...],
    file: Path | None,
    recogniser: str,
    again: bool,
    cache: Path | None,
    device: str | None,
) -> None:
    """Transcribe videos, or import their words.

    Words are stored in the cache, with their source: the file, or the model and its version. The organisers'
    transcripts are never replaced. Text encoders need words for every video; a video without speech has an empty text.

    \b
    Example: abaw transcribe --task EMI --transcripts words.csv
    """
    from harness.datasets.open import open_dataset
    from harness.datasets.transcript_store import TranscriptStore

    settings = load_settings(data=root, cache=cache, device=device)
    data = open_dataset(settings.data, task_named(task), cache=settings.cache)
    store = TranscriptStore(settings.cache, data)
    chosen = splits or tuple(name for name, members in data.splits.items() if members)
    videos = [*{video.name: video for split in chosen for video in data.videos(split)}.values()]
    official = sum(video.transcript is not None for video in videos)
    if official:
        click.echo(f"{counted(official, 'video', 'have')} transcripts in the data set, which stay")
    without = [video for video in videos if video.transcript is None and (again or store.kept(video) is None)]
    earlier = len(videos) - official - len(without)
    if earlier:
        click.echo(f"{counted(earlier, 'video', 'have')} words already; --again replaces them")
    if not without:
        return
    failed = bring(file, store, without, data) if file else recognise_all(recogniser, store, without, settings)
    for error in failed[:_SHOWN]:
        click.echo(f"abaw: {error}", err=True)
    if failed:
        click.echo(f"{len(failed):,} of {counted(len(without), 'video')} got no words; the others' are kept", err=True)
        ctx.exit(failed[0].exit_code)


def bring(file: Path, store: TranscriptStore, videos: Sequence[Video], data: Dataset) -> list[AbawError]:
    """Store the words of a user's file.

    Returns:
        One error per video that the file lacks.

    Raises:
        DataError: the file is unreadable, or all its names are unknown.
    """
    from harness.datasets.transcripts import read_transcript_table, with_zeros

    notes: list[str] = []
    known = {video.name for split in data.splits.values() for video in split}
    texts = with_zeros(read_transcript_table(file), file, notes, known)
    for note in shown_notes(notes):
        click.echo(f"note: {note}")
    strange = [name for name in texts if name not in known]
    named = [video for video in videos if video.name in texts]
    if not named:
        finding = ", ".join([*texts][:_SHOWN]) or "no rows"
        expected = f"names such as {videos[0].name}"
        raise DataError("no row is of a video without words", where=file, found=finding, expected=expected)
    for video in named:
        store.keep(video, texts[video.name])
    click.echo(
        f"{counted(len(named), 'video')} got {'its' if len(named) == 1 else 'their'} words from {file.name}, "
        f"{empty(named, texts):,} of them empty"
    )
    if strange:
        click.echo(
            f"{counted(len(strange), 'row', 'are')} of no video and {verb_for(len(strange), 'were')} left out: "
            f"{', '.join(strange[:_SHOWN])}"
        )
    missing = [video.name for video in videos if video.name not in texts]
    if not missing:
        return []
    what = f"{counted(len(missing), 'video', 'are')} not in the file"
    do = "Add a row per video; a video in which nothing is said gets an empty text"
    return [DataError(what, where=file, found=", ".join(missing[:_SHOWN]), do=do)] * len(missing)


def empty(videos: Sequence[Video], texts: Mapping[str, Transcript]) -> int:
    """Return the number of videos with an empty text."""
    return sum(texts[video.name].is_empty for video in videos)


def recognise_all(name: str, store: TranscriptStore, videos: Sequence[Video], settings: Settings) -> list[AbawError]:
    """Transcribe videos one after the other, and store each transcript at once.

    Returns:
        One error per video whose audio is missing or unreadable.
    """
    from harness.system.progress import progress
    from solutions.transcripts.recognisers import make_recogniser, recognise

    recogniser = make_recogniser(name, settings)
    failed: list[AbawError] = []
    silent = 0
    with progress(f"{recogniser.name}: {counted(len(videos), 'video')}", len(videos), "videos") as advance:
        for video in videos:
            try:
                if video.audio is None:
                    raise DataError("the video has no audio", where=video.name, do="Bring its words in a file")
                words = recognise(recogniser, video.audio)
                store.keep(video, words)
                silent += not words.text.strip()
            except DataError as error:  # continue with the others
                failed.append(error)
            advance(1)
    done = len(videos) - len(failed)
    click.echo(
        f"{counted(done, 'video')} got {'its' if done == 1 else 'their'} words by {recogniser.name}, "
        f"{silent:,} of them empty"
    )
    return failed
