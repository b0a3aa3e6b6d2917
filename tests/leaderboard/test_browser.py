"""The real command, a real server, a real browser: what a reader sees and does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.record import RunRecord
from harness.runner import Finished
from harness.store.store import Store
from harness.tasks import EXPR, VA
from leaderboard.data.run import video_rows
from leaderboard.export.command import export
from leaderboard.screens.links import PAGES
from tests.support.answer_runs import run_answers
from tests.support.leaderboard_server import Server, served
from tests.support.scored_runs import scored_run

CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
sync_api.expect.set_options(timeout=20_000)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}"),
    # a driver that was told to stop may still hold its pipe for a moment
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RunFactory = Callable[..., RunRecord]
Open = Callable[..., Any]
ROW, FIRST = 35, 40_000  # pixels of a table's row; milliseconds for a page of a new server
# Streamlit's page looks for its server below its own address first, and goes on where there is none
PROBED = re.compile(r"/_stcore/(health|host-config)$")
DONE = "[data-testid='stApp'][data-test-script-state='notRunning']"


@dataclass(frozen=True)
class Site:
    """A server on a store of whole runs."""

    server: Server
    store: Store
    good: Finished
    worse: Finished

    @property
    def here(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.server.port}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, drawn_once: Path) -> Iterator[Site]:
    """Three runs on drawn faces, two of them of one task."""
    out = tmp_path_factory.mktemp("site")
    store = Store(out / "results.duckdb", patience=5)
    good = run_answers(drawn_once, EXPR, "val", store.path, name="good")
    worse = run_answers(drawn_once, EXPR, "val", store.path, name="worse", wrong=3)
    run_answers(drawn_once, VA, "val", store.path, name="values")
    elsewhere = [scored_run(f"expr/{name}", skill, data_name="another lab") for name, skill in (("a", 0.8), ("b", 0.2))]
    elsewhere = [replace(run, created="2020-01-01T00:00:00+00:00") for run in elsewhere]
    store.record([(run, out / run.run_id) for run in elsewhere])
    with served(store.path, out, "--out", str(out / "submissions")) as server:
        yield Site(server, store, good, worse)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Opens an address in a window of its own, in which nothing may go wrong and nothing be asked of anybody else."""
    contexts, wrong = [], []

    def open_(address: str, **options: Any) -> Any:
        here = re.match(r"http://[^/]+", address).group()  # type: ignore[union-attr]
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 1400}, **options))
        page = contexts[-1].new_page()

        def look(request: Any) -> None:
            if not request.url.startswith((here, "data:", "blob:")):
                wrong.append(f"asked elsewhere: {request.url}")

        def hear(message: Any) -> None:
            if message.type == "error" and not PROBED.search(message.location["url"]):
                wrong.append(f"console: {message.text} {message.location}")

        page.on("request", look)
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", hear)
        page.goto(address)
        settle(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def settle(page: Any) -> None:
    """Wait until the page is whole."""
    page.wait_for_selector(DONE, timeout=FIRST)
    page.wait_for_selector("[data-testid='stHeading']", timeout=FIRST)
    page.wait_for_timeout(300)  # a click may still be on its way to the server
    page.wait_for_selector(DONE, timeout=FIRST)
    sync_api.expect(page.locator("[data-testid='stException']")).to_have_count(0)


def table_with(page: Any, title: str) -> Any:
    """The table that has a column of that title."""
    return page.locator("[data-testid='stDataFrame']").filter(has_text=title).first


def select(page: Any, table: Any, row: int) -> None:
    """Click at the left edge of a row, the first is 1."""
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + (row + 0.5) * ROW)


def follow(page: Any, label: str) -> None:
    """Click a link of the page's own, once the page has settled."""
    link = link_of(page, label)
    sync_api.expect(link).to_be_visible()
    page.wait_for_selector(DONE, timeout=FIRST)
    link.click()


def link_of(page: Any, label: str) -> Any:
    """By its whole label; the menu's have no arrow."""
    return page.get_by_role("link", name=f"{label} →", exact=True)


def downloaded(page: Any, form: str, *, nth: int) -> bytes:
    """What a page's export button gives."""
    page.get_by_role("button", name="Export").nth(nth).click()
    with page.expect_download() as waiting:
        page.get_by_test_id("stPopoverBody").get_by_role("button", name=form, exact=True).click()
    page.keyboard.press("Escape")
    return Path(waiting.value.path()).read_bytes()


def exported(site: Site, *arguments: str) -> bytes:
    """What the command writes."""
    result = CliRunner().invoke(export, [*arguments, "--store", str(site.store.path)])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def same_after_reload(page: Any) -> None:
    """The address alone brings the view back."""
    main = page.get_by_test_id("stMain")
    before = main.inner_text()
    page.reload()
    settle(page)
    sync_api.expect(main).to_have_js_property("innerText", before)


def test_from_the_board_to_a_comparison_and_its_export(site: Site, visit: Open) -> None:
    page = visit(site.here)
    expect = sync_api.expect
    board = table_with(page, "Rank")
    expect(board.locator("table")).to_have_attribute("aria-rowcount", "3")
    view = ("--task", "EXPR", "--split", "val", "--data-set", site.good.record.data["name"])
    assert downloaded(page, "Markdown", nth=0) == exported(site, "board", *view, "--format", "md")
    select(page, board, 1)
    expect(page).to_have_url(re.compile(f"entry={site.good.record.run_id}"))
    select(page, board, 2)
    follow(page, "Compare")
    a, b = site.good.record.run_id, site.worse.record.run_id
    expect(page).to_have_url(f"{site.here}/compare?a={a}&b={b}")
    expect(page.get_by_text("4 videos are too few to tell")).to_be_visible()
    settle(page)
    for nth, which in enumerate(("settings", "scores", "videos")):
        for title, form in (("CSV", "csv"), ("LaTeX", "latex")):
            wanted = exported(site, "compare", a, b, "--table", which, "--format", form)
            assert downloaded(page, title, nth=nth) == wanted
    same_after_reload(page)


