"""A served store whose clients take too much: it comes back by itself, with all that was recorded."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest

from harness.errors import AbawError, StoreBusyError, StoreError
from harness.store.address import StoreAddress
from harness.store.connection import connect
from harness.store.server import server, supervisor
from harness.store.server.client import session
from harness.store.server.server import Limits, until, usual_memory
from harness.store.server.supervisor import LimitExceededError, Reports, supervise
from harness.store.store import Store
from tests.support.team_server import TOKEN, Team, team_store, wait_for

pytestmark = pytest.mark.process
LONG = "SELECT count(*) FROM range(300000) a, range(300000) b WHERE a.range * b.range % 7 = sqrt(a.range)"
MEMORY = 256  # MB


# --- the supervisor by itself


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_PAUSES", (0.01,))


class Watched:
    """A supervised server of a test's own, and what is said of it."""

    def __init__(self, folder: Path) -> None:
        self.stop, self._tell = os.pipe()
        self.starts = 0
        self.reasons: list[str] = []
        self.mark = folder / "started"

    def number(self) -> int:
        """In the child: how many have started, this one included."""
        with self.mark.open("a") as stream:
            stream.write("x")
        return len(self.mark.read_text())

    def supervise(self, serve: Callable[[Reports], None]) -> None:
        supervise(serve, self.stop, self._started, self.reasons.append)

    def _started(self) -> None:
        self.starts += 1

    def tell_to_stop(self) -> None:
        os.write(self._tell, b"x")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    yield found
    for descriptor in (found.stop, found._tell):
        os.close(descriptor)


def test_a_server_that_ends_is_done(watched: Watched) -> None:
    watched.supervise(lambda reports: reports.serving())
    assert (watched.starts, watched.reasons) == (1, [])


def test_an_error_at_the_first_start_is_the_commands(watched: Watched) -> None:
    def serve(reports: Reports) -> None:
        raise StoreBusyError("somebody has it")

    with pytest.raises(StoreBusyError, match="somebody has it"):
        watched.supervise(serve)
    assert watched.starts == 0


def test_a_server_that_dies_is_started_again(watched: Watched) -> None:
    def serve(reports: Reports) -> None:
        reports.serving()
        number = watched.number()
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 2:
            os._exit(7)
        if number == 3:
            raise MemoryError
        if number == 4:
            reports.abandon(LimitExceededError("a query took long"))

    watched.supervise(serve)
    assert watched.starts == 1
    assert watched.reasons == [
        "it ended with signal SIGKILL", "it ended with exit code 7", "MemoryError: ", "a query took long",
    ]  # fmt: skip


def test_a_server_that_keeps_dying_is_given_up(watched: Watched) -> None:
    def serve(reports: Reports) -> None:
        reports.serving()
        raise StoreError("the file is broken.")

    with pytest.raises(StoreError, match=r"died 5 times within 10 minutes; found the file is broken\. Run folders"):
        watched.supervise(serve)
    assert len(watched.reasons) == 4


def test_a_client_can_not_have_the_server_given_up(watched: Watched) -> None:
    def serve(reports: Reports) -> None:
        reports.serving()
        if watched.number() < 12:
            reports.abandon(LimitExceededError("a query took long"))

    watched.supervise(serve)
    assert len(watched.reasons) == 11


def test_a_silent_server_is_started_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_SILENCE", 0.3)

    def serve(reports: Reports) -> None:
        reports.serving()
        if watched.number() == 1:
            time.sleep(60)
        for _ in range(6):
            time.sleep(0.1)
            reports.alive()

    watched.supervise(serve)
    assert watched.reasons == ["it said nothing for 0 s"]


