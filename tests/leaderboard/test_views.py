"""Views of the board: in the address, and saved under names beside the runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harness.errors import DataError, UnknownNameError, UsageError
from harness.records.run import RunRecord
from harness.store.store import Store
from leaderboard.data.views import MOST_VIEWS, SavedViews
from leaderboard.screens.saved import SHARED
from tests.support.app_pages import links_of, open_page, same_page_links_of, words_of
from tests.support.scored_runs import record, scored_run

RunFactory = Callable[..., RunRecord]
VIEW = {"task": ("EXPR",), "q": ("mlp",), "encoder": ("a", "b")}


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    yield
    st.cache_data.clear()


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the runs that the page will use."""
    monkeypatch.setenv("ABAW_OUT", str(tmp_path))
    return tmp_path


def html_of(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def button_of(page: AppTest, label: str) -> object:
    return next(button for button in page.button if button.label == label)


# --- the file


def test_a_saved_view_is_read_as_it_was_saved(tmp_path: Path) -> None:
    views = SavedViews(tmp_path)
    assert views.read() == {}
    views.save("only mlp", VIEW)
    (view,) = SavedViews(tmp_path).read().values()
    assert (view.name, dict(view.address)) == ("only mlp", VIEW)
    assert json.loads((tmp_path / "views.json").read_text())["format"] == 1


def test_views_are_renamed_replaced_and_deleted(tmp_path: Path) -> None:
    views = SavedViews(tmp_path)
    views.save("b", VIEW)
    views.save("A", {"task": ("VA",)})
    views.save("b", {"task": ("AU",)})
    assert {name: dict(view.address) for name, view in views.read().items()} == {
        "A": {"task": ("VA",)},
        "b": {"task": ("AU",)},
    }
    views.rename("b", "c")
    assert list(views.read()) == ["A", "c"]
    with pytest.raises(UsageError, match="another view has this name; found A"):
        views.rename("c", "A")
    views.delete("A")
    assert list(views.read()) == ["c"]
    with pytest.raises(UnknownNameError, match="unknown saved view 'A'"):
        views.delete("A")


@pytest.mark.parametrize("name", ["", " \n ", "x" * 81])
def test_a_name_that_no_page_can_show_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 to 80 characters"):
        SavedViews(tmp_path).save(name, VIEW)
    assert not (tmp_path / "views.json").exists()


def test_a_view_holds_nothing_but_the_boards_address(tmp_path: Path) -> None:
    saved = SavedViews(tmp_path).save("a", {**VIEW, "embed": ("true",), "sort": ()})
    assert set(saved.address) == set(VIEW)


def test_no_more_views_than_a_list_can_hold_are_saved(tmp_path: Path) -> None:
    views = [{"name": f"view {k}", "address": {}} for k in range(MOST_VIEWS)]
    (tmp_path / "views.json").write_text(json.dumps({"views": views}))
    with pytest.raises(UsageError, match="no more views can be saved"):
        SavedViews(tmp_path).save("one more", VIEW)
    SavedViews(tmp_path).save("view 3", VIEW)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"views": [], "format": 2}', "written by a newer version"),
        ('{"views": [{"name": "a\\nb", "address": {}}]}', "1 to 80 characters"),
        ('{"views": [{"name": "a", "address": {"q": "text"}}]}', "views"),
        ("[", "can't be read"),
    ],
)
def test_a_file_that_is_no_list_of_views_is_refused_and_left(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "views.json"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(said)):
        SavedViews(tmp_path).save("a", VIEW)
    assert path.read_text() == content


# --- the page


@pytest.mark.slow
def test_a_reader_saves_renames_and_deletes_a_view(store: Store, run_record: RunFactory, out: Path) -> None:
    record(store, run_record("expr/a", data_name="lab"), run_record("expr/b", data_name="lab"))
    page = open_page(q="expr/b", sort="Name")
    page.text_input(key="saved-view-name").set_value("mine <b>").run()
    button_of(page, "Save").click().run()  # type: ignore[attr-defined]
    assert list(SavedViews(out).read()) == ["mine <b>"]  # Streamlit's test client forgets addresses; a browser's test
    assert "mine &lt;b&gt;</a>" in html_of(page)
    page.selectbox(key="saved-view").set_value("mine <b>").run()
    page.text_input(key="saved-view-name").set_value("other").run()
    button_of(page, "Rename").click().run()  # type: ignore[attr-defined]
    assert list(SavedViews(out).read()) == ["other"]
    page.selectbox(key="saved-view").set_value("other").run()
    button_of(page, "Delete").click().run()  # type: ignore[attr-defined]
    assert SavedViews(out).read() == {}


@pytest.mark.slow
def test_a_saved_view_is_a_link_with_its_address(store: Store, run_record: RunFactory, out: Path) -> None:
    record(store, run_record(data_name="lab"))
    (out / "views.json").write_text(
        json.dumps({"views": [{"name": "<i>", "address": {**VIEW, "embed": ["true"], "data": ['"><b>']}}]})
    )
    page = open_page()
    assert same_page_links_of(page) == {"<i>": "?task=EXPR&q=mlp&encoder=a&encoder=b&data=%22%3E%3Cb%3E"}
    assert "<i>" not in html_of(page)


@pytest.mark.slow
def test_others_open_views_and_change_none(
    store: Store, run_record: RunFactory, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, run_record(data_name="lab"))
    SavedViews(out).save("mine", VIEW)
    monkeypatch.setenv(SHARED, "1")
    page = open_page()
    assert "mine</a>" in html_of(page)
    assert not {"Save", "Delete", "Rename"} & {button.label for button in page.button}


