"""``abaw leaderboard``: start the Streamlit app on localhost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from harness.settings import load_settings

APP = Path(__file__).parent / "app.py"


@click.command()
@click.option("--store", type=click.Path(path_type=Path), help="Results store.  [default: submissions/results.duckdb]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs.  [default: submissions]")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; this machine only by default."
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser; print the address only.")
@click.option(
    "--bundle", type=click.Path(path_type=Path),
    help="Write the boards as one HTML file, to send or to put on a project page; nothing is started.",
)  # fmt: skip
def leaderboard(
    store: Path | None, out: Path | None, port: int, host: str, no_browser: bool, bundle: Path | None
) -> None:
    """Browse runs and published results. Reads the store; runs can be recorded while it is open.

    \b
    Examples: abaw leaderboard --store submissions/results.duckdb
              abaw leaderboard --bundle board.html
    """
    settings = load_settings(store=store, out=out)
    if bundle:
        from harness.store.store import Store
        from leaderboard.bundle.page import write_bundle

        click.echo(f"{write_bundle(Store(settings.store), bundle)}: the boards of {settings.store}")
        return
    command = [
        sys.executable, "-m", "streamlit", "run", str(APP),
        f"--server.address={host}", f"--server.port={port}", f"--server.headless={str(no_browser).lower()}",
        "--browser.gatherUsageStats=false", "--server.fileWatcherType=none", "--server.maxUploadSize=1",
        "--server.showEmailPrompt=false", "--global.developmentMode=false", "--client.toolbarMode=viewer",
    ]  # fmt: skip
    click.echo(f"Leaderboard of {settings.store}: http://{host}:{port}  (stop with Ctrl-C)")
    environment = {**os.environ, "ABAW_STORE": str(settings.store.resolve()), "ABAW_OUT": str(settings.out.resolve())}
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