def test_a_server_that_does_not_end_when_asked_is_ended(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_POLITE", 0.2)

    def serve(reports: Reports) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reports.serving()
        while True:
            time.sleep(60)

    threading.Timer(0.3, watched.tell_to_stop).start()
    watched.supervise(serve)
    assert watched.reasons == []


# --- the store's server


@pytest.fixture(scope="module")
def guarded_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A server with narrow limits."""
    with pytest.MonkeyPatch.context() as patch, team_store(tmp_path_factory.mktemp("guarded"), patch) as team:
        team.stop()
        team.start("--memory", str(MEMORY), "--query-seconds", "1", "--clients", "20")
        yield team


@pytest.fixture
def guarded(guarded_once: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    return guarded_once


def ask(team: Team, statement: str) -> None:
    with contextlib.suppress(AbawError), connect(team.address, read_only=False, patience=10) as db:
        db.execute(statement).fetchall()


def child_of(team: Team) -> int:
    """Return the process of the server itself; 0 between two of them."""
    assert team.process is not None
    pid = team.process.pid
    return int((Path(f"/proc/{pid}/task/{pid}/children").read_text().split() or ["0"])[0])


def answers(store: Store) -> bool:
    try:
        store.runs()
    except StoreError:
        return False
    return True


@pytest.mark.parametrize(
    "attack",
    [
        LONG,
        "CALL quack_stop('{uri}')",
        "WITH RECURSIVE t(a) AS (SELECT [1] UNION ALL SELECT list_concat(a, a) FROM t) SELECT max(len(a)) FROM t",
        "CREATE TEMP TABLE big AS SELECT repeat('x', 100000) || range AS a FROM range(100000)",
        "SELECT len(list(repeat('x', 1000))) FROM range(4000000)",
        "SELECT length(repeat('x', 4000000000))",
    ],
)
def test_the_server_outlives_what_a_client_asks(guarded, run_record, tmp_path, attack) -> None:
    store, run_id = Store(guarded.address, patience=5), f"kept-{abs(hash(attack))}"
    wait_for(lambda: answers(store))
    store.record([(run_record(run_id), tmp_path)])
    ask(guarded, attack.format(uri=guarded.address.uri))
    wait_for(lambda: answers(store))
    assert run_id in set(store.runs().run_id)
    peak = next(line for line in Path(f"/proc/{child_of(guarded)}/status").read_text().splitlines() if "VmHWM" in line)
    assert int(peak.split()[1]) << 10 <= Limits(MEMORY << 20).resident
    assert not list(guarded.file.parent.glob("*.tmp")), "nothing is spilled"


def test_sessions_left_open_are_bounded(guarded) -> None:
    store = Store(guarded.address, patience=5)
    wait_for(lambda: answers(store))
    before = child_of(guarded)
    with contextlib.suppress(AbawError), contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(session(guarded.address, patience=5))
        wait_for(lambda: child_of(guarded) not in (0, before))
    wait_for(lambda: answers(store))


def test_a_killed_server_comes_back_with_all_that_was_recorded(guarded, run_record, tmp_path) -> None:
    store = Store(guarded.address, patience=5)
    wait_for(lambda: answers(store))
    store.record([(run_record("before-the-kill"), tmp_path)])
    os.kill(child_of(guarded), signal.SIGKILL)
    wait_for(lambda: answers(store))
    assert "before-the-kill" in set(store.runs().run_id)


def test_a_server_ends_with_its_supervisor(guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(lambda: answers(Store(guarded.address, patience=5)))
    child = child_of(guarded)
    guarded.kill()
    wait_for(lambda: not Path(f"/proc/{child}").exists())
    guarded.start("--memory", str(MEMORY))
    assert answers(Store(guarded.address, patience=5))
    code, words = guarded.stop()
    assert code == 0
    assert "Stopped" in words


class Full:
    """A database without memory left."""

    def execute(self, *_: object) -> NoReturn:
        raise duckdb.OutOfMemoryException("full")


def test_memory_that_stays_full_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FULL", 0.1)
    looks: list[float] = []

    def stopped(seconds: float) -> bool:
        looks.append(seconds)
        time.sleep(0.02)
        return False

    with pytest.raises(LimitExceededError, match="its memory was full for more than"):
        until(stopped, Full(), StoreAddress("localhost"), Limits())
    assert len(looks) > 2, "not at the first look: clients may have all of it for a while"


def test_a_small_machine_gives_half_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 64 <= usual_memory() <= 2048
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 18, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert usual_memory() == 512


def test_limits_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_resident", lambda: 1 << 50)
    with pytest.raises(LimitExceededError, match=r"it took more than 4,096 MB of memory"):
        server._check_limits(None, None, Limits())  # type: ignore[arg-type]
