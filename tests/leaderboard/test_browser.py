"""The real command, a real server, a real browser: what a reader sees and does."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from click.testing import CliRunner

from harness.board.run import video_rows
from harness.records.run import RunRecord
from harness.runs.finished import Finished
from harness.store.store import Store
from harness.tasks import EXPR, VA
from leaderboard.bundle.page import write_bundle
from leaderboard.export.command import export
from leaderboard.screens.links import PAGES
from tests.support.answer_runs import run_answers
from tests.support.leaderboard_server import Server, Visitor, served
from tests.support.scored_runs import make_run, scored_run

HOSTILE = "expr/<script>alert(1)</script><img src=x onerror=alert(2)>\" ' & " + "x" * 500
CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
sync_api.expect.set_options(timeout=20_000)
pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}"),
    # a driver that was told to stop may still hold its pipe for a moment
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RunFactory = Callable[..., RunRecord]
Open = Callable[[str], Any]
ROW, FIRST = 35, 40_000  # pixels of a table's row; milliseconds for a page of a new server
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}  # Streamlit's own
# Streamlit's page looks for its server below its own address first, and goes on where there is none
PROBED = re.compile(r"/_stcore/(health|host-config)$")
DONE = "[data-testid='stApp'][data-test-script-state='notRunning']"
REOPENED = {"board", "run", "compare", "papers"}
LONG_AGO = "2020-01-01T00:00:00+00:00"
"""Runs of this day are never on the board that the page opens with."""
RECORD = """
import sys
from pathlib import Path
from harness.records.run import RunRecord
from harness.store.store import Store
folder = Path(sys.argv[2])
Store(Path(sys.argv[1]), patience=2).record([(RunRecord.read(folder), folder)])
"""


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
    """A server on three runs on drawn faces, two runs of another lab, and three of a lab that a test adds to."""
    out = tmp_path_factory.mktemp("site")
    store = Store(out / "results.duckdb", patience=5)
    good = run_answers(drawn_once, EXPR, "val", store.path, name="good")
    worse = run_answers(drawn_once, EXPR, "val", store.path, name="worse", wrong=3)
    run_answers(drawn_once, VA, "val", store.path, name="values")
    elsewhere = [scored_run(f"expr/{name}", skill, data_name="another lab") for name, skill in (("a", 0.8), ("b", 0.2))]
    elsewhere += [of_the_lab("expr/first", 0.60), of_the_lab("expr/<b>second</b>", 0.50)]
    elsewhere.append(of_the_lab("expr/third", 0.40, encoder="enet_b0"))
    elsewhere = [replace(run, created=LONG_AGO) for run in elsewhere]
    store.record([(run, out / run.run_id) for run in elsewhere])
    with served(store.path, out, "--out", str(out / "submissions")) as server:
        yield Site(server, store, good, worse)


def of_the_lab(name: str, score: float, **changes: str) -> RunRecord:
    """Return the record of a run on the data set ``lab``."""
    return make_run(name, score, data_name="lab", created=LONG_AGO, **changes)


@dataclass
class Window:
    """A browser's window, in which nothing may go wrong and nothing be asked of anybody else.

    Attributes:
        page: Playwright's page. One for all tests: a new one reads and compiles all of Streamlit's scripts again.
        allowed: how the addresses begin that the page may ask for.
        wrong: what went wrong since the test began.
        said: all that the page wrote to the console since.
    """

    page: Any
    allowed: tuple[str, ...] = ()
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._look)
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", self._hear)

    def _look(self, request: Any) -> None:
        if not request.url.startswith((*self.allowed, "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {request.url}")

    def _hear(self, message: Any) -> None:
        self.said.append(message.text)
        if message.type == "error" and not PROBED.search(message.location["url"]):
            self.wrong.append(f"console: {message.text} {message.location}")

    def leave(self) -> None:
        """Forget the page and whatever it stored."""
        if self.page.url.startswith("http"):
            self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        self.page.context.clear_cookies()
        self.page.goto("about:blank")
        self.page.emulate_media(color_scheme="light")


@pytest.fixture(scope="module")
def opened() -> Iterator[Window]:
    """A window for all tests; use ``window``."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield Window(browser.new_page(viewport={"width": 1280, "height": 1400}, reduced_motion="reduce"))
        browser.close()


@pytest.fixture
def window(opened: Window) -> Iterator[Window]:
    """A window without a page; when the test ends, nothing went wrong in it."""
    opened.wrong.clear()
    opened.said.clear()
    yield opened
    opened.leave()
    assert opened.wrong == []


