"""The boards as one HTML file: whole, escaped, needing nothing from anywhere, readable without its script."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.errors import StoreError, UsageError
from harness.record import RunRecord
from harness.store.store import Store
from leaderboard.bundle.page import bundle, write_bundle
from leaderboard.bundle.strips import HEIGHT, WIDTH, axis, bars, interval, scale_of
from leaderboard.command import leaderboard

RunFactory = Callable[..., RunRecord]
NOW = datetime.datetime(2026, 11, 22, 18, 30, tzinfo=datetime.UTC)
HOSTILE = "expr/<script>alert(1)</script><img src=x onerror=alert(2)>\" ' & {{ 7*7 }} {% raw %} 😀 &lt; " + "x" * 500
VOID = {"meta", "link", "input", "br", "img"}
CHROMIUM = Path("/usr/bin/chromium")


class Page(HTMLParser):
    """A page as a browser reads it: tags with their attributes, text by the tag around it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def inside(self, tag: str) -> list[str]:
        return [text for around, text in self.text if around == tag]

    @property
    def words(self) -> str:
        return "\n".join(text for around, text in self.text if around not in ("style", "script"))


def record(store: Store, *runs: RunRecord) -> None:
    store.record([(run, store.path.parent / run.run_id) for run in runs])


def page_of(store: Store) -> Page:
    return Page(bundle(store, NOW))


# --- what it needs


def test_nothing_is_asked_for_from_anywhere(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record(HOSTILE, seed=1, data_name="lab"))
    page = page_of(store)
    for tag, attributes in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form", "audio", "video", "source", "use"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name not in ("src", "srcset", "action", "style", "xlink:href"), (tag, attributes)
            if name == "href":
                assert str(value).startswith("#") or value == "data:,", (tag, attributes)
    assert "url(" not in "".join(page.inside("style"))
    assert "@import" not in "".join(page.inside("style"))


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(store: Store) -> None:
    page = page_of(store)
    policy = next(str(a["content"]) for t, a in page.tags if t == "meta" and "http-equiv" in a)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    for kind in ("style", "script"):
        (text,) = page.inside(kind)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == [f"'sha256-{digest}'"]
        assert sum(tag == kind for tag, _ in page.tags) == 1


def test_whatever_a_name_holds_is_text(store: Store, run_record: RunFactory) -> None:
    plain = run_record(data_name="lab", notes=["fine"], encoder="e")
    record(store, plain)
    tags = {tag for tag, _ in page_of(store).tags}
    hostile = run_record(HOSTILE, 0.5, run_id="h", data_name="lab", encoder=HOSTILE, notes=[HOSTILE])
    other = run_record("expr/x", 0.5, run_id="x", data_name=HOSTILE)
    record(store, hostile, other)
    page = page_of(store)
    assert {tag for tag, _ in page.tags} == tags
    shown = HOSTILE.replace("  ", " ")
    assert sum(shown in text for text in page.inside("bdi")) >= 3
    assert any(shown in text for text in page.inside("h2"))


# --- what it says


