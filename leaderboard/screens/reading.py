"""What the page reads from the store. Each read opens, does and closes, so that a run can be recorded meanwhile."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from harness.errors import AbawError, StoreBusyError, StoreError, problem
from harness.reference.published import PublishedResult, published_results
from harness.settings import load_settings
from harness.store.store import Store

PATIENCE = 2.0
_FRESH_FOR = 20.0
_LAST = "last_contents"


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the store holds, as far as it could be read.

    Attributes:
        path: the store's file.
        exists: whether there is such a file.
        runs: rows of :meth:`Store.runs`; empty without a store.
        published: published results; the package's own where the store can't tell.
        trouble: why the store could not be read.
        remembered: whether the rows are those of an earlier, successful read.
    """

    path: Path
    exists: bool
    runs: pd.DataFrame
    published: pd.DataFrame
    trouble: AbawError | None = None
    remembered: bool = False


def read_store() -> Contents:
    """Runs and published results. Never raises what a user can cause: ``trouble`` says it instead.

    While another process holds the store, this session's last successful read is shown.
    """
    try:
        path = load_settings().store
    except AbawError as error:
        return _only_published(Path(), exists=False, trouble=error)
    try:
        stat = path.stat()
        runs, published = _read(str(path), stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        return _only_published(path, exists=False)
    except StoreBusyError as error:
        last = st.session_state.get(_LAST)
        if isinstance(last, Contents) and last.path == path:
            return dataclasses.replace(last, trouble=error, remembered=True)
        return _only_published(path, exists=True, trouble=error)
    except AbawError as error:
        return _only_published(path, exists=True, trouble=error)
    except OSError as error:
        found = StoreError(problem("the results store can't be opened", where=path, found=error.strerror))
        return _only_published(path, exists=True, trouble=found)
    contents = Contents(path, True, runs, published)
    st.session_state[_LAST] = contents
    return contents


def forget() -> None:
    """Read anew at the next call, whatever the file's time says."""
    _read.clear()


def read_run(path: Path, run_id: str) -> tuple[dict[str, Any], Path] | None:
    """The whole record of a run (``run.json``) and its folder; ``None`` if the store has no run by that id.

    Raises:
        StoreError: the store can't be read.
    """
    store = Store(path, patience=PATIENCE)
    found = store.query("SELECT record, folder FROM runs WHERE run_id = ?", [run_id])
    return None if found.empty else (json.loads(found["record"].iloc[0]), Path(found["folder"].iloc[0]))


# the arguments are the cache's key: the file, and whether it changed since
@st.cache_data(ttl=_FRESH_FOR, max_entries=4, show_spinner=False)
def _read(path: str, mtime_ns: int, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    store = Store(Path(path), patience=PATIENCE)
    return store.runs(), store.published()


def _only_published(path: Path, *, exists: bool, trouble: AbawError | None = None) -> Contents:
    columns = [field.name for field in dataclasses.fields(PublishedResult)]
    published = pd.DataFrame([dataclasses.astuple(result) for result in published_results()], columns=columns)
    return Contents(path, exists, pd.DataFrame(), published, trouble)