@pytest.fixture
def visit(window: Window) -> Open:
    """Open a page of a server."""

    def open_(address: str) -> Any:
        window.allowed = (re.match(r"http://[^/]+", address).group(),)  # type: ignore[union-attr]
        window.page.goto(address)
        settle(window.page)
        return window.page

    return open_


def settle(page: Any) -> None:
    """Wait until the page is whole. After a click, wait first for what the click changes."""
    page.wait_for_selector(DONE, timeout=FIRST)
    page.wait_for_selector("[data-testid='stHeading']", timeout=FIRST)
    page.wait_for_selector(DONE, timeout=FIRST)
    sync_api.expect(page.locator("[data-testid='stException']")).to_have_count(0)


def table_with(page: Any, title: str) -> Any:
    """The table that has a column of that title."""
    return page.locator("[data-testid='stDataFrame']").filter(has_text=title).first


def wait_for_rows(table: Any, count: int) -> None:
    """Wait until a table has so many rows, the header's among them."""
    table.locator(f"table[aria-rowcount='{count}']").wait_for(state="attached")


def wait_for_first(table: Any, text: str) -> None:
    """Wait until the first row below the header holds a text."""
    table.locator("tr[aria-rowindex='2']").filter(has_text=text).wait_for(state="attached")


def select(page: Any, table: Any, row: int) -> None:
    """Click at the left edge of a row, the first is 1."""
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + (row + 0.5) * ROW)


def follow(page: Any, label: str) -> None:
    """Click a link of the page's own, once the page has settled."""
    link = link_of(page, label)
    link.wait_for()
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


def assert_same_when_reopened(page: Any) -> None:
    """Assert that the address alone brings the view back, and that the page is whole in the light and in the dark."""
    assert_whole(page, "light")
    main = page.get_by_test_id("stMain")
    before = main.inner_text()
    reopen_in_the_dark(page)
    sync_api.expect(main).to_have_js_property("innerText", before)
    assert_whole(page, "dark")


def reopen_in_the_dark(page: Any) -> None:
    """Open the page's address anew, with the dark theme."""
    address = page.url
    page.goto("about:blank")
    page.emulate_media(color_scheme="dark")
    page.goto(address)
    settle(page)


def assert_whole(page: Any, scheme: str) -> None:
    """Assert that a page has the colours of the scheme, and draws each of its charts."""
    app = page.get_by_test_id("stApp")
    sync_api.expect(app).to_have_css("background-color", PAPER[scheme])
    ink = app.evaluate("(element) => getComputedStyle(element).color")
    assert (lightness(PAPER[scheme]) < lightness(ink)) == (scheme == "dark")
    for chart in page.locator("[data-testid='stVegaLiteChart']").all():
        chart.locator("canvas, svg").first.wait_for()
    sync_api.expect(page.locator("[data-testid='stException']")).to_have_count(0)


def lightness(colour: str) -> float:
    """Return the sum of the parts of a colour such as ``rgb(14, 17, 23)``."""
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3]))


def test_from_the_board_to_a_comparison_and_its_export(site: Site, visit: Open) -> None:
    page = visit(site.here)
    board = table_with(page, "Rank")
    wait_for_rows(board, 3)
    view = ("--task", "EXPR", "--split", "val", "--data-set", site.good.record.data["name"])
    assert downloaded(page, "Markdown", nth=0) == exported(site, "board", *view, "--format", "md")
    select(page, board, 1)
    page.wait_for_url(re.compile(f"entry={site.good.record.run_id}"))
    select(page, board, 2)
    follow(page, "Compare")
    a, b = site.good.record.run_id, site.worse.record.run_id
    page.wait_for_url(f"{site.here}/compare?a={a}&b={b}")
    page.get_by_text("4 videos are too few to tell").wait_for()
    settle(page)
    for nth, which in enumerate(("settings", "scores", "videos")):
        for title, form in (("CSV", "csv"), ("LaTeX", "latex")):
            wanted = exported(site, "compare", a, b, "--table", which, "--format", form)
            assert downloaded(page, title, nth=nth) == wanted
    assert_same_when_reopened(page)


def test_a_table_offers_no_csv_but_ours(site: Site, visit: Open) -> None:
    page = visit(site.here)
    board = table_with(page, "Rank")
    wait_for_rows(board, 3)
    board.hover()
    buttons = page.locator("[data-testid='stElementToolbarButton']")
    sync_api.expect(buttons.filter(has=page.locator("[aria-label='Search']")).first).to_be_visible()
    theirs = page.locator("[aria-label='Download as CSV']")
    assert theirs.count() > 0, "Streamlit calls it something else"
    assert not any(button.is_visible() for button in theirs.all())


