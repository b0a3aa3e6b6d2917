"""Two runs side by side: the numbers are those of ``abaw compare``, and only what differs is shown."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from harness.board.differences import (
    BY_FOLD,
    MACHINE,
    Ran,
    best_two,
    beyond_runs,
    comparable,
    mover_rows,
    printed_side,
    run_choices,
    score_rows,
    settings_that_differ,
)
from harness.board.tables.compare import beyond_table, scores_table, settings_table, videos_table
from harness.metrics.compare import compare
from harness.metrics.titles import interval_text
from harness.records.run import RunRecord
from harness.reference.published import published_results
from harness.store.store import Store
from harness.tables.forms import write_csv
from harness.tasks import EXPR, VA
from leaderboard.charts.differences import difference_chart, mover_chart
from tests.support.app_pages import links_of, open_page, words_of
from tests.support.scored_runs import record, scored_run

pytestmark = pytest.mark.slow

OWN_ROW = "abaw10:table1:emotieffnet"
PUBLISHED = [asdict(result) for result in published_results()]


def frames_of(page: object) -> list[pd.DataFrame]:
    return [element.value for element in page.dataframe]  # type: ignore[attr-defined]


@pytest.fixture
def pair(store: Store) -> tuple[RunRecord, RunRecord]:
    """Two runs on the same videos, the first clearly better."""
    runs = scored_run("expr/good", 0.8, data_name="lab"), scored_run("expr/bad", 0.4, data_name="lab")
    record(store, *runs)
    return runs


# --- the page


@pytest.mark.usefixtures("checked_charts")
def test_the_numbers_are_those_of_the_command(pair: tuple[RunRecord, RunRecord]) -> None:
    a, b = pair
    found = compare(a.scored(), b.scored())
    page = open_page("compare", a=a.run_id, b=b.run_id)
    said = words_of(page)
    assert "A is better" in said
    head = found.headline
    assert interval_text(head.difference, head.low, head.high, sign="+") in said
    assert f"p = {found.p_value:.4f}" in said
    scores = next(frame for frame in frames_of(page) if "difference" in frame)
    assert scores["difference"].tolist() == [row.difference for row in found.differences]
    videos = next(frame for frame in frames_of(page) if "moves" in frame)
    assert videos["video"].tolist() == [mover.video for mover in found.movers]


@pytest.fixture
def seeds(store: Store) -> tuple[list[RunRecord], list[RunRecord]]:
    """Three seeds of one solution, two of another, and an older run of a seed that ran twice."""
    good = [scored_run("expr/good", 0.8 - seed / 10, seed=seed, data_name="lab") for seed in range(3)]
    bad = [scored_run("expr/bad", 0.4, seed=seed, data_name="lab") for seed in range(2)]
    older = replace(scored_run("expr/good", 0.1, seed=1), run_id="older", created="2026-01-01T00:00:00+00:00")
    record(store, *good, *bad, replace(older, data=good[1].data))
    return good, bad


def test_the_board_s_means_are_compared_as_means(seeds: tuple[list[RunRecord], list[RunRecord]]) -> None:
    good, bad = seeds
    link = links_of(open_page(data="lab"))["Compare it with the second"]
    assert link == f"compare?a={good[0].run_id}&b={bad[0].run_id}&means=true"
    found = compare([run.scored() for run in good], [run.scored() for run in bad]).headline
    page = open_page("compare", a=good[0].run_id, b=bad[0].run_id, means="true")
    assert interval_text(found.difference, found.low, found.high, sign="+") in words_of(page)
    assert f"A: expr/good, mean of 3 seeds {found.a:.3f}" in words_of(page)
    alone = compare(good[0].scored(), bad[0].scored()).headline
    page.toggle(key="means").set_value(False).run()
    assert interval_text(alone.difference, alone.low, alone.high, sign="+") in words_of(page)


def test_the_base_and_the_others_may_be_means(seeds: tuple[list[RunRecord], list[RunRecord]]) -> None:
    good, bad = seeds
    page = open_page("compare", base=bad[0].run_id, run=[good[0].run_id], means="true")
    rows = next(frame for frame in frames_of(page) if "corrected_p" in frame).to_dict("records")
    found = compare([run.scored() for run in good], [run.scored() for run in bad]).headline
    assert [row["name"] for row in rows] == ["expr/bad, 2 seeds", "expr/good, 3 seeds"]
    assert rows[1]["difference"] == found.difference
    assert links_of(page)["Pair 1"] == f"compare?a={good[0].run_id}&b={bad[0].run_id}&means=true"


def test_single_runs_offer_no_means(pair: tuple[RunRecord, RunRecord]) -> None:
    page = open_page("compare", a=pair[0].run_id, b=pair[1].run_id, means="true")
    assert not page.toggle
    assert "seeds" not in words_of(page)


def test_default_compares_best_run_with_best_other_solution(store: Store) -> None:
    best, twin = (scored_run("expr/good", 0.8, seed=seed, data_name="lab") for seed in (0, 1))
    other = scored_run("expr/bad", 0.4, data_name="lab")
    elsewhere = scored_run("expr/elsewhere", 0.9, data_name="other", data={**best.data, "fingerprint": "e" * 64},
                           created="2026-11-21T10:00:00+00:00")  # fmt: skip
    record(store, best, twin, other, elsewhere)
    found = best_two(store.runs(), "EXPR")
    assert found is not None
    assert found[0] in (best.run_id, twin.run_id)
    assert found[1] == other.run_id
    assert "A is better" in words_of(open_page("compare"))


def test_swap_turns_the_difference_around(pair: tuple[RunRecord, RunRecord]) -> None:
    a, b = pair
    page = open_page("compare", a=a.run_id, b=b.run_id)
    next(button for button in page.button if button.label == "Swap").click().run()
    assert not page.exception
    assert "B is better" in words_of(page)
    assert page.query_params["a"] == [b.run_id]
    assert page.query_params["b"] == [a.run_id]


def test_another_choice_stands_in_the_address(store: Store, pair: tuple[RunRecord, RunRecord]) -> None:
    a, b = pair
    third = scored_run("expr/third", 0.6, data_name="lab")
    record(store, third)
    page = open_page("compare", a=a.run_id, b=b.run_id)
    page.selectbox(key="compare-b").select(third.run_id).run()
    assert page.query_params["b"] == [third.run_id]
    assert "expr/third" in words_of(page)


def test_only_one_run(store: Store) -> None:
    record(store, scored_run("expr/alone", 0.5, data_name="lab"))
    page = open_page("compare")
    assert "Choose a second one" in words_of(page)


def test_nothing_scored_yet(store: Store) -> None:
    assert "none yet" in words_of(open_page("compare"))


def test_a_name_that_nothing_has(pair: tuple[RunRecord, RunRecord]) -> None:
    page = open_page("compare", a="<b>gone</b>", b=pair[0].run_id)
    assert "Nothing of this name" in words_of(page)
    assert "<b>gone</b>" in [element.value for element in page.text]


def test_runs_on_other_labels_are_refused_with_the_error_text(store: Store) -> None:
    a, b = scored_run("expr/a", 0.8, data_name="lab"), scored_run("expr/b", 0.5, videos=9, data_name="lab")
    record(store, a, b)
    said = words_of(open_page("compare", a=a.run_id, b=b.run_id))
    assert "can't be compared" in said
    assert "different videos" in said
    assert "What differs" in said


def test_tasks_don_t_mix(store: Store) -> None:
    expr, va = scored_run("expr/a", 0.8, data_name="lab"), scored_run("va/a", 0.8, task=VA, data_name="lab")
    record(store, expr, va)
    page = open_page("compare", a=va.run_id, b=expr.run_id)
    assert "different tasks" in words_of(page)
    assert set(run_choices(store.runs(), "VA")) == {va.run_id}


def test_a_run_and_a_paper_s_row(store: Store) -> None:
    run = scored_run("expr/ours", 0.8)
    record(store, run)
    page = open_page("compare", a=run.run_id, b=OWN_ROW)
    assert "no interval" in words_of(page)
    row = next(frame for frame in frames_of(page) if "difference" in frame).iloc[0]
    head = run.score()
    assert head is not None
    assert row["difference"] == pytest.approx(head["value"] - 0.3868)


def test_run_on_other_data_is_not_subtracted_from_paper_row(store: Store) -> None:
    run = scored_run("expr/ours", 0.8, data_name="lab")
    record(store, run)
    page = open_page("compare", a=run.run_id, b=OWN_ROW)
    assert "Not comparable" in words_of(page)
    assert "A on lab, B on Aff-Wild2" in words_of(page)
    assert all(frame["difference"].isna().all() for frame in frames_of(page))


def test_a_board_s_published_entry_is_found_by_its_key(store: Store) -> None:
    record(store, scored_run("expr/ours", 0.8))
    key = "paper 10 HSEmotion: EmotiEffNet + wav2vec 2.0, GLA, filtering + smoothing 0.4740"
    found = printed_side(PUBLISHED, key)
    assert found is not None
    assert (found.score, found.split, found.task) == (0.474, "val", EXPR)


def test_markup_in_names_is_shown_literally(store: Store) -> None:
    name = "expr/<img src=x onerror=alert(1)> **bold** [a](b) $x$ 😀" + "x" * 400
    a, b = scored_run(name, 0.8, data_name="<b>lab</b>"), scored_run("expr/b", 0.5, data_name="<b>lab</b>")
    record(store, a, b)
    page = open_page("compare", a=a.run_id, b=b.run_id)
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.success, page.subheader)
    rendered = "\n".join(str(element.value) for kind in kinds for element in kind)
    assert "<img" not in rendered
    assert "<b>" not in rendered
    assert any(name in element.value for element in page.text)


# --- settings


def test_only_settings_that_differ_lists_taken_apart() -> None:
    one = {"encoder": "x", "head": {"l2": 0.1, "epochs": 20}}
    other = {"encoder": "x", "head": {"l2": 0.0, "epochs": 20}}
    a = scored_run("expr/a", 0.8, recipe={"name": "a", "streams": [one]})
    b = scored_run("expr/a", 0.8, seed=3, recipe={"name": "a", "streams": [other, {"encoder": "y", "head": None}]})
    found = {setting.name: (setting.a, setting.b) for setting in settings_that_differ(a, b)}
    assert found["seed"] == ("0", "3")
    assert found["streams.1.head.l2"] == ("0.1", "0")
    assert found["streams.2.encoder"] == ("–", "y")
    assert not any("epochs" in name for name in found)


def test_hashes_are_shortened_and_the_machine_comes_last() -> None:
    a = scored_run("expr/a", 0.8, provenance={"source": "a" * 64, "device": "cpu"}, choices={"per_fold": [1, 2]})
    b = scored_run("expr/b", 0.8, provenance={"source": "b" * 64, "device": "cpu"}, choices={"per_fold": [1, 3]})
    found = settings_that_differ(a, b)
    assert [setting.kind for setting in found] == ["run", BY_FOLD, MACHINE]
    assert found[-1].a == "a" * 12 + "…"


def test_a_run_and_itself_differ_in_nothing() -> None:
    run = scored_run("expr/a", 0.8)
    assert settings_that_differ(run, run) == []


# --- tables and charts


def test_tables_carry_the_numbers_in_full() -> None:
    a, b = scored_run("expr/a", 0.8), scored_run("expr/b", 0.5)
    found = compare(a.scored(), b.scored())
    rows = list(csv.DictReader(io.StringIO(write_csv(scores_table(found)))))
    assert [float(row["difference"]) for row in rows] == [row.difference for row in found.differences]
    assert [float(row["low"]) for row in rows] == [row.low for row in found.differences]
    videos = list(csv.DictReader(io.StringIO(write_csv(videos_table(found)))))
    assert [float(row["moves"]) for row in videos] == [mover.moves for mover in found.movers]
    settings = list(csv.DictReader(io.StringIO(write_csv(settings_table("a", "b", settings_that_differ(a, b))))))
    assert {row["name"]: row["b"] for row in settings}["name"] == "expr/b"


def test_a_table_beside_a_published_number_says_what_it_lacks() -> None:
    printed = printed_side(PUBLISHED, OWN_ROW)
    assert printed is not None
    run = Ran(scored_run("expr/a", 0.8, data_name="lab"), Path())
    table = beyond_table("a", printed.name, beyond_runs(run, printed))
    assert "different data" in table.notes[0]
    assert "no interval" in table.notes[1]


def test_charts_have_every_score_and_no_video_that_moves_nothing() -> None:
    found = compare(scored_run("expr/a", 0.8).scored(), scored_run("expr/b", 0.5).scored())
    rows, movers = score_rows(found), mover_rows(found)
    chart = difference_chart(rows).to_dict()
    assert any(len(data) == len(rows) for data in chart["datasets"].values())
    still = pd.DataFrame([{"video": "still", "frames": 5, "a": 0.1, "b": 0.1, "moves": 0.0}])
    chart = mover_chart(pd.concat([movers, still])).to_dict()
    shown = {row["video"] for data in chart["datasets"].values() for row in data if "video" in row}
    assert shown == set(movers["video"])


def test_what_is_comparable(store: Store) -> None:
    a = scored_run("expr/a", 0.8, data_name="lab")
    b = scored_run("expr/b", 0.8, data_name="lab", data={**a.data, "fingerprint": "e" * 64})
    record(store, a, b)
    runs = store.runs()
    assert runs.loc[comparable(runs, a.run_id), "run_id"].tolist() == [a.run_id]
