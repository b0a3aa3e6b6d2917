"""The boards as one HTML file: whole, escaped, needing nothing from anywhere, readable without its script."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.errors import StoreError, UsageError
from harness.records.run import RunRecord
from harness.store.store import Store
from leaderboard.bundle import page as page_module
from leaderboard.bundle.page import bundle, write_bundle
from leaderboard.bundle.strips import HEIGHT, WIDTH, axis, bars, interval, scale_of
from leaderboard.command import leaderboard

RunFactory = Callable[..., RunRecord]
NOW = datetime.datetime(2026, 11, 22, 18, 30, tzinfo=datetime.UTC)
HOSTILE = "expr/<script>alert(1)</script><img src=x onerror=alert(2)>\" ' & {{ 7*7 }} {% raw %} 😀 &lt; " + "x" * 500
VOID = {"meta", "link", "input", "br", "img"}


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
    store.record([(run, store.path.parent / f"run-{k}") for k, run in enumerate(runs)])


@dataclass(frozen=True)
class Written:
    """A bundle that tests share: read it, don't change it."""

    store: Store
    text: str
    page: Page

    def section(self, title: str) -> str:
        """The part of the page with this heading."""
        return next(part for part in self.text.split("<section")[1:] if f"<h2>{title}</h2>" in part)


@pytest.fixture(scope="module")
def written(run_record: RunFactory, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Of a store with runs on the data of the published results and on others, on validation and on test."""
    store = Store(tmp_path_factory.mktemp("somewhere") / "results.duckdb")
    record(
        store,
        run_record("expr/only-val", 0.4, tuned=0.5),
        run_record("expr/only-test", split="test"),
        run_record("expr/a", 0.4, data_name="lab"),
        run_record("expr/b", 0.5, data_name="lab"),
        run_record("expr/drawn", 0.9, data_name="abaw-synth"),
        run_record(HOSTILE, 0.3, run_id="h", data_name="lab", encoder=HOSTILE, notes=[HOSTILE]),
        run_record("expr/x", 0.5, run_id="x", data_name=HOSTILE),
    )
    before = store.runs()
    text = bundle(store, NOW)
    pd.testing.assert_frame_equal(before, store.runs())
    return Written(store, text, Page(text))


# --- what it needs


def test_nothing_is_asked_for_from_anywhere(written: Written) -> None:
    for tag, attributes in written.page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name not in ("src", "srcset", "action", "style", "xlink:href"), (tag, attributes)
            if name == "href":
                assert str(value).startswith("#") or value == "data:,", (tag, attributes)
    (style,) = written.page.inside("style")
    assert "url(" not in style
    assert "@import" not in style


def test_policy_allows_only_this_style_and_this_script(written: Written) -> None:
    policy = next(str(a["content"]) for t, a in written.page.tags if t == "meta" and "http-equiv" in a)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    for kind in ("style", "script"):
        (text,) = written.page.inside(kind)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == [f"'sha256-{digest}'"]
        assert sum(tag == kind for tag, _ in written.page.tags) == 1


def test_whatever_a_name_holds_is_text(written: Written) -> None:
    ours = (
        "html head meta link title style body header h1 p bdi nav ul li a small main section h2 span strong details "
        "summary div table thead tr th svg text tbody td path circle g sup dl dt dd footer code script"
    )
    assert {tag for tag, _ in written.page.tags} <= set(ours.split())
    assert sum(HOSTILE in text for text in written.page.inside("bdi")) >= 3
    assert any(HOSTILE in text for text in written.page.inside("h2"))


# --- what it says


def test_bundle_states_date_and_source_without_its_location(written: Written) -> None:
    words = written.page.words
    assert "2026-11-22 18:30 UTC" in words
    assert "results.duckdb" in words
    assert "7 runs," in words
    assert "nothing here is live" in words
    assert "70 videos, 280,532 frames" in words
    assert str(written.store.path.parent.parent) not in written.text


def test_boards_of_each_task_split_and_data_show_runs_first(written: Written) -> None:
    titles = written.page.inside("h2")
    of_runs = [title for title in titles if title.startswith("EXPR")]
    assert titles[: len(of_runs)] == of_runs
    assert sorted(title.partition(", ")[2] for title in of_runs if "val" in title[:8]) == sorted(
        ["Aff-Wild2", "abaw-synth", "lab", HOSTILE]
    )
    assert any(title.startswith("VA test") for title in titles)
    anchors = [a["id"] for t, a in written.page.tags if t == "section"]
    assert len(set(anchors)) == len(anchors)
    assert {f"#{anchor}" for anchor in anchors} == {a["href"] for t, a in written.page.tags if t == "a"}


def test_validation_and_test_never_share_a_table(written: Written) -> None:
    for part in written.text.split("<section")[1:]:
        assert not ("expr/only-val" in part and "expr/only-test" in part)


def test_the_best_run_is_bold_and_intervals_are_drawn(written: Written) -> None:
    section = written.section("EXPR val: expression recognition, lab")
    assert "<strong>0.500</strong>" in section
    assert "<strong>0.400</strong>" not in section
    assert 'aria-label="0.500, 95 % interval 0.470 to 0.530; a constant gets 0.057"' in section
    assert 'aria-label="Neutral 0.50, Anger 0.50' in section
    assert section.index("expr/b") < section.index("expr/a<")


def test_drawn_data_are_called_so(written: Written) -> None:
    parts = [part for part in written.text.split("<section")[1:] if "drawn by a program" in part]
    assert len(parts) == 1
    assert "abaw-synth" in parts[0]


def test_published_results_rank_only_with_runs_on_their_data(written: Written) -> None:
    assert "not comparable with runs on" in written.section("EXPR val: expression recognition, lab")
    together = written.section("EXPR val: expression recognition, Aff-Wild2")
    assert "not comparable with runs on" not in together
    assert together.count('<tr class="published">') > 5
    assert together.count('<tr class="run">') == 1


def test_every_hover_explanation_is_printed_too(written: Written) -> None:
    glossary = set(written.page.inside("dd"))
    hovers = {a["title"] for t, a in written.page.tags if t == "th" and a.get("title")}
    assert sum(text in glossary for text in hovers) >= 4


def test_without_a_store_it_holds_published_results_and_says_so(store: Store) -> None:
    page = Page(bundle(store, NOW))
    assert "no runs yet" in page.words
    assert len(page.inside("bdi")) > 20
    assert not store.path.exists()


# --- writing


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes no time: what is tested is the writing."""
    monkeypatch.setattr(page_module, "bundle", lambda store, made: f"<!doctype html>{len(store.runs())}")


@pytest.mark.usefixtures("quick")
def test_it_is_written_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    target.write_text("before")
    store.path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        write_bundle(store, target)
    assert target.read_text() == "before"
    store.path.unlink()
    assert write_bundle(store, target) == target
    assert target.read_text() == "<!doctype html>0"
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.usefixtures("quick")
def test_folder_gets_an_index_and_other_file_kinds_are_refused(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    assert write_bundle(store, folder) == folder / "index.html"
    with pytest.raises(UsageError, match=r"board\.html"):
        write_bundle(store, tmp_path / "board.pdf")


@pytest.mark.usefixtures("quick")
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