def test_what_helped_is_told_of_the_data_on_the_board(site: Site, visit: Open) -> None:
    page = visit(f"{site.here}/?data=another+lab")
    follow(page, "Which ingredient helped")
    page.wait_for_url(f"{site.here}/papers?table=own%3AEXPR&on=another+lab")
    sync_api.expect(page.get_by_role("combobox", name="Ours on")).to_have_value("another lab")
    settle(page)
    assert_same_when_reopened(page)


def test_from_the_board_to_the_worst_video_of_a_run(site: Site, visit: Open) -> None:
    record = site.worse.record
    page = visit(site.here)
    select(page, table_with(page, "Rank"), 2)
    follow(page, "Open run")
    page.wait_for_url(f"{site.here}/run?run={record.run_id}")
    videos = table_with(page, "Pulls")
    videos.wait_for()
    settle(page)
    worst = video_rows(record)["video"].iloc[0]
    select(page, videos, 1)
    page.wait_for_url(f"{site.here}/run?run={record.run_id}&video={worst}")
    page.get_by_role("button", name="Worst part").click()
    page.wait_for_url(re.compile(r"&frames=\d+-\d+$"))
    settle(page)
    assert 0 not in widths_of_pictures(page)
    assert_same_when_reopened(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="download Download", exact=True).click()
    assert Path(waiting.value.path()).read_bytes() == (site.worse.folder / "predictions.txt").read_bytes()


def widths_of_pictures(page: Any) -> list[int]:
    """Return each picture's width in pixels as the browser has decoded it: 0 for a broken one."""
    pictures = page.locator("[data-testid='stImage'] img")
    pictures.first.wait_for()
    decode = "(image) => image.decode().then(() => image.naturalWidth, () => 0)"
    return [picture.evaluate(decode) for picture in pictures.all()]


def test_pictures_that_load_during_a_rerun_are_there(site: Site) -> None:
    run = site.worse.record
    address = {"run": run.run_id, "video": next(iter(run.statistics["headline"]))}
    with Visitor(site.server) as slow:
        answers = [slow.open("run", **address), slow.open("run", **address, frames="20-50")]
    for answer in answers:  # only now are the pictures asked for
        pictures = [picture.url for element in answer.elements for picture in element.imgs.imgs]
        assert len(pictures) == 10
        for url in pictures:
            with urllib.request.urlopen(urljoin(site.here, url), timeout=10) as response:  # noqa: S310 - ours
                assert response.read(2) == b"\xff\xd8", "a JPEG file begins so"


