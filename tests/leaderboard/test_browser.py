"""The real command, a real server, a real browser: what a reader of the board sees and does."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.record import RunRecord
from harness.store.store import Store

CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}"),
    # a driver that was told to stop may still hold its pipe for a moment
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RunFactory = Callable[..., RunRecord]
ROW = 35


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_addresses(port: int) -> set[str]:
    """Addresses that some process listens on at a port, as the kernel writes them (hexadecimal)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.split(":")[1], 16) == port:
                found.add(address.split(":")[0])
    return found


@pytest.fixture
def server(store: Store, run_record: RunFactory, tmp_path: Path) -> Iterator[int]:
    """Port of ``abaw leaderboard`` on a store with three runs."""
    runs = [run_record("expr/first", 0.60, data_name="lab"), run_record("expr/<b>second</b>", 0.50, data_name="lab")]
    runs.append(run_record("expr/third", 0.40, data_name="lab", encoder="enet_b0"))
    store.record([(run, tmp_path / run.run_id) for run in runs])
    port, log = free_port(), tmp_path / "server.log"
    script = "from leaderboard.command import leaderboard; leaderboard()"
    command = [sys.executable, "-c", script, "--store", str(store.path), "--port", str(port), "--no-browser"]
    with log.open("w") as stream:
        # a session of its own: the command's child, Streamlit, ends with it
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=tmp_path, start_new_session=True)
        try:
            deadline = time.monotonic() + 15
            while not listening_addresses(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield port
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 15)
            process.wait(timeout=10)


@pytest.fixture
def page(server: int) -> Iterator[Any]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser.new_page(viewport={"width": 1280, "height": 1400})
        browser.close()


def test_a_reader_opens_filters_selects_and_sees_a_new_run(
    server: int, page: Any, store: Store, run_record: RunFactory, tmp_path: Path
) -> None:
    elsewhere: list[str] = []
    here = f"http://127.0.0.1:{server}"
    page.on("request", lambda r: None if r.url.startswith((here, "data:", "blob:")) else elsewhere.append(r.url))
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))

    page.goto(here)
    table = page.locator("[data-testid='stDataFrame'] table").first
    expect = sync_api.expect
    expect(table).to_have_attribute("aria-rowcount", "4", timeout=15_000)
    expect(table).to_contain_text("expr/<b>second</b>")
    chart = page.locator("[data-testid='stVegaLiteChart']")
    expect(chart).to_be_visible()
    assert listening_addresses(server) == {"0100007F"}  # 127.0.0.1, and nothing else

    box = page.locator("[data-testid='stDataFrame']").first.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 1.5 * ROW)
    expect(page.get_by_text("Run folder and official file")).to_be_visible()
    expect(page).to_have_url(re.compile("entry=expr-first"))
    page.mouse.click(box["x"] + 15, box["y"] + 1.5 * ROW)
    expect(page.get_by_text("Run folder and official file")).to_have_count(0)

    page.get_by_role("textbox", name="Search").fill("third")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 3 entries pass")).to_be_visible()
    expect(page).to_have_url(re.compile("q=third"))
    page.reload()  # the address alone brings the view back
    expect(table).to_have_attribute("aria-rowcount", "2", timeout=15_000)
    page.get_by_role("button", name="Clear filters").click()
    expect(table).to_have_attribute("aria-rowcount", "4")

    # another process records a run while the page is open
    fourth = run_record("expr/fourth", 0.70, data_name="lab")
    fourth.write(tmp_path)
    script = (
        "import sys; from pathlib import Path; from harness.record import RunRecord;"
        "from harness.store.store import Store;"
        "folder = Path(sys.argv[2]); Store(Path(sys.argv[1]), patience=2).record([(RunRecord.read(folder), folder)])"
    )
    subprocess.run([sys.executable, "-c", script, str(store.path), str(tmp_path)], check=True, timeout=20)
    page.get_by_role("button", name="Refresh").click()
    expect(table).to_have_attribute("aria-rowcount", "5")
    expect(table.locator("tr[aria-rowindex='2']")).to_contain_text("expr/fourth")

    # sorted on the screen, a click still means the run that stands under it
    page.mouse.click(box["x"] + 60, box["y"] + 0.5 * ROW)
    page.get_by_role("menuitem", name="Sort descending").click()
    expect(table.locator("tr[aria-rowindex='2']")).to_contain_text("expr/third")
    page.mouse.click(box["x"] + 15, box["y"] + 1.5 * ROW)
    expect(page).to_have_url(re.compile("entry=expr-third"))
    assert not elsewhere
    assert not alerts
