"""Decoding of video files to folders of frames: ``videos/<video>.mp4`` to ``frames/<video>/00001.jpg`` and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from harness.datasets.dvd import SPLIT_FOLDERS, DvdLayout, find_dvd
from harness.datasets.images.numbered import list_images
from harness.datasets.video_files.counts import count_film, learn_count, lost_frames, wrong_header
from harness.datasets.video_files.images import film_pictures
from harness.errors import AbawError, DataError, problem
from harness.files.labels.by_frame import read_frame_labels
from harness.system.atomic import atomic_folder, sweep_partials
from harness.system.counts import counted
from harness.system.images import opencv

QUALITY = 95
"""Quality of the JPEG files; OpenCV's own default."""


@dataclass(frozen=True)
class Decoded:
    """The result of decoding one video file.

    Attributes:
        frames: files in its folder.
        reused: the folder was there already.
        problem: a fault of the file or its labels; empty if there is none.
        note: a difference between its header and its frames; empty if they agree.
    """

    split: str
    video: str
    frames: int
    reused: bool = False
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Job:
    """One video file to decode.

    Attributes:
        folder: folder of the frames to be written.
        labels: annotation file; its highest frame number must not lie beyond the end of the video file.
    """

    split: str
    film: Path
    folder: Path
    labels: Path | None


def films_to_decode(root: Path, splits: Sequence[str] = ()) -> list[Job]:
    """Return the video files of a data set in DVD's layout, each with the folder of its frames.

    Args:
        root: folder of the data set.
        splits: splits to decode; all by default.

    Raises:
        DataError: ``root`` lacks the layout of DVD, or holds no video file.
    """
    layout = find_dvd(root)
    jobs = list(_jobs(layout, splits or tuple(SPLIT_FOLDERS)))
    if not jobs:
        raise DataError(
            "no films",
            where=root,
            found=", ".join(str(files.folder.name) for files in layout.splits.values()) or "no split",
            expected="Training/videos/<video>.mp4 and so on",
        )
    return jobs


def _jobs(layout: DvdLayout, splits: Sequence[str]) -> Iterator[Job]:
    for split in splits:
        if files := layout.splits.get(split):
            for name, film in files.films.items():
                yield Job(split, film, files.folder / "frames" / name, files.labels.get(name))


def decode_films(jobs: Sequence[Job], *, workers: int, cache: Path | None = None) -> Iterator[Decoded]:
    """Decode video files, several at once, each into its folder, which appears whole or not at all.

    A folder that exists is left as it is, and compared with its video file: repeat the call to decode what is missing.
    Threads do as well as processes here, as OpenCV holds no lock while it decodes and writes.

    Args:
        jobs: video files, and the folders of their frames.
        workers: number of files decoded at once.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Yields:
        The result of each file, as soon as it is decoded.

    Raises:
        StorageError: the disk is full, or a folder can't be written. Finished folders stay.
    """
    for folder in {job.folder.parent for job in jobs}:
        sweep_partials(folder)
    with ThreadPoolExecutor(workers) as pool:
        largest_first = sorted(jobs, key=lambda job: -_size(job.film))
        futures = [pool.submit(_decode, job, cache) for job in largest_first]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _size(film: Path) -> int:
    try:
        return film.stat().st_size
    except OSError:  # decoding this file reports it
        return 0


def _decode(job: Job, cache: Path | None) -> Decoded:
    name = job.film.stem
    try:
        there = len(list_images(job.folder, "picture")) if job.folder.is_dir() else 0
        if there or (job.folder.is_dir() and any(job.folder.iterdir())):
            count = count_film(job.film, cache, threads=1)
            return Decoded(job.split, name, there, True, _other_count(job, there, count.frames))
        milliseconds: list[float] = []
        n = _write(job, milliseconds)
        count = learn_count(job.film, n, cache, milliseconds=milliseconds)
        damage = lost_frames(job.film, count)
        return replace(_checked(job, n, damage), note="" if damage else wrong_header(job.film, count))
    except (DataError, OSError) as error:
        return Decoded(job.split, name, 0, problem=str(error))


def _write(job: Job, milliseconds: list[float]) -> int:
    """Write the frames of a job, note the position of each, and return their number."""
    cv2 = opencv()
    n = 0
    with atomic_folder(job.folder) as folder:
        for n, image in enumerate(film_pictures(job.film, milliseconds), 1):
            done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            if not done:
                raise DataError(f"frame {n} can't be written as a JPEG", where=job.film)
            (folder / f"{n:05d}.jpg").write_bytes(jpeg.tobytes())
    return n


def _other_count(job: Job, there: int, expected: int) -> str:
    if there == expected:
        return ""
    return problem(
        "frames are there already, but not as many as in the film; nothing was overwritten",
        where=job.folder,
        found=counted(there, "frame"),
        expected=f"{expected}, as in {job.film.name}",
        do="To decode the video file again, remove this folder first",
    )


def _checked(job: Job, n: int, wrong: str) -> Decoded:
    """Return the result of a job, with a problem if fewer frames came out than the labels need.

    Args:
        job: the video file, its folder and its labels.
        n: number of frames that came out.
        wrong: problem of the video file itself; empty if there is none.
    """
    try:
        annotated = len(read_frame_labels(job.labels)) if job.labels else 0
    except AbawError as error:
        return Decoded(job.split, job.film.stem, n, problem=str(error))
    if n < annotated:
        count, needed = counted(n, "frame"), f"{annotated}, as annotated in {job.labels}"
        do = "The rest counts as without a picture; see whether this is the film that was annotated"
        wrong = problem("this film is shorter than its labels", where=job.film, found=count, expected=needed, do=do)
    return Decoded(job.split, job.film.stem, n, problem=wrong)