def test_pages_in_either_theme_are_whole(site: Site, visit: Open, window: Window) -> None:
    window.page.emulate_media(color_scheme="dark")
    page = visit(f"{site.here}/papers?table=abaw8:table1")
    assert_whole(page, "dark")
    page.emulate_media(color_scheme="light")
    assert_whole(page, "light")
    for name in sorted({*PAGES} - REOPENED):  # the others are seen in the dark by other tests
        page.get_by_role("link", name=PAGES[name], exact=True).click()
        page.wait_for_url(f"{site.here}/{name}")
        settle(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert_whole(page, scheme)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_passes_axe_in_either_theme(width: int, site: Site, visit: Open, window: Window) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    a, b = site.good.record.run_id, site.worse.record.run_id
    addresses = {"board": "", "run": f"?run={a}", "compare": f"?a={a}&b={b}", "papers": "", "submissions": ""}
    assert set(addresses) == set(PAGES)
    pages = [*addresses.items(), ("compare", f"?base={a}&run={b}"), ("board", "?every=60+s&sort=Name&columns=Interval")]
    window.page.set_viewport_size({"width": width, "height": 1400})
    try:
        for name, address in pages:
            page = visit(f"{site.here}/{name if name != 'board' else ''}{address}")
            assert page.title() == f"{PAGES[name]} · ABAW leaderboard"
            for scheme in ("light", "dark") if width == 1280 else ("light",):
                page.emulate_media(color_scheme=scheme)
                assert_whole(page, scheme)
                violations = axe.run(page).response["violations"]
                found = [(v["id"], node["html"][:200]) for v in violations for node in v["nodes"]]
                assert found == [], f"{name}{address}, {scheme}, {width} pixels"
            page.emulate_media(color_scheme="light")
            for popover in ("layout", "views") if name == "board" else ():
                page.locator(f".st-key-{popover} button").first.click()
                page.get_by_test_id("stPopoverBody").wait_for()
                violations = axe.run(page).response["violations"]
                assert [(v["id"], node["html"][:200]) for v in violations for node in v["nodes"]] == [], popover
                page.keyboard.press("Escape")
                page.get_by_test_id("stPopoverBody").wait_for(state="detached")
    finally:
        window.page.set_viewport_size({"width": 1280, "height": 1400})


def test_a_phone_shows_the_score_beside_the_name(site: Site, visit: Open, window: Window) -> None:
    window.page.set_viewport_size({"width": 390, "height": 844})
    try:
        page = visit(site.here)
        row = page.locator(".phone-list tbody tr").first
        name, score = row.get_by_role("link"), row.locator(".number")
        assert name.inner_text() == "expr/good, seed 0"
        head = site.good.record.score()
        assert head is not None
        assert score.inner_text().startswith(f"{head['value']:.3f}")
        for part in (name.bounding_box(), score.bounding_box()):
            assert part["x"] >= 0
            assert part["x"] + part["width"] <= 390
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        name.click()
        page.wait_for_url(f"{site.here}/run?run={site.good.record.run_id}")
        settle(page)
    finally:
        window.page.set_viewport_size({"width": 1280, "height": 1400})


def test_papers_on_a_phone_have_both_scores_in_sight(site: Site, visit: Open, window: Window) -> None:
    window.page.set_viewport_size({"width": 390, "height": 844})
    try:
        page = visit(f"{site.here}/papers?table=abaw8:table1")
        row = page.locator(".phone-list tbody tr").first
        row.wait_for()
        for cell in row.locator("td").all():
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert page.locator(".phone-list th").all_inner_texts()[2] == "Ours"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        window.page.set_viewport_size({"width": 1280, "height": 1400})


def test_a_saved_view_opens_the_board_as_it_was(site: Site, visit: Open) -> None:
    page = visit(f"{site.here}/?data=lab&sort=Name")
    page.get_by_role("textbox", name="Search").fill("third")
    page.keyboard.press("Enter")
    page.get_by_text("rows pass the filters").wait_for()
    page.locator(".st-key-views button").first.click()
    popover = page.get_by_test_id("stPopoverBody")
    popover.get_by_role("textbox", name="Name").fill("the third")
    page.keyboard.press("Enter")
    save = popover.get_by_role("button", name="Save")
    sync_api.expect(save).to_be_enabled()
    save.click()
    popover.get_by_text("Saved: the third").wait_for()
    address = page.url

    page = visit(f"{site.here}/?data=another+lab")
    page.locator(".st-key-views button").first.click()
    popover.get_by_role("link", name="the third").click()
    page.get_by_text("rows pass the filters").wait_for()
    settle(page)
    assert sorted(page.url.split("?")[1].split("&")) == sorted(address.split("?")[1].split("&"))
    wait_for_rows(table_with(page, "Rank"), 2)


def test_a_refreshing_board_shows_a_new_run_and_keeps_its_view(site: Site, visit: Open, tmp_path: Path) -> None:
    for name, score in (("first", 0.5), ("second", 0.4)):
        run = replace(scored_run(f"expr/{name}", score, data_name="busy lab"), created=LONG_AGO)
        site.store.record([(run, tmp_path / name)])
    page = visit(f"{site.here}/?data=busy+lab&every=10+s&q=expr")
    board = table_with(page, "Rank")
    wait_for_rows(board, 3)
    select(page, board, 2)
    page.wait_for_url(re.compile("entry=expr-second"))
    before = page.get_by_text("unchanged at").inner_text()
    page.wait_for_function("(text) => !document.body.innerText.includes(text)", arg=before, timeout=15_000)
    assert page.get_by_text("unchanged at").inner_text().split(";")[0] == before.split(";")[0], "nothing was read"
    run = replace(scored_run("expr/third", 0.9, data_name="busy lab"), created=LONG_AGO)
    site.store.record([(run, tmp_path / "third")])
    wait_for_rows(board, 4)
    wait_for_first(board, "expr/third")
    assert "q=expr" in page.url
    assert "entry=expr-second" in page.url
    link_of(page, "Open run").wait_for()


def test_a_click_on_a_name_opens_the_run(site: Site, visit: Open) -> None:
    page = visit(site.here)
    board = table_with(page, "Rank")
    sync_api.expect(page.locator(".phone-list")).to_be_hidden()
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    page.mouse.click(box["x"] + 120, box["y"] + 2.5 * ROW)
    page.wait_for_url(f"{site.here}/run?run={site.worse.record.run_id}")
    settle(page)


def test_a_reader_filters_selects_sorts_and_sees_a_new_run(site: Site, visit: Open, tmp_path: Path) -> None:
    page = visit(f"{site.here}/?data=lab")
    assert listening_addresses(site.server.port) == {"0100007F"}  # 127.0.0.1, and nothing else
    board = table_with(page, "Rank")
    wait_for_rows(board, 4)
    sync_api.expect(board.locator("table")).to_contain_text("expr/<b>second</b>")

    select(page, board, 1)
    link_of(page, "Open run").wait_for()
    page.wait_for_url(re.compile("entry=expr-first"))
    select(page, board, 1)
    link_of(page, "Open run").wait_for(state="detached")

    page.get_by_role("textbox", name="Search").fill("third")
    page.keyboard.press("Enter")
    page.get_by_text("1 of 3 rows pass").wait_for()
    page.wait_for_url(re.compile("q=third"))
    reopen_in_the_dark(page)  # the address alone brings the view back
    wait_for_rows(board, 2)
    assert_whole(page, "dark")
    page.get_by_role("button", name="Clear filters").click()
    wait_for_rows(board, 4)

    # another process records a run while the page is open
    of_the_lab("expr/fourth", 0.70).write(tmp_path)
    subprocess.run([sys.executable, "-c", RECORD, str(site.store.path), str(tmp_path)], check=True, timeout=20)
    page.get_by_role("button", name="Refresh").click()
    wait_for_rows(board, 5)
    wait_for_first(board, "expr/fourth")

    # sorted on the screen, a click still means the run that stands under it
    box = board.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 0.5 * ROW)
    page.get_by_role("menuitem", name="Sort descending").click()
    wait_for_first(board, "expr/third")
    select(page, board, 1)
    page.wait_for_url(re.compile("entry=expr-third"))


