"""What the pages read from the store. Each read opens, does and closes, so that a run can be recorded meanwhile.

Everything is remembered until the store changes. While another process holds its file, or its server does not answer,
what this session read last is shown.
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
from harness.reference.published import PublishedResult, published_results
from harness.settings import load_settings
from harness.slots import Ledger, Sent
from harness.store.address import StoreAddress, store_place
from harness.store.store import Replicates, Store, stored_record

PATIENCE = 2.0
_FRESH_FOR = 20.0
_KEPT, _MOST_KEPT = "read_last", 12
_TARGETS = ("run_id", "metric", "target", "value")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the store holds, as far as it could be read.

    Attributes:
        place: of the store: a file, or a server's address.
        exists: whether there is such a file.
        runs: rows of :meth:`Store.runs`; empty without a store.
        published: published results; the package's own where the store can't tell.
        failures: rows of :meth:`Store.failures`.
        hidden: rows of the hidden runs, which :attr:`runs` lacks.
        version: changes whenever the store does; the key of whatever is computed from it.
        trouble: why the store could not be read.
        remembered: whether the rows are those of an earlier, successful read.
        read_at: when the rows were read, UTC; ``None`` where they were not.
    """

    place: Path | StoreAddress
    exists: bool
    runs: pd.DataFrame
    published: pd.DataFrame
    failures: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    hidden: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    version: tuple[int, int] = (0, 0)
    trouble: AbawError | None = None
    remembered: bool = False
    read_at: datetime.datetime | None = None

    def with_hidden(self) -> Contents:
        """Return the same with the hidden runs among the others, newest first; another version, as it is a key."""
        if self.hidden.empty:
            return self
        every = pd.concat([self.runs, self.hidden]) if len(self.runs) else self.hidden
        every = every.sort_values(["created", "run_id"], ascending=[False, True], ignore_index=True)
        return dataclasses.replace(self, runs=every, hidden=self.hidden.iloc[:0])

    @property
    def older(self) -> bool:
        """Whether a version of this package wrote it that kept less of a run."""
        return len(self.runs) > 0 and bool(self.runs["setup"].isna().any())


def read_store() -> Contents:
    """Runs, failures and published results. Never raises what a user can cause: ``trouble`` says it instead."""
    try:
        place = load_settings().store
    except AbawError as error:
        return _only_published(Path(), exists=False, trouble=error)
    try:
        version = Store(place, patience=PATIENCE).version()
        every, published, failures, read_at = _read(str(place), version)
    except FileNotFoundError:
        return _only_published(place, exists=False)
    except StoreBusyError as error:
        last: Contents | None = _kept().get(_key("contents", place))
        if last is not None:
            return dataclasses.replace(last, trouble=error, remembered=True)
        return _only_published(place, exists=True, trouble=error)
    except AbawError as error:
        return _only_published(place, exists=True, trouble=error)
    except OSError as error:
        found = StoreError("the results store can't be opened", where=place, found=error.strerror)
        return _only_published(place, exists=True, trouble=found)
    is_hidden = every["hidden"].astype(bool) if len(every) else pd.Series(dtype=bool)
    runs, hidden = (every[~is_hidden], every[is_hidden]) if is_hidden.any() else (every, every.iloc[:0])
    contents = Contents(place, True, runs, published, failures, hidden, version, read_at=read_at)
    _keep(_key("contents", place), contents)
    return contents


def forget() -> None:
    """Read anew at the next call, whatever the store's version says.

    What was computed from it stays: it could not be had again while another process holds the store.
    """
    for cached in (_read, _targets, _promised, _states, _record):
        cached.clear()


def read_targets(contents: Contents) -> pd.DataFrame:
    """Headline scores of every class, dimension or action unit of every run; see :meth:`Store.targets`.

    Raises:
        StoreError: the store can't be read now, and was not read before.
    """
    return _remembering("targets", contents, lambda: _targets(str(contents.place), contents.version))


def read_replicates(contents: Contents, run_ids: Sequence[str]) -> Replicates:
    """Replicates of the bootstrap, by run; see :meth:`Store.replicates`. Not remembered: they are large.

    Raises:
        StoreError: the store can't be read now.
    """
    _refuse_while_busy(contents)
    return store_at(str(contents.place)).replicates(run_ids)


@contextlib.contextmanager
def read_at_once(contents: Contents) -> Iterator[Store]:
    """Open the store for several reads, see :meth:`Store.at_once`. Nothing of them is remembered.

    Raises:
        StoreError: the store can't be read now.
    """
    _refuse_while_busy(contents)
    with store_at(str(contents.place)).at_once() as store:
        yield store


def read_sent() -> tuple[Sent, ...]:
    """Return what was sent to the organisers, as the ledger beside the runs has it.

    Raises:
        AbawError: the ledger, or a setting, can't be read.
    """
    return Ledger(load_settings().out).read()


def read_states(contents: Contents) -> dict[str, OnTest]:
    """Return how far each run is on the way to a submission; see :func:`harness.board.on_test.states_on_test`.

    Raises:
        StoreError: the store can't be read now.
        DataError: the ledger is unreadable.
    """
    sent = read_sent()
    read = lambda: _states(str(contents.place), contents.version, repr(sent), sent)  # noqa: E731
    return _remembering("states on test", contents, read)


def read_attempts(contents: Contents, task: str = "") -> Attempts:
    """Return runs that came to nothing, sorted by what they need now: weights arrive without the store's knowing.

    Args:
        contents: of the store.
        task: of this task only; of all by default.
    """
    failures = contents.failures
    if task and len(failures):
        failures = failures[failures["task"] == task]
    return attempts(failures, load_settings())


def read_promised(contents: Contents, run_ids: Sequence[str]) -> pd.DataFrame:
    """The validation runs behind runs on test; see :func:`harness.board.slots.promised_by`.

    Raises:
        StoreError: the store can't be read now, and these were not read before.
    """
    ids = tuple(run_ids)
    read = lambda: _promised(str(contents.place), contents.version, ids)  # noqa: E731
    return _remembering(f"validation of {ids}", contents, read)


def read_record(contents: Contents, run_id: str) -> tuple[RunRecord, Path] | None:
    """The whole record of a run with its statistics, and its folder; ``None`` if the store has no such run.

    Raises:
        StoreError: the store can't be read now, and this run was not read before.
    """
    read = lambda: _record(str(contents.place), contents.version, run_id)  # noqa: E731
    return _remembering(f"run {run_id}", contents, read)


def _remembering(what: str, contents: Contents, read: Callable[[], T]) -> T:
    """What is read, or, while another process holds the store, what this session read last."""
    key = _key(what, contents.place)
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


def _key(what: str, place: Path | StoreAddress) -> str:
    return f"{what} of {place}"


def _keep(key: str, value: object) -> None:
    kept = _kept()
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


# the arguments are the cache's key: the store, and whether it changed since
@st.cache_data(ttl=_FRESH_FOR, max_entries=4, show_spinner=False)
def _read(place: str, version: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, datetime.datetime]:
    with store_at(place).at_once() as store:
        now = datetime.datetime.now(datetime.UTC)
        return store.runs(hidden=True), store.published(), store.failures(), now


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
    """The store that a cache's key names; with a page's patience."""
    return Store(store_place(place), patience=PATIENCE)


def _only_published(place: Path | StoreAddress, *, exists: bool, trouble: AbawError | None = None) -> Contents:
    columns = [field.name for field in dataclasses.fields(PublishedResult)]
    published = pd.DataFrame([dataclasses.astuple(result) for result in published_results()], columns=columns)
    return Contents(place, exists, pd.DataFrame(), published, trouble=trouble)
