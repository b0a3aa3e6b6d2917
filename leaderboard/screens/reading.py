"""Reads of the store for the pages. Each read opens and closes the store, so that runs can be recorded meanwhile.

Results are cached until the store changes. While another process locks the store's file, or the store's server is
unreachable, the pages show the results that this session read last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from harness.board.on_test import OnTest, states_on_test
from harness.board.slots import promised_by
from harness.board.waiting import Attempts, attempts
from harness.errors import AbawError, StoreBusyError, StoreError
from harness.records.run import RunRecord
from harness.settings import load_settings
from harness.slots import Ledger, Sent
from harness.store.address import StoreAddress, store_place
from harness.store.store import Replicates, Store, TableRows, packaged_results, rows_of, stored_record

PATIENCE = 2.0
_FRESH_FOR = 20.0
_KEPT, _MOST_KEPT = "read_last", 12
_TARGETS = ("run_id", "metric", "target", "value")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Contents:
    """Contents of the store, as far as the store could be read.

    Attributes:
        place: file of the store, or address of its server.
        exists: True if there is a store.
        runs: rows of :meth:`Store.runs`; empty without a store.
        rows: the same as :meth:`Store.run_rows` has them.
        published: rows of :meth:`Store.published`; those of this package if the store is unreadable.
        failures: rows of :meth:`Store.failures`.
        hidden: rows of the hidden runs, which :attr:`runs` and :attr:`rows` lack.
        every_row: rows of all runs as :meth:`Store.run_rows` has them, with the hidden ones.
        version: version of the store, which changes with its contents; part of the key of each cache.
        trouble: error that kept the store from being read; ``None`` after a successful read.
        remembered: True if the rows are those of an earlier, successful read.
        read_at: time of the read, UTC; ``None`` if the rows were not read from a store.
    """

    place: Path | StoreAddress
    exists: bool
    runs: pd.DataFrame
    published: TableRows
    failures: TableRows = ()
    rows: TableRows = ()
    hidden: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    every_row: TableRows = ()
    version: tuple[int, int] = (0, 0)
    trouble: AbawError | None = None
    remembered: bool = False
    read_at: datetime.datetime | None = None

    def with_hidden(self) -> Contents:
        """Return the contents with the hidden runs among the others, newest first."""
        if self.hidden.empty:
            return self
        every = pd.concat([self.runs, self.hidden]) if len(self.runs) else self.hidden
        every = every.sort_values(["created", "run_id"], ascending=[False, True], ignore_index=True)
        return dataclasses.replace(self, runs=every, rows=self.every_row, hidden=self.hidden.iloc[:0])

    @property
    def older(self) -> bool:
        """Mark of a store that an earlier version of this package wrote, with less of each run."""
        return len(self.runs) > 0 and bool(self.runs["setup"].isna().any())


def read_store() -> Contents:
    """Return runs, failures and published results; :attr:`Contents.trouble` holds an error that a user can cause."""
    try:
        place = load_settings().store
    except AbawError as error:
        return _only_published(Path(), exists=False, trouble=error)
    try:
        version = Store(place, patience=PATIENCE).version()
        every, rows, published, failures, read_at = _read(str(place), version)
    except FileNotFoundError:
        return _only_published(place, exists=False)
    except StoreBusyError as error:
        last: Contents | None = _last_results().get(_key("contents", place))
        if last is not None:
            return dataclasses.replace(last, trouble=error, remembered=True)
        return _only_published(place, exists=True, trouble=error)
    except AbawError as error:
        return _only_published(place, exists=True, trouble=error)
    except OSError as error:
        trouble = StoreError("the results store can't be opened", where=place, found=error.strerror)
        return _only_published(place, exists=True, trouble=trouble)
    is_hidden = every["hidden"].astype(bool) if len(every) else pd.Series(dtype=bool)
    runs, hidden = (every[~is_hidden], every[is_hidden]) if is_hidden.any() else (every, every.iloc[:0])
    shown = [row for row in rows if not row["hidden"]]
    contents = Contents(place, True, runs, published, failures, shown, hidden, rows, version, read_at=read_at)
    _keep(_key("contents", place), contents)
    return contents


def forget() -> None:
    """Clear the caches of reads, so that the next call reads the store even if its version is unchanged.

    The results that this session read last are kept, for times when another process locks the store.
    """
    for cached in (_read, _targets, _promised, _states, _record):
        cached.clear()


def read_targets(contents: Contents) -> pd.DataFrame:
    """Return headline scores of every class, dimension or action unit of every run; see :meth:`Store.targets`.

    Raises:
        StoreError: the store is unreadable now, and this session has no earlier result.
    """
    return _remembering("targets", contents, lambda: _targets(str(contents.place), contents.version))


def read_replicates(contents: Contents, run_ids: Sequence[str]) -> Replicates:
    """Return the replicates of the bootstrap by run; see :meth:`Store.replicates`. They are too large to be cached.

    Raises:
        StoreError: the store can't be read now.
    """
    _refuse_while_busy(contents)
    return store_at(str(contents.place)).replicates(run_ids)


@contextlib.contextmanager
def read_at_once(contents: Contents) -> Iterator[Store]:
    """Open the store for several reads, which are not cached; see :meth:`Store.at_once`.

    Raises:
        StoreError: the store can't be read now.
    """
    _refuse_while_busy(contents)
    with store_at(str(contents.place)).at_once() as store:
        yield store


def read_sent() -> tuple[Sent, ...]:
    """Return the submissions in the ledger beside the runs.

    Raises:
        AbawError: the ledger, or a setting, can't be read.
    """
    return Ledger(load_settings().out).read()


def read_states(contents: Contents) -> dict[str, OnTest]:
    """Return each run's progress towards a submission; see :func:`harness.board.on_test.states_on_test`.

    Raises:
        StoreError: the store can't be read now.
        DataError: the ledger is unreadable.
    """
    sent = read_sent()
    read = lambda: _states(str(contents.place), contents.version, repr(sent), sent)  # noqa: E731
    return _remembering("states on test", contents, read)


def read_attempts(contents: Contents, task: str = "") -> Attempts:
    """Return runs without a result, by their present needs, which new weights change while the store stays the same.

    Args:
        contents: contents of the store.
        task: task of the runs; all tasks by default.
    """
    failures = [row for row in contents.failures if task in ("", row["task"])]
    return attempts(failures, load_settings())


def read_promised(contents: Contents, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the validation runs that belong to runs on test; see :func:`harness.board.slots.promised_by`.

    Raises:
        StoreError: the store is unreadable now, and this session has no earlier result.
    """
    ids = tuple(run_ids)
    read = lambda: _promised(str(contents.place), contents.version, ids)  # noqa: E731
    return _remembering(f"validation of {ids}", contents, read)


