"""What the pages read from the store. Each read opens, does and closes, so that a run can be recorded meanwhile.

Everything is remembered until the file changes. While another process holds it, what this session read last is shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from harness.errors import AbawError, StoreBusyError, StoreError, problem
from harness.record import RunRecord
from harness.reference.published import PublishedResult, published_results
from harness.settings import load_settings
from harness.store.store import Draws, Store
from leaderboard.data.records import stored_record
from leaderboard.data.submissions import promised_by

PATIENCE = 2.0
_FRESH_FOR = 20.0
_KEPT, _MOST_KEPT = "read_last", 12
_TARGETS = ("run_id", "metric", "target", "value")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the store holds, as far as it could be read.

    Attributes:
        path: the store's file.
        exists: whether there is such a file.
        runs: rows of :meth:`Store.runs`; empty without a store.
        published: published results; the package's own where the store can't tell.
        failures: rows of :meth:`Store.failures`.
        version: changes whenever the file does; the key of whatever is computed from it.
        trouble: why the store could not be read.
        remembered: whether the rows are those of an earlier, successful read.
    """

    path: Path
    exists: bool
    runs: pd.DataFrame
    published: pd.DataFrame
    failures: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    version: tuple[int, int] = (0, 0)
    trouble: AbawError | None = None
    remembered: bool = False

    @property
    def older(self) -> bool:
        """Whether a version of this package wrote it that kept less of a run."""
        return len(self.runs) > 0 and bool(self.runs["setup"].isna().any())


def read_store() -> Contents:
    """Runs, failures and published results. Never raises what a user can cause: ``trouble`` says it instead."""
    try:
        path = load_settings().store
    except AbawError as error:
        return _only_published(Path(), exists=False, trouble=error)
    try:
        stat = path.stat()
        version = stat.st_mtime_ns, stat.st_size
        runs, published, failures = _read(str(path), version)
    except FileNotFoundError:
        return _only_published(path, exists=False)
    except StoreBusyError as error:
        last: Contents | None = _kept().get(_key("contents", path))
        if last is not None:
            return dataclasses.replace(last, trouble=error, remembered=True)
        return _only_published(path, exists=True, trouble=error)
    except AbawError as error:
        return _only_published(path, exists=True, trouble=error)
    except OSError as error:
        found = StoreError(problem("the results store can't be opened", where=path, found=error.strerror))
        return _only_published(path, exists=True, trouble=found)
    contents = Contents(path, True, runs, published, failures, version)
    _keep(_key("contents", path), contents)
    return contents


def forget() -> None:
    """Read anew at the next call, whatever the file's time says.

    What was computed from it stays: it could not be had again while another process holds the store.
    """
    for cached in (_read, _targets, _promised, _record):
        cached.clear()


def read_targets(contents: Contents) -> pd.DataFrame:
    """Headline scores of every class, dimension or action unit of every run; see :meth:`Store.targets`.

    Raises:
        StoreError: the store can't be read now, and was not read before.
    """
    return _remembering("targets", contents, lambda: _targets(str(contents.path), contents.version))


def read_draws(contents: Contents, run_ids: Sequence[str]) -> Draws:
    """Replicates of the bootstrap, by run; see :meth:`Store.draws`. Not remembered: they are large.

    Raises:
        StoreError: the store can't be read now.
    """
    _refuse_while_busy(contents)
    return Store(contents.path, patience=PATIENCE).draws(run_ids)


def read_promised(contents: Contents, run_ids: Sequence[str]) -> pd.DataFrame:
    """The validation runs behind runs on test; see :func:`leaderboard.data.submissions.promised_by`.

    Raises:
        StoreError: the store can't be read now, and these were not read before.
    """
    ids = tuple(run_ids)
    read = lambda: _promised(str(contents.path), contents.version, ids)  # noqa: E731
    return _remembering(f"validation of {ids}", contents, read)


def read_record(contents: Contents, run_id: str) -> tuple[RunRecord, Path] | None:
    """The whole record of a run with its statistics, and its folder; ``None`` if the store has no such run.

    Raises:
        StoreError: the store can't be read now, and this run was not read before.
    """
    read = lambda: _record(str(contents.path), contents.version, run_id)  # noqa: E731
    return _remembering(f"run {run_id}", contents, read)


def _remembering(what: str, contents: Contents, read: Callable[[], T]) -> T:
    """What is read, or, while another process holds the store, what this session read last."""
    key = _key(what, contents.path)
    try:
        _refuse_while_busy(contents)
        found = read()
    except StoreBusyError:
        if key in _kept():
            return _kept()[key]  # type: ignore[no-any-return]
        raise
    _keep(key, found)
    return found


def _refuse_while_busy(contents: Contents) -> None:
    """A page waits once for whoever holds the store, not for each thing that it would read."""
    if isinstance(contents.trouble, StoreBusyError):
        raise contents.trouble


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault(_KEPT, {})
    return kept


def _key(what: str, path: Path) -> str:
    return f"{what} of {path}"


def _keep(key: str, value: object) -> None:
    kept = _kept()
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


# the arguments are the cache's key: the file, and whether it changed since
@st.cache_data(ttl=_FRESH_FOR, max_entries=4, show_spinner=False)
def _read(path: str, version: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    store = Store(Path(path), patience=PATIENCE)
    return store.runs(), store.published(), store.failures()


@st.cache_data(max_entries=4, show_spinner=False)
def _targets(path: str, version: tuple[int, int]) -> pd.DataFrame:
    return Store(Path(path), patience=PATIENCE).targets().reindex(columns=list(_TARGETS))


@st.cache_data(max_entries=4, show_spinner=False)
def _promised(path: str, version: tuple[int, int], run_ids: tuple[str, ...]) -> pd.DataFrame:
    return promised_by(Store(Path(path), patience=PATIENCE), run_ids)


@st.cache_data(max_entries=64, show_spinner=False)
def _record(path: str, version: tuple[int, int], run_id: str) -> tuple[RunRecord, Path] | None:
    return stored_record(Store(Path(path), patience=PATIENCE), run_id)


def _only_published(path: Path, *, exists: bool, trouble: AbawError | None = None) -> Contents:
    columns = [field.name for field in dataclasses.fields(PublishedResult)]
    published = pd.DataFrame([dataclasses.astuple(result) for result in published_results()], columns=columns)
    return Contents(path, exists, pd.DataFrame(), published, trouble=trouble)
