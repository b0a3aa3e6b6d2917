"""The process that serves the app: Streamlit's own server, with :class:`leaderboard.hosts.OwnNamesOnly` in front.

``abaw leaderboard`` becomes ``python -P -m leaderboard.serving PLAN``, with a :class:`leaderboard.command.Plan` as
JSON.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

from leaderboard.command import Plan
from leaderboard.hosts import OwnNamesOnly

APP = Path(__file__).with_name("app.py")


def guarded_app(plan: Plan) -> App:
    """Return the app with its guard: no request reaches Streamlit that names another host, or comes from another page.

    Streamlit would ask a server elsewhere for this machine's address if a page of another address opened a connection,
    to compare the two. Such a connection never gets there.
    """
    guard = Middleware(OwnNamesOnly, names=plan.names, everywhere=plan.everywhere)
    return App(APP, middleware=[guard], lifespan=lambda _: _browsing(plan.browse))


@contextlib.asynccontextmanager
async def _browsing(address: str | None) -> AsyncIterator[None]:
    """Open a browser beside the server: its socket listens already, the first page waits until it answers."""
    if address:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    yield


def main() -> None:
    """Serve until stopped by Ctrl-C or a polite kill, which end it without an error."""
    plan = Plan.load(sys.argv[1])
    del sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        guarded_app(plan).run(config=plan.options)


if __name__ == "__main__":
    main()
