"""Process that serves the app: Streamlit's own server behind the guard :class:`leaderboard.hosts.OwnNamesOnly`.

``abaw leaderboard`` replaces itself by ``python -P -m leaderboard.serving PLAN``; PLAN is a
:class:`leaderboard.command.Plan` as JSON.
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
# modules that the first page imports; its own module is left out, because its caches need a running server
_OF_FIRST_PAGE = ("pandas", "duckdb", "harness.board.board", "harness.board.tables.board", "harness.board.gains")
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def guarded_app(plan: Plan) -> App:
    """Return the app behind its guard, which refuses requests for other hosts and from pages of other addresses.

    When a page of another address opens a connection, Streamlit asks an external server for this machine's address, to
    compare the two. The guard refuses such connections before they reach Streamlit.
    """
    from starlette.middleware import Middleware
    from streamlit import delta_generator
    from streamlit.starlette import App

    # before its first element Streamlit checks for an interactive session, in order to warn its user, and looks up the
    # file of every imported module: a twentieth of the time to the first page
    delta_generator._use_warning_has_been_displayed = True
    guard = Middleware(OwnNamesOnly, names=plan.names, everywhere=plan.everywhere)
    return App(APP, middleware=[guard], lifespan=lambda _: _browsing(plan.browse))


@contextlib.asynccontextmanager
async def _browsing(address: str | None) -> AsyncIterator[None]:
    """Open a browser while the server starts: the socket listens already, so the browser waits for the first answer."""
    if address:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    yield


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Pause garbage collection during imports, where it finds no garbage and takes a fifth of the time.

    Later collections skip the objects that exist at the end of the block.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        gc.enable()


def main() -> None:
    """Serve until Ctrl-C or SIGTERM, both of which end the process without an error."""
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