def test_what_helped_is_told_of_the_data_on_the_board(site: Site, visit: Open) -> None:
    page = visit(f"{site.here}/?data=another+lab")
    follow(page, "Which ingredient helped")
    expect = sync_api.expect
    expect(page).to_have_url(f"{site.here}/papers?table=own%3AEXPR&on=another+lab")
    expect(page.get_by_role("combobox", name="Ours on")).to_have_value("another lab")
    settle(page)
    same_after_reload(page)


def test_from_the_board_to_the_worst_video_of_a_run(site: Site, visit: Open) -> None:
    record = site.worse.record
    page = visit(site.here)
    expect = sync_api.expect
    select(page, table_with(page, "Rank"), 2)
    follow(page, "Open run")
    expect(page).to_have_url(f"{site.here}/run?run={record.run_id}")
    videos = table_with(page, "Pulls the score by")
    expect(videos).to_be_visible()
    settle(page)
    worst = video_rows(record)["video"].iloc[0]
    select(page, videos, 1)
    expect(page).to_have_url(f"{site.here}/run?run={record.run_id}&video={worst}")
    page.get_by_role("button", name="Worst part").click()
    expect(page).to_have_url(re.compile(r"&frames=\d+-\d+$"))
    expect(page.locator("[data-testid='stImage'] img").first).to_be_visible()
    settle(page)
    same_after_reload(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="download Download", exact=True).click()
    assert Path(waiting.value.path()).read_bytes() == (site.worse.folder / "predictions.txt").read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_whole_in_either_theme(site: Site, visit: Open, scheme: str) -> None:
    run = site.good.record
    addresses = {
        "run": f"?run={run.run_id}&video={next(iter(run.statistics['headline']))}",
        "compare": f"?a={run.run_id}&b={site.worse.record.run_id}",
        "papers": "?table=abaw8:table1",
    }
    for name in PAGES:
        page = visit(f"{site.here}/{'' if name == 'board' else name}{addresses.get(name, '')}", color_scheme=scheme)
        paper, ink = page.evaluate(
            "() => { const style = getComputedStyle(document.querySelector('[data-testid=stApp]'));"
            "return [style.backgroundColor, style.color] }"
        )
        assert (lightness(paper) < lightness(ink)) == (scheme == "dark")
        for chart in page.locator("[data-testid='stVegaLiteChart']").all():
            sync_api.expect(chart.locator("canvas, svg").first).to_be_visible()
        page.close()


def lightness(colour: str) -> float:
    """Of ``rgb(14, 17, 23)``."""
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3]))


@pytest.fixture
def own(store: Store, run_record: RunFactory, tmp_path: Path) -> Iterator[Server]:
    """A server on a store with three runs that a test may add to."""
    runs = [run_record("expr/first", 0.60, data_name="lab"), run_record("expr/<b>second</b>", 0.50, data_name="lab")]
    runs.append(run_record("expr/third", 0.40, data_name="lab", encoder="enet_b0"))
    store.record([(run, tmp_path / run.run_id) for run in runs])
    with served(store.path, tmp_path) as server:
        yield server


def test_a_reader_filters_selects_sorts_and_sees_a_new_run(
    own: Server, visit: Open, store: Store, run_record: RunFactory, tmp_path: Path
) -> None:
    page = visit(f"http://127.0.0.1:{own.port}")
    assert listening_addresses(own.port) == {"0100007F"}  # 127.0.0.1, and nothing else
    expect = sync_api.expect
    board = table_with(page, "Rank")
    rows = board.locator("table")
    expect(rows).to_have_attribute("aria-rowcount", "4")
    expect(rows).to_contain_text("expr/<b>second</b>")

    select(page, board, 1)
    expect(link_of(page, "Open run")).to_be_visible()
    expect(page).to_have_url(re.compile("entry=expr-first"))
    select(page, board, 1)
    expect(link_of(page, "Open run")).to_have_count(0)

    page.get_by_role("textbox", name="Search").fill("third")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 3 rows pass")).to_be_visible()
    expect(page).to_have_url(re.compile("q=third"))
    page.reload()  # the address alone brings the view back
    expect(rows).to_have_attribute("aria-rowcount", "2")
    page.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_attribute("aria-rowcount", "4")

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
    expect(rows).to_have_attribute("aria-rowcount", "5")
    expect(rows.locator("tr[aria-rowindex='2']")).to_contain_text("expr/fourth")

    # sorted on the screen, a click still means the run that stands under it
    box = board.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 0.5 * ROW)
    page.get_by_role("menuitem", name="Sort descending").click()
    expect(rows.locator("tr[aria-rowindex='2']")).to_contain_text("expr/third")
    select(page, board, 1)
    expect(page).to_have_url(re.compile("entry=expr-third"))


def listening_addresses(port: int) -> set[str]:
    """Addresses that some process listens on at a port, as the kernel writes them (hexadecimal)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.split(":")[1], 16) == port:
                found.add(address.split(":")[0])
    return found
