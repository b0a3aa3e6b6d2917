"""Names, notes and paths that somebody else wrote: shown letter by letter, never as markup, never as a way out."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.records.failure import Failure
from harness.records.marks import Marks
from harness.records.run import RunRecord
from harness.slots import LEDGER_FILE
from harness.store.store import Store
from leaderboard.data.views import SavedViews
from leaderboard.screens.links import PAGES
from tests.support.leaderboard_server import Answer, Visitor, served

pytestmark = pytest.mark.process
RunFactory = Callable[..., RunRecord]
Answers = Callable[[str], Sequence[Answer]]
MARK = "h0st1le"
NAMES = {
    "script": f"<script>alert('{MARK}')</script>",
    "image": f"<img src=x onerror=alert(1)> {MARK} </b>",
    "markdown": f"**{MARK}** [a](javascript:alert(1)) :smile: :red[x] $x^2$ `code` ![i](http://evil.invalid/x.png)",
    "marks": f"_{MARK}_ & % # ${{}} ~ ^ \\ | \"double\" 'single' =1+1",
    "scripts": f"{MARK} 🙈🏳️‍🌈 \u202eexe.txt עברית 中文",
    "long": MARK + "x" * 500,
    "lines": f"{MARK}\n# heading\n- item\t| cell",
}
PRIVATE = "what must never be read"
# what Streamlit's page shows as it is; anything else may be Markdown
PLAIN = {
    "text.body", "code.code_text", "json.body", "selectbox.options", "selectbox.raw_value", "selectbox.default",
    "multiselect.options", "text_input.default", "text_input.value", "page_link.query_string",
}  # fmt: skip


def hostile_run(run_record: RunFactory, kind: str, score: float, folder: Path) -> RunRecord:
    """A run of which every text is one of the names, as a folder from somewhere else may hold it."""
    name = NAMES[kind]
    return run_record(
        name,
        score,
        run_id=f"{kind} {name}",
        data_name=NAMES["marks"],
        encoder=name,
        head=name,
        postprocess=name,
        trained_on=name,
        tuned_on=name,
        recipe={name: {name: name}},
        options={name: name},
        choices={"tuned_on": name, name: {"candidates": [name], "per_fold": [name], "on_all": name}},
        data={"name": NAMES["marks"], "root": f"{folder}/{name}", "fingerprint": name, "videos": 2, "frames": 80},
        files={"../secret.txt": "0" * 64, f"{kind}.txt": name, str(folder / "secret.txt"): "0" * 64},
        provenance={"git": {"commit": name, "dirty": True, "origin": name}, "device": name, "packages": {name: name}},
        timings={},
        notes=[name],
        constant=name,
        statistics={"headline": {f"{name} 1": [float(k % 9) for k in range(64)], f"{name} 2": [1.0] * 64}},
        steps=[{"step": name, "decisions": 80, "changed": 2, "corrected": 1, "worsened": 1}],
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, run_record: RunFactory) -> Iterator[Answers]:
    """A page as a server with such runs, failures and a ledger sends it, at each of its addresses; asked for once."""
    out = tmp_path_factory.mktemp("out")
    (out / "EXPR").mkdir()
    (out / "EXPR" / "secret.txt").write_text(PRIVATE)
    runs = [hostile_run(run_record, kind, 0.3 + k / 100, out / "EXPR") for k, kind in enumerate(NAMES)]
    failed = [
        Failure.of(ValueError(name), task="EXPR", split="val", name=name, seed=1, data_name=NAMES["marks"])
        for name in NAMES.values()
    ]
    folders = [out / "EXPR" / f"run{k}" for k in range(len(runs))]
    for folder, name in zip(folders, NAMES.values(), strict=True):
        folder.mkdir()
        Marks(note=name, tags=(name[:100],)).write(folder)
    store = Store(out / "results.duckdb")
    store.record(zip(runs, folders, strict=True), failures=[(failure, failure.write(out)) for failure in failed])
    sent = {"task": "EXPR", "edition": 10, "time": "2026-11-22T10:00:00+00:00", "bytes": 1, "results": []}
    ledger = [
        {**sent, "number": k, "file": name, "sha256": name, "content": name, "run_id": name, "note": name}
        for k, name in enumerate(NAMES.values(), start=1)
    ]
    (out / LEDGER_FILE).write_text(json.dumps({"format": 1, "sent": ledger}))
    for kind in ("script", "image", "scripts"):
        SavedViews(out).save(NAMES[kind], {"data": (NAMES[kind],)})
    with served(store.path, out, "--out", str(out)) as server, Visitor(server) as visitor:

        @functools.cache
        def answers_of(page: str) -> Sequence[Answer]:
            return [visitor.open("" if page == "board" else page, **address) for address in addresses(page)]

        yield answers_of


def texts(message: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message, with the names of the fields that lead to it."""
    for field, value in message.ListFields():
        place = f"{path}.{field.name}".lstrip(".")
        several = value if not isinstance(value, str | bytes | int | float) and hasattr(value, "__len__") else [value]
        for one in several.values() if hasattr(several, "values") else several:
            if isinstance(one, str):
                yield place, one
            elif hasattr(one, "ListFields"):
                yield from texts(one, place)


def as_markup(answer: Answer) -> list[tuple[str, str]]:
    """Places where a name may be taken for markup."""
    found = [pair for message in (*answer.elements, *answer.blocks) for pair in texts(message)]
    named = [(place, text) for place, text in found if MARK in text and place not in PLAIN and not _of_a_chart(place)]
    return [(place, text) for place, text in named if place != "html.body" or not _is_plain_table(text)]


class _Tags(HTMLParser):
    """The tags and attributes of a text, as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def _is_plain_table(text: str) -> bool:
    """Whether HTML of the board's own is a table, or a list, of links within the board: names are text in it."""
    parser = _Tags()
    parser.feed(text)
    links = [value for name, value in parser.attributes if name == "href"]
    return (
        parser.tags <= {"table", "thead", "tbody", "tr", "th", "td", "a", "br", "small", "ul", "li"}
        and {name for name, _ in parser.attributes} <= {"class", "scope", "href", "target"}
        and all(link.startswith(("run?", "/run?", "?")) for link in links)
    )


def _of_a_chart(place: str) -> bool:
    return place.startswith("vega_lite_chart.")  # it writes text as text; tooltips are escaped by its own handler


def addresses(page: str) -> list[dict[str, str]]:
    ids = [f"{kind} {name}" for kind, name in NAMES.items()]
    of_page = {
        "run": [{"run": run_id, "video": f"{run_id.partition(' ')[2]} 1"} for run_id in ids],
        "compare": [{"a": a, "b": b} for a, b in itertools.pairwise(ids)],
    }
    return of_page.get(page, [{}, {"task": "EXPR", "q": NAMES["script"]}])


@pytest.mark.parametrize("page", PAGES)
def test_no_page_takes_a_name_for_markup(answers: Answers, page: str) -> None:
    shown = False
    for answer in answers(page):
        assert answer.failures == []
        assert as_markup(answer) == []
        shown |= answer.shows(MARK)
    assert shown or page == "papers", "a page that shows none of the names shows nothing at all"


@pytest.mark.parametrize("page", PAGES)
def test_a_file_outside_of_the_runs_folder_is_never_read(answers: Answers, page: str) -> None:
    for answer in answers(page):
        assert answer.failures == []
        assert not answer.shows(PRIVATE)
