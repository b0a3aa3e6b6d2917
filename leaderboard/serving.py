"""The process that serves the app: Streamlit's own server, with :class:`leaderboard.hosts.OwnNamesOnly` in front.

``abaw leaderboard`` becomes ``python -P -m leaderboard.serving PLAN``, with a :class:`leaderboard.command.Plan` as
JSON.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import signal
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.command import Plan
from leaderboard.hosts import OwnNamesOnly

if TYPE_CHECKING:
    from streamlit.starlette import App

APP = Path(__file__).with_name("app.py")
# what the first page needs; not its own module, whose caches are made for a server that runs
_OF_FIRST_PAGE = ("pandas", "duckdb", "harness.board.board", "harness.board.tables.board", "harness.board.gains")
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def guarded_app(plan: Plan) -> App:
    """Return the app with its guard: no request reaches Streamlit that names another host, or comes from another page.

    Streamlit would ask a server elsewhere for this machine's address if a page of another address opened a connection,
    to compare the two. Such a connection never gets there.
    """
    from starlette.middleware import Middleware
    from streamlit import delta_generator
    from streamlit.starlette import App

    # before its first element Streamlit asks if this is an interactive session, to warn its user, and looks for the
    # file of every module there is: a twentieth of the time to the first page
    delta_generator._use_warning_has_been_displayed = True
    guard = Middleware(OwnNamesOnly, names=plan.names, everywhere=plan.everywhere)
    return App(APP, middleware=[guard], lifespan=lambda _: _browsing(plan.browse))


@contextlib.asynccontextmanager
async def _browsing(address: str | None) -> AsyncIterator[None]:
    """Open a browser beside the server: its socket listens already, the first page waits until it answers."""
    if address:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    yield


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Import without a search for garbage: there is none, and a fifth of the time would go into looking for it.

    Afterwards the objects of the modules are left out of every search.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        gc.enable()


def main() -> None:
    """Serve until stopped by Ctrl-C or a polite kill, which end it without an error."""
    plan = Plan.load(sys.argv[1])
    del sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        with _nothing_collected():
            app = guarded_app(plan)
            for name in _OF_FIRST_PAGE:
                importlib.import_module(name)
        app.run(config=plan.options)


if __name__ == "__main__":
    main()
