"""Make ``docs/images/board.png``: the leaderboard of six solutions on a synthetic data set.

    python -m docs.board_image

It needs the extra mediapipe, Playwright and a Chromium (``--browser`` names one).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGE = Path(__file__).parent / "images" / "board.png"
LARGEST = 200_000
SOLUTIONS = (
    "expr/tiny-mlp-smooth", "expr/landmarks-mlp", "expr/landmarks-mlp-smooth", "expr/landmarks-mlp-gla",
    "expr/landmarks-mlp-gla-smooth", "expr/landmarks-tiny-smooth",
)  # fmt: skip
COMMAND = (sys.executable, "-m", "harness.cli.main")


def main() -> None:
    """Run the solutions, open the leaderboard, keep an image of its first page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--work", type=Path, help="folder to work in; runs that are there are reused")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        os.environ["ABAW_CACHE"] = str(work / "cache")
        data, out = work / "synthetic", work / "submissions"
        if not data.is_dir():
            abaw("data", "synth", data, "--videos", 40, "--frames", 120)
        for solution in SOLUTIONS:
            abaw("run", solution, "--data", data, "--out", out, "--split", "val")
        with leaderboard(out, data) as address:
            photograph(address, arguments.browser)
    size = IMAGE.stat().st_size
    if size >= LARGEST:
        raise SystemExit(f"{IMAGE} has {size:,} bytes, expected fewer than {LARGEST:,}")


def abaw(*arguments: object) -> None:
    """Run the console command."""
    subprocess.run([*COMMAND, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def leaderboard(out: Path, data: Path) -> Iterator[str]:
    """Serve the leaderboard and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [*COMMAND, "leaderboard", "--out", str(out), "--data", str(data), "--port", str(port), "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def photograph(address: str, browser: str) -> None:
    """Keep an image of the board as it looks in a wide window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto(address, timeout=120_000)
        page.get_by_test_id("stDataFrame").first.wait_for(timeout=120_000)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(6_000)
        IMAGE.parent.mkdir(exist_ok=True)
        page.screenshot(path=str(IMAGE))
        chromium.close()


if __name__ == "__main__":
    main()
