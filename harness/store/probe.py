"""Read a store in a process of its own: a file that is broken in a new way can end the process that opens it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness import errors
from harness.errors import AbawError
from harness.store.connection import damaged
from harness.store.store import Store

COMMAND = (sys.executable, "-m", __name__)


def check_apart(store: Store) -> None:
    """Check a store as :meth:`harness.store.store.Store.check` does, but in a child process, which may crash.

    Raises:
        StoreDamagedError: the file is broken, or the process that opens it crashes.
        AbawError: any other error of :meth:`harness.store.store.Store.check`.
    """
    if not store.exists():
        return
    done = subprocess.run(
        [*COMMAND, str(store.path), str(store.patience)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise damaged(store.path, f"a process that opens it ends with {how}") from None
    if answer:
        known = getattr(errors, answer["error"], AbawError)
        raise known(answer["text"])


def _answer(path: str, patience: str) -> dict[str, str]:
    try:
        Store(Path(path), patience=float(patience)).check()
    except AbawError as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(*sys.argv[1:])) + "\n")
