"""The leaderboard on a team's store: as on a file, with runs of other machines, and while the server is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from harness.store.store import Store
from leaderboard.bundle.page import write_bundle
from leaderboard.screens import reading
from leaderboard.screens.links import PAGES
from tests.support.app_pages import open_page, words_of
from tests.support.scored_runs import scored_run
from tests.support.team_server import TOKEN, Team, team_store

pytestmark = pytest.mark.process
ELSEWHERE = Path("/home/somebody/else/submissions/EXPR")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A server with two runs that were made on another machine, for all tests; use ``team``."""
    with pytest.MonkeyPatch.context() as patch, team_store(tmp_path_factory.mktemp("team"), patch) as found:
        runs = [scored_run("expr/first", 0.4), scored_run("expr/second", 0.6)]
        Store(found.address).record([(run, ELSEWHERE / run.run_id) for run in runs])
        yield found


@pytest.fixture
def team(served: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """The server, which runs and is the store of every page. Tests may add to it."""
    if served.process is None or served.process.poll() is not None:
        monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
        served.start()
    monkeypatch.setattr(reading, "PATIENCE", 2.0)
    monkeypatch.setenv("ABAW_STORE", str(served.address))
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    st.cache_data.clear()
    yield served
    st.cache_data.clear()


def address_of(page: str, team: Team) -> dict[str, str]:
    """Return the state with which a page shows runs of the store."""
    ids = [str(run_id) for run_id in Store(team.address).runs()["run_id"]]
    return {"run": {"run": ids[0]}, "compare": {"a": ids[0], "b": ids[1]}}.get(page, {})


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_runs_of_another_machine(team: Team, page: str) -> None:
    address = address_of(page, team)
    words = words_of(open_page(page, **address))
    assert "can't be" not in words
    if page == "run":
        assert "made on another machine" in words
    if page in ("run", "compare"):
        assert not open_page(page, **address, video="video03").exception


def test_a_run_that_somebody_records_appears_at_the_next_click(team: Team) -> None:
    page = open_page()
    assert "expr/third" not in shown(page)
    run = scored_run("expr/third", 0.2)
    Store(team.address).record([(run, ELSEWHERE / run.run_id)])
    page.run()
    assert "expr/third" in shown(page)


def test_nothing_is_read_again_while_nobody_records(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page()
    monkeypatch.setattr(Store, "runs", lambda store: pytest.fail("read again"))
    page.run()
    assert not page.exception


def shown(page: object) -> str:
    """What the board's tables hold."""
    return "\n".join(str(frame.value.to_dict("records")) for frame in page.dataframe)  # type: ignore[attr-defined]


def test_pages_while_the_server_is_away_show_what_was_read_last(team: Team) -> None:
    addresses = {page: address_of(page, team) for page in PAGES}
    opened = {page: open_page(page, **address) for page, address in addresses.items()}
    before = {page: words_of(shown) for page, shown in opened.items()}
    team.kill()
    for page, shown in opened.items():
        reading.forget()
        shown.run()
        assert not shown.exception, page
        after = words_of(shown)
        if "read last" in after or page != "submissions":
            assert "The team's store does not answer" in after, page
            assert [line for line in before[page].splitlines() if line and line not in after] == [], page
        assert not open_page(page, **addresses[page]).exception, page


def test_a_wrong_token_is_said_on_the_page(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABAW_STORE_TOKEN", "not-the-token-of-the-tests")
    words = words_of(open_page())
    assert "does not take this token" in words
    assert "not-the-token" not in words


def test_the_bundle_does_not_say_where_the_server_is(team: Team, tmp_path: Path) -> None:
    page = write_bundle(Store(team.address), tmp_path / "board.html").read_text(encoding="utf-8")
    assert "expr/first" in page
    assert str(team.address.port) not in page.partition("<table")[0]
    assert team.address.host not in page
