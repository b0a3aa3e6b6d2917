"""Starts a process that works and says what it has finished, kills it at a random moment, looks at what is left. Often.

    python -m tests.support.kills WORK FOLDER ROUNDS SEED

Each round forks a worker, which is cheap, as everything is imported once. What a worker says goes through a pipe and so
survives it. After each kill another fork looks: whatever was said must be there, and nothing half-made under a final
name. Prints how many kills there were, how many things were finished, and how many temporary names were left.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.files.archives.pack import pack
from harness.files.archives.read import read_members
from harness.slots import Ledger
from harness.store.store import Store
from harness.system.atomic import PARTIAL, atomic_file, atomic_folder
from harness.tasks import EXPR
from solutions.cache.features_file import FeatureCache
from solutions.encoders.encoder import Part
from tests.support.records import make_record

Say = Callable[[str], None]
VIDEOS = 30


def record(folder: Path, name: str, say: Say) -> None:
    """Records one run after the other."""
    statistics = {"headline": {f"v{k}": [float(k)] * 64 for k in range(VIDEOS)}}
    for k in itertools.count():
        run = make_record(f"{name}-{k}", statistics=statistics)
        Store(folder / "results.duckdb", patience=60).record([(run, folder)])
        say(run.run_id)


def look_at_record(folder: Path, said: list[str]) -> None:
    """Every run that was said is there; every run that is there is whole."""
    with Store(folder / "results.duckdb").reading() as db:
        if db is None:
            assert not said
            return
        rows = db.execute(
            """
            SELECT run_id, (SELECT count(*) FROM scores s WHERE s.run_id = r.run_id),
                (SELECT count(*) FROM video_statistics v WHERE v.run_id = r.run_id),
                (SELECT count(*) FROM files f WHERE f.run_id = r.run_id)
            FROM runs r
            """
        ).fetchall()
        owners = db.execute("SELECT run_id FROM scores UNION SELECT run_id FROM video_statistics").fetchall()
    assert {row[1:] for row in rows} <= {(5, VIDEOS, 1)}
    assert {owner for (owner,) in owners} == {row[0] for row in rows} >= set(said)


def files(folder: Path, name: str, say: Say) -> None:
    """Writes the same file and the same folder anew and anew, each with one number all over."""
    for k in itertools.count(1):
        with atomic_file(folder / "file") as stream:
            for _ in range(8):
                stream.write(f"{name} {k:8}\n".encode() * 2000)
        say(f"file {name} {k:8}")
        with atomic_folder(folder / "run", replace=True) as made:
            for part in "abc":
                (made / part).write_text(f"{name} {k:8}\n" * 200)
        say(f"folder {name} {k:8}")


def look_at_files(folder: Path, said: list[str]) -> None:
    """File and folder are of one piece, and not older than what was said last."""
    for kind, texts in (
        ("file", [p.read_text() for p in [folder / "file"] if p.exists()]),
        ("folder", [(folder / "run" / part).read_text() for part in "abc"] if (folder / "run").exists() else []),
    ):
        last = [line.removeprefix(f"{kind} ") for line in said if line.startswith(f"{kind} ")][-1:]
        lines = {line for text in texts for line in text.splitlines()}
        assert len(lines) == (1 if texts else 0), f"{kind} is torn: {lines}"
        assert not last or lines, f"{kind} is gone"
        if last:
            (line,) = lines
            assert (line.split()[0] != last[0].split()[0]) or int(line.split()[1]) >= int(last[0].split()[1])
    if (folder / "file").exists():
        assert (folder / "file").stat().st_size == 8 * 2000 * len((folder / "file").read_text().splitlines()[0] + "\n")


def features(folder: Path, name: str, say: Say) -> None:
    """Fills a feature cache, video after video."""
    cache = _cache(folder)
    for k in itertools.count():
        video = _video(f"{name}-{k}")
        cache.put(video, video.images.frames, np.full((200, 64), k, np.float16), "0" * 64)
        say(video.name)


def look_at_features(folder: Path, said: list[str]) -> None:
    """Features that were said are there; features that are there are whole."""
    cache = _cache(folder)
    for name in {*said, *(path.stem for path in cache.folder.glob("[!.]*.json"))}:
        found = cache.get(_video(name))
        assert found is not None, f"{name} is gone"
        assert found.values.shape == (200, 64)
        assert (found.values == int(name.rpartition("-")[2])).all()


class _Encoder:
    name = "killed"
    parts = (Part("embeddings", 64, np.dtype(np.float16)),)

    def identity(self) -> dict[str, str]:
        return {"encoder": self.name}


def _cache(folder: Path) -> FeatureCache:
    return FeatureCache(folder, _Encoder(), Dataset(name="drawn", root=folder, task=EXPR, splits={}))


def _video(name: str) -> Video:
    video = Video(name, 200)
    numbers = np.arange(1, 201)
    video.__dict__["images"] = ImageFiles(None, numbers, (), numbers, numbers)
    return video


def packing(folder: Path, name: str, say: Say) -> None:
    """Packs another file into the same archive each time."""
    for k in itertools.count():
        source = folder / f"{name}.txt"
        source.write_text(f"{name} {k:8}\n" * 5000)
        packed = pack([source], folder / "out.zip", force=True)
        say(packed.sha256)


def look_at_packing(folder: Path, said: list[str]) -> None:
    """The archive is whole."""
    if said or (folder / "out.zip").exists():
        (member,) = read_members(folder / "out.zip")
        assert len(set(member.data.splitlines())) == 1
        assert len(member.data.splitlines()) == 5000


def slots(folder: Path, name: str, say: Say) -> None:
    """Notes one submission after the other, and its score, in a ledger so large that writing it takes time."""
    ledger, file = Ledger(folder), folder / "sent.txt"
    file.write_text("image_location")
    for _ in itertools.count():
        entry = ledger.send(file, "EXPR", despite=True, note=name * 3000)
        say(f"sent {entry.number}")
        ledger.result(entry.number, entry.number / 1e6)
        say(f"scored {entry.number}")


def look_at_slots(folder: Path, said: list[str]) -> None:
    """Submissions and scores that were said are there, numbered without a gap."""
    sent = Ledger(folder).read()
    assert [entry.number for entry in sent] == list(range(1, len(sent) + 1))
    assert {f"sent {entry.number}" for entry in sent} >= {line for line in said if line.startswith("sent")}
    scored = {f"scored {entry.number}" for entry in sent if entry.score == entry.number / 1e6}
    assert scored >= {line for line in said if line.startswith("scored")}


def creation(folder: Path, name: str, say: Say) -> None:
    """Begins one store after the other, each with one run."""
    for k in itertools.count():
        place = folder / f"{name}-{k}"
        place.mkdir()
        Store(place / "results.duckdb", patience=60).record([(make_record(f"run-{k}"), place)])
        say(place.name)


def look_at_creation(folder: Path, said: list[str]) -> None:
    """A store that was said holds its run; any other is whole or not there, and takes a run at once."""
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        store, run_id = Store(place / "results.duckdb", patience=60), f"run-{place.name.rpartition('-')[2]}"
        store.check()
        known = set(store.folders())
        assert known <= {run_id}, f"{place.name} holds {known}"
        assert known or place.name not in said, f"{place.name} lost its run"
        store.record([(make_record("another"), place)])
        assert set(store.folders()) == known | {"another"}
        shutil.rmtree(place)


def creation_begun(folder: Path) -> bool:
    """Tell whether a file of a store is there, under whatever name."""
    return any(path.suffix != ".lock" for path in folder.glob("*/*") if "duckdb" in path.name)


WORK = {
    "creation": (creation, look_at_creation, 0.1),
    "record": (record, look_at_record, 0.6),
    "files": (files, look_at_files, 0.1),
    "features": (features, look_at_features, 0.1),
    "packing": (packing, look_at_packing, 0.1),
    "slots": (slots, look_at_slots, 0.1),
}


BEGUN = {"creation": creation_begun}
"""Works whose moments are counted from when something is on disk: a store's first 20 ms are what may break it."""


