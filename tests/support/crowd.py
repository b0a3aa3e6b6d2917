"""Many processes at one store: writers that record run after run, and readers that look all the while.

    python -m tests.support.crowd FOLDER WRITERS RUNS

Prints what went wrong for the writers, and what the readers saw: how often they looked, whether any run was torn.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from harness.errors import StoreBusyError
from harness.store.store import Store
from tests.support.records import make_record

VIEW = """
    SELECT run_id, (SELECT count(*) FROM scores s WHERE s.run_id = r.run_id),
        (SELECT count(*) FROM video_statistics v WHERE v.run_id = r.run_id)
    FROM runs r
"""


def write(folder: Path, name: str, runs: int) -> None:
    """Record one run after the other."""
    store = Store(folder / "results.duckdb", patience=120)
    for k in range(runs):
        store.record([(make_record(f"{name}-{k}"), folder)])


def read(folder: Path, hold: float) -> None:
    """Look until told to stop, as a leaderboard does: open, read for ``hold`` seconds, close."""
    counts = {"looks": 0, "busy": 0, "torn": 0, "fewer": 0}
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    store, last = Store(folder / "results.duckdb", patience=2), 0
    while not stop:
        try:
            with store.reading() as db:
                rows = db.execute(VIEW).fetchall() if db else []
                time.sleep(hold)
        except StoreBusyError:
            counts["busy"] += 1
            continue
        counts["looks"] += 1
        counts["torn"] += sum(row[1:] != (5, 2) for row in rows)
        counts["fewer"] += len(rows) < last
        last = len(rows)
        time.sleep(0.05)
    (folder / f"reader-{os.getpid()}.json").write_text(json.dumps(counts))


def forked(do: Callable[..., None], *arguments: object) -> int:
    """A process that does it; its exit code tells whether it could."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            do(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return child


def main() -> None:
    """Start everybody, wait for the writers, send the readers home."""
    folder, writers, runs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    readers = [forked(read, folder, hold) for hold in (0.0, 0.2)]
    children = [forked(write, folder, f"writer{k}", runs) for k in range(writers)]
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
    for reader in readers:
        os.kill(reader, signal.SIGTERM)
        failed += os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) != 0
    seen = [json.loads(path.read_text()) for path in folder.glob("reader-*.json")]
    print(json.dumps({"failed": failed, "seen": seen}))


if __name__ == "__main__":
    main()