def read_record(contents: Contents, run_id: str) -> tuple[RunRecord, Path] | None:
    """Return the whole record of a run with its statistics, and its folder; ``None`` for an unknown run.

    Raises:
        StoreError: the store is unreadable now, and this session has no earlier result.
    """
    read = lambda: _record(str(contents.place), contents.version, run_id)  # noqa: E731
    return _remembering(f"run {run_id}", contents, read)


def _remembering(what: str, contents: Contents, read: Callable[[], T]) -> T:
    """Return the result of ``read``; while another process locks the store, return this session's last result."""
    key = _key(what, contents.place)
    try:
        _refuse_while_busy(contents)
        result = read()
    except StoreBusyError:
        if key in _last_results():
            return _last_results()[key]  # type: ignore[no-any-return]
        raise
    _keep(key, result)
    return result


def _refuse_while_busy(contents: Contents) -> None:
    """Raise the page's first error of a locked store, so that a page waits once instead of once per read."""
    if isinstance(contents.trouble, StoreBusyError):
        raise contents.trouble


def _last_results() -> dict[str, Any]:
    results: dict[str, Any] = st.session_state.setdefault(_KEPT, {})
    return results


def _key(what: str, place: Path | StoreAddress) -> str:
    return f"{what} of {place}"


def _keep(key: str, value: object) -> None:
    results = _last_results()
    results.pop(key, None)
    results[key] = value
    while len(results) > _MOST_KEPT:
        del results[next(iter(results))]


# the arguments are the cache's key: the store and its version
@st.cache_data(ttl=_FRESH_FOR, max_entries=4, show_spinner=False)
def _read(
    place: str, version: tuple[int, int]
) -> tuple[pd.DataFrame, TableRows, TableRows, TableRows, datetime.datetime]:
    with store_at(place).at_once() as store:
        now = datetime.datetime.now(datetime.UTC)
        every = store.runs(hidden=True)
        return every, rows_of(every), store.published(), store.failures(), now


@st.cache_data(max_entries=4, show_spinner=False)
def _targets(place: str, version: tuple[int, int]) -> pd.DataFrame:
    return store_at(place).targets().reindex(columns=list(_TARGETS))


@st.cache_data(max_entries=4, show_spinner=False)
def _promised(place: str, version: tuple[int, int], run_ids: tuple[str, ...]) -> pd.DataFrame:
    return promised_by(store_at(place), run_ids)


@st.cache_data(max_entries=4, show_spinner=False)
def _states(place: str, version: tuple[int, int], ledger: str, _sent: Sequence[Sent]) -> dict[str, OnTest]:
    return states_on_test(store_at(place), _sent)


@st.cache_data(max_entries=64, show_spinner=False)
def _record(place: str, version: tuple[int, int], run_id: str) -> tuple[RunRecord, Path] | None:
    return stored_record(store_at(place), run_id)


def store_at(place: str) -> Store:
    """Return the store at a place, which waits for a lock as long as a page may."""
    return Store(store_place(place), patience=PATIENCE)


def _only_published(place: Path | StoreAddress, *, exists: bool, trouble: AbawError | None = None) -> Contents:
    return Contents(place, exists, pd.DataFrame(), packaged_results(), trouble=trouble)