def killed(
    work: Callable[[Path, str, Say], None],
    folder: Path,
    name: str,
    seconds: float,
    begun: Callable[[Path], bool] | None = None,
    *,
    heard: bool = False,
) -> list[str]:
    """Return what a worker said until it was killed, ``seconds`` after it began, or after its first word was ``heard``.

    A slow machine then kills workers that have done something, too.
    """
    mouth_out, mouth_in = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(mouth_out)
        try:
            work(folder, name, lambda text: os.write(mouth_in, f"{text}\n".encode()))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(mouth_in)
    deadline = time.monotonic() + 10
    while begun is not None and not begun(folder) and time.monotonic() < deadline:
        time.sleep(0.0002)
    if heard:
        select.select([mouth_out], [], [], 60)
    time.sleep(seconds)
    os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    with os.fdopen(mouth_out) as ear:
        said = ear.read().splitlines()
    assert os.WTERMSIG(status) == signal.SIGKILL, "the worker failed by itself"
    return said


def looked(look: Callable[[Path, list[str]], None], folder: Path, said: list[str]) -> bool:
    """Look from a process of its own: one that has opened DuckDB must not be forked."""
    looker = os.fork()
    if looker == 0:
        code = 1
        try:
            look(folder, said)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(looker, 0)[1]) == 0


def main() -> None:
    """Run the rounds; stop at the first that leaves something wrong behind."""
    work, folder, rounds, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    do, look, longest = WORK[work]
    dice, said, left = random.Random(seed), [], 0
    for k in range(rounds):
        share = dice.random() ** (3 if work in BEGUN else 1)  # most of them early, where moments are counted exactly
        said += killed(do, folder, f"round{k}", share * longest, BEGUN.get(work), heard=work not in BEGUN and k % 2 > 0)
        if not looked(look, folder, said):
            sys.exit(f"round {k}")
        left += len(list(folder.rglob(f"{PARTIAL}*")))
        for path in folder.rglob(f"{PARTIAL}*"):
            path.rename(folder.parent / f"swept-{k}-{path.name}")
    print(json.dumps({"kills": rounds, "finished": len(said), "left": left}))


if __name__ == "__main__":
    main()