def test_it_says_when_and_from_what_it_was_made_and_not_where_that_lies(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    page = page_of(store)
    assert "2026-11-22 18:30 UTC" in page.words
    assert "results.duckdb" in page.words
    assert "1 run," in page.words
    assert "nothing here is live" in page.words
    assert "70 videos, 280,532 frames" in page.words
    assert str(store.path.parent.parent) not in bundle(store, NOW)


def test_a_board_each_task_split_and_data_set_those_with_runs_first(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(), run_record(data_name="lab"))
    page = page_of(store)
    titles = page.inside("h2")
    assert titles[0].startswith("EXPR val")
    assert {"lab", "Aff-Wild2"} == {title.rpartition(", ")[2] for title in titles[:2]}
    assert any(title.startswith("VA test") for title in titles)
    anchors = [a["id"] for t, a in page.tags if t == "section"]
    assert len(set(anchors)) == len(anchors)
    assert {f"#{anchor}" for anchor in anchors} == {a["href"] for t, a in page.tags if t == "a"}


def test_validation_and_test_never_share_a_table(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/only-val"), run_record("expr/only-test", split="test"))
    text = bundle(store, NOW)
    for part in text.split("<section")[1:]:
        assert not ("expr/only-val" in part and "expr/only-test" in part)


def test_the_best_run_is_bold_and_intervals_are_drawn(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", 0.4, data_name="lab"), run_record("expr/b", 0.5, data_name="lab"))
    page = page_of(store)
    assert "0.500" in page.inside("strong")
    assert "0.400" not in page.inside("strong")
    said = [str(a.get("aria-label")) for t, a in page.tags if t == "svg"]
    assert any("0.500, 95 % interval 0.470 to 0.530; a constant gets 0.057" in text for text in said)
    assert any(text.startswith("Neutral 0.50, Anger 0.50") for text in said)


def test_drawn_data_are_called_so(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    assert "drawn by a program" not in page_of(store).words
    record(store, run_record(data_name="abaw-synth"))
    assert "drawn by a program" in page_of(store).words


def test_published_results_on_other_data_stand_apart(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"))
    page = page_of(store)
    assert any("not comparable with runs on" in text for text in page.inside("summary"))


def test_without_a_store_it_holds_published_results_and_says_so(store: Store) -> None:
    page = page_of(store)
    assert "no runs yet" in page.words
    assert len(page.inside("bdi")) > 20
    assert not store.path.exists()


def test_every_word_that_is_explained_on_hover_is_explained_in_print(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(tuned=0.5))
    page = page_of(store)
    glossary = set(page.inside("dd"))
    hovers = {a["title"] for t, a in page.tags if t == "th" and a.get("title")}
    assert any("bootstrap" in text for text in glossary)
    assert sum(text in glossary for text in hovers) >= 4


# --- writing


def test_it_is_written_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    target.write_text("before")
    store.path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        write_bundle(store, target)
    assert target.read_text() == "before"
    store.path.unlink()
    assert write_bundle(store, target) == target
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_gets_an_index_and_another_kind_of_file_is_refused(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    assert write_bundle(store, folder) == folder / "index.html"
    with pytest.raises(UsageError, match=r"board\.html"):
        write_bundle(store, tmp_path / "board.pdf")


def test_the_command_writes_it_and_starts_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a server was started"))
    done = CliRunner().invoke(leaderboard, ["--bundle", str(tmp_path / "b.html")])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "b.html") in done.output
    assert (tmp_path / "b.html").is_file()


# --- the pictures


@pytest.mark.parametrize("values", [(0.3, 0.31), (0.0, 1.0), (-0.2, 0.7), (0.5, 0.5), (0.3999, 0.4001)])
def test_a_scale_holds_its_values_between_round_ticks(values: tuple[float, float]) -> None:
    scale = scale_of([{"score": value} for value in values])
    assert scale is not None
    assert scale.low <= min(values) <= max(values) <= scale.high
    assert 2 <= len(scale.ticks) <= 8
    assert list(scale.ticks) == sorted(set(scale.ticks))
    assert 0 < scale.x(scale.low) < scale.x(scale.high) < WIDTH
    assert all(f">{tick:.4g}<" in axis(scale) for tick in scale.ticks) or len(scale.ticks) > 6


def test_an_interval_is_drawn_where_its_numbers_say() -> None:
    row = {"kind": "run", "score": 0.4, "low": 0.3, "high": 0.6, "constant": 0.1}
    scale = scale_of([row])
    assert scale is not None
    drawn = str(interval(row, scale))
    low, high = map(float, re.findall(r'class="line" d="M([\d.]+) [\d.]+H([\d.]+)"', drawn)[0])
    (point,) = map(float, re.findall(r'cx="([\d.]+)"', drawn))
    (constant,) = map(float, re.findall(r'class="constant" d="M([\d.]+) ', drawn))
    assert constant < low < point < high
    assert (point - low) / (high - low) == pytest.approx(1 / 3, abs=0.01)
    assert "no score" in interval({"kind": "run"}, scale)
    assert 'class="point"' not in interval({"kind": "paper", "score": 0.4}, scale)
    assert scale_of([{}]) is None


def test_bars_are_as_tall_as_their_scores_and_escape_their_names() -> None:
    drawn = str(bars({"a<b": 0.5, "c": -0.2}, ("a<b", "c")))
    tall = [float(value) for value in re.findall(r'class="bar"[^/]*v-([\d.]+)h', drawn)]
    assert tall == [HEIGHT / 2, 0.0]
    assert "a&lt;b 0.500" in drawn
    assert "<b" not in drawn.replace("<b ", "")
    assert bars({"a": 0.5}, ("a", "b")) is None


# --- in a browser


@pytest.fixture
def opened(store: Store, run_record: RunFactory, tmp_path: Path) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    runs = [run_record(f"expr/{name}", score, data_name="lab") for name, score in (("a", 0.4), ("b", 0.5), ("c", 0.3))]
    record(store, *runs, run_record(HOSTILE, 0.2, data_name="lab"))
    path = write_bundle(store, tmp_path / "board.html")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("dialog", lambda dialog: (page.trouble.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or page.trouble.append(r.url))
        page.goto(path.as_uri())
        yield page
        browser.close()


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_reader_sorts_searches_and_nothing_is_requested(opened: Any) -> None:
    table = opened.locator("table").first

    def names() -> list[str]:
        cells = table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
        return [text.strip() for text in cells]

    assert names()[:3] == ["expr/b", "expr/a", "expr/c"]
    head = table.get_by_role("columnheader", name="Solution")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names()[:2] == ["expr/c", "expr/b"]
    head.get_by_role("button").click()
    assert [name for name in names() if len(name) < 20] == ["expr/a", "expr/b", "expr/c"]
    score = table.get_by_role("columnheader", name="macro-F1")
    score.get_by_role("button").click()
    assert names()[0] == "expr/b"
    opened.get_by_role("searchbox").fill("expr/c")
    assert names() == ["expr/c"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= 1280
    assert opened.trouble == []


def test_the_frames_of_a_store_are_not_changed(store: Store, run_record: RunFactory) -> None:
    record(store, run_record())
    before = store.runs()
    bundle(store, NOW)
    pd.testing.assert_frame_equal(before, store.runs())