def listening_addresses(port: int) -> set[str]:
    """Addresses that some process listens on at a port, as the kernel writes them (hexadecimal)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.split(":")[1], 16) == port:
                found.add(address.split(":")[0])
    return found


def test_a_bundle_is_sorted_and_searched_without_a_server(window: Window, tmp_path: Path) -> None:
    store = Store(tmp_path / "results.duckdb")
    runs = [of_the_lab("expr/a", 0.4), of_the_lab("expr/b", 0.5), of_the_lab(HOSTILE, 0.3, run_id="h")]
    store.record([(run, tmp_path / f"run-{k}") for k, run in enumerate(runs)])
    window.allowed, page = ("file:",), window.page
    page.goto(write_bundle(store, tmp_path / "board.html").as_uri())
    section = page.locator("section").filter(has=page.get_by_text("expression recognition, lab", exact=False)).first
    table = section.locator("table").first

    def names() -> list[str]:
        cells = table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
        return [text[:7].strip() for text in cells]

    assert names() == ["expr/b", "expr/a", "expr/<s"]
    head = table.get_by_role("columnheader", name="Solution")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names()[-1] == "expr/b"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names()[0] == "expr/b"
    score = table.get_by_role("columnheader", name="macro-F1")
    score.get_by_role("button").click()
    assert names() == ["expr/b", "expr/a", "expr/<s"]
    score.get_by_role("button").click()
    assert names() == ["expr/<s", "expr/a", "expr/b"]
    page.get_by_role("searchbox").fill("expr/a")
    assert names() == ["expr/a"]
    page.reload()  # the address holds the search
    assert names() == ["expr/a"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert window.said == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_bundle_passes_axe_and_fits_a_phone(width: int, window: Window, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    store = Store(tmp_path / "results.duckdb")
    runs = [of_the_lab("expr/a-solution-with-a-name-that-is-longer-than-a-phone", 0.4), of_the_lab("expr/b", 0.5)]
    store.record([(run, tmp_path / f"run-{k}") for k, run in enumerate(runs)])
    window.allowed, page = ("file:",), window.page
    page.set_viewport_size({"width": width, "height": 844})
    try:
        page.goto(write_bundle(store, tmp_path / "board.html").as_uri())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            violations = axe.run(page).response["violations"]
            assert [(v["id"], node["html"][:200]) for v in violations for node in v["nodes"]] == [], scheme
        for cell in page.locator("table").first.locator("tbody tr").first.locator("td").all()[:3]:
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        window.page.set_viewport_size({"width": 1280, "height": 1400})