@pytest.mark.slow
def test_views_that_cannot_be_read_leave_the_board_whole(store: Store, run_record: RunFactory, out: Path) -> None:
    record(store, run_record(data_name="lab"))
    (out / "views.json").write_text("{")
    page = open_page()
    assert "Saved views can't be read now" in words_of(page)
    assert len(page.dataframe[0].value) == 1


@pytest.mark.slow
def test_the_address_gives_order_and_columns(store: Store, run_record: RunFactory) -> None:
    runs = [run_record(f"expr/{name}", score, data_name="lab") for name, score in (("b", 0.5), ("c", 0.4), ("a", 0.6))]
    record(store, *runs)
    board = open_page(sort="Name", ascending="true", columns=["Encoder", "Interval"]).dataframe[0].value
    assert list(board.columns) == ["rank", "name", "score", "interval", "encoder"]
    assert list(board["name"]) == ["expr/a", "expr/b", "expr/c"]
    assert list(board["rank"]) == [1, 2, 3]
    board = open_page(sort="Name").dataframe[0].value
    assert list(board["rank"]) == [3, 2, 1]
    assert list(open_page(ascending="true").dataframe[0].value["rank"]) == [3, 2, 1]


@pytest.mark.slow
def test_no_choice_of_columns_hides_the_flag_of_a_run(store: Store, run_record: RunFactory) -> None:
    record(store, run_record("expr/a", split="test", trained_on="train+val", data_name="lab"))
    board = open_page(split="test", columns=["Encoder"]).dataframe[0].value
    assert list(board["trained_on"]) == ["⚑ train+val"]


@pytest.mark.slow
def test_three_selected_runs_are_compared_with_a_baseline(store: Store, run_record: RunFactory) -> None:
    ids = [f"run-{k}" for k in range(3)]
    record(store, *(run_record(f"expr/{k}", 0.6 - k / 10, data_name="lab", run_id=ids[k]) for k in range(3)))
    links = links_of(open_page(entry=ids))
    assert links["Compare 2 with the baseline"] == "compare?base=run-2&run=run-0&run=run-1"
    links = links_of(open_page(entry=ids, base="run-0"))
    assert links["Compare 2 with the baseline"] == "compare?base=run-0&run=run-1&run=run-2"
    assert not any("baseline" in label for label in links_of(open_page(entry=ids[:2])))


@pytest.mark.slow
def test_a_refreshing_board_says_when_it_read_and_looked(store: Store, run_record: RunFactory) -> None:
    record(store, run_record(data_name="lab"))
    assert "unchanged at" not in words_of(open_page())
    assert re.search(r"Read at \d\d:\d\d:\d\d UTC; unchanged at \d\d:\d\d:\d\d", words_of(open_page(every="10 s")))


# --- several against one


@pytest.mark.slow
@pytest.mark.usefixtures("checked_charts")
def test_runs_are_held_against_one_baseline(store: Store) -> None:
    runs = [scored_run(f"expr/{name}", skill) for name, skill in (("base", 0.5), ("good", 0.8), ("like", 0.51))]
    record(store, *runs)
    base, good, like = runs
    page = open_page("compare", base=base.run_id, run=[good.run_id, like.run_id])
    table = page.dataframe[0].value
    assert list(table["name"]) == ["expr/base, seed 0", "expr/good, seed 0", "expr/like, seed 0"]
    scores = [float(run.score()["value"]) for run in runs]  # type: ignore[index]
    assert list(table["score"]) == pytest.approx(scores, abs=1e-12)
    assert list(table["difference"][1:]) == pytest.approx([scores[1] - scores[0], scores[2] - scores[0]], abs=1e-12)
    smaller, larger = sorted(table["p_value"][1:])
    # Holm: the smallest of two p-values counts twice, the other once, and no less than that
    assert sorted(table["corrected_p"][1:]) == pytest.approx([2 * smaller, max(2 * smaller, larger)], abs=1e-12)
    assert table["verdict"][0] == "base"
    assert table["verdict"][1].startswith("better by")
    assert "1 of 2 better than the baseline" in words_of(page)
    assert len(page.get("vega_lite_chart")) == 1


@pytest.mark.slow
def test_a_run_on_other_labels_is_listed_with_the_reason(store: Store) -> None:
    base, fitting = scored_run("expr/base", 0.5), scored_run("expr/fitting", 0.6)
    other = scored_run("expr/other", 0.7, videos=9)
    record(store, base, fitting, other)
    page = open_page("compare", base=base.run_id, run=[fitting.run_id, other.run_id, "gone"])
    assert "not comparable" in page.dataframe[0].value["verdict"].iloc[2]
    assert "Not in the store: gone" in words_of(page)
    assert "No run of this name" in words_of(open_page("compare", base="gone"))


@pytest.mark.slow
def test_another_baseline_changes_places_with_the_first(store: Store) -> None:
    a, b = scored_run("expr/a", 0.5), scored_run("expr/b", 0.6)
    record(store, a, b)
    page = open_page("compare", base=a.run_id, run=[b.run_id])
    page.selectbox(key="compare-base").set_value(b.run_id).run()
    assert page.query_params["base"] == [b.run_id]
    assert page.query_params["run"] == [a.run_id]
    assert list(page.dataframe[0].value["name"]) == ["expr/b, seed 0", "expr/a, seed 0"]
