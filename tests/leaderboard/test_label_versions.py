"""Boards where one data set has two versions of its labels: page, export, bundle, papers, seeds, submissions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from click.testing import CliRunner, Result

from harness.board.board import load_board
from harness.board.differences import Ran, beyond_runs, printed_numbers
from harness.board.entries import View, frame_of
from harness.board.papers import beside, paper_tables
from harness.board.run import others, twins_on_test
from harness.board.slots import promised_by
from harness.board.tables.papers import paper_rows, paper_table
from harness.records.run import LEARNED_FROM, RunRecord
from harness.store.store import Store
from harness.tasks import EXPR
from leaderboard.bundle.page import write_bundle
from leaderboard.export.command import export
from tests.support.app_pages import open_page, same_page_links_of, words_of
from tests.support.label_versions import CASES, Versions, write_versions
from tests.support.scored_runs import scored_run

pytestmark = pytest.mark.slow

TABLE, PLAIN = "abaw10:table1", "expr/abaw10-emotieffnet"
A, B = "a" * 64, "b" * 64
APART = "it is not known which of them, if any, the published results are on"


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    yield
    st.cache_data.clear()


@pytest.fixture
def scored(tmp_path: Path, store: Store) -> dict[str, RunRecord]:
    """The same predictions on both versions, by the name that the board gives to the labels."""
    return on_both(write_versions(tmp_path), store)


def on_both(versions: Versions, store: Store) -> dict[str, RunRecord]:
    runs = [versions.record(store.path, version) for version in ("old", "new")]
    return {run.data["fingerprint"][:8]: run for run in runs}


def on_labels(fingerprint: str, name: str = PLAIN, skill: float = 0.5, *, day: int = 22, **changes: Any) -> RunRecord:
    """A run on these labels, made on that day."""
    videos, data_name = changes.pop("videos", 12), changes.pop("data_name", "Aff-Wild2")
    data = {"name": data_name, "fingerprint": fingerprint, "videos": videos, "frames": 40 * videos}
    data |= changes.pop("data", {})
    seed = changes.setdefault("seed", 0)
    changes.setdefault("run_id", f"{name}-{fingerprint[:4]}-{data_name}-s{seed}".replace("/", "-"))
    created = f"2026-11-{day}T10:00:00+00:00"
    return scored_run(name, skill, videos=videos, data=data, created=created, **changes)


def record(store: Store, *runs: RunRecord) -> None:
    store.record([(run, store.path.parent / run.run_id) for run in runs])


def board(store: Store, labels: str = "", name: str = "Aff-Wild2", **options: Any) -> Any:
    return load_board(store, View(EXPR, "val", name, labels), **options)


def exported(*arguments: str) -> Result:
    done = CliRunner().invoke(export, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done


# --- the board


@pytest.mark.parametrize("case", CASES)
def test_page_shows_one_version_and_names_the_other(case: str, store: Store, tmp_path: Path) -> None:
    versions = CASES[case](tmp_path)
    scored = on_both(versions, store)
    page = open_page()
    shown = page.selectbox(key="labels").value
    (other,) = set(scored) - {shown}
    table, text = page.dataframe[0].value, words_of(page)
    assert list(table["score"]) == [pytest.approx(scored[shown].score()["value"])]  # type: ignore[index]
    assert list(table["standing"]) == ["best"]
    assert "Another version of these labels is in the store" in text
    assert f"Shown: 1 run on labels {shown} (2 videos, " in text
    assert f"Not shown: 1 run on labels {other} (2 videos, " in text
    assert f"labels={other}" in same_page_links_of(page)[f"Show the board of labels {other}"]
    again = open_page(labels=other)
    assert list(again.dataframe[0].value["score"]) == [pytest.approx(scored[other].score()["value"])]  # type: ignore[index]
    assert versions.difference in text


def test_page_one_version_offers_no_choice_of_labels(store: Store) -> None:
    record(store, on_labels(A), on_labels(A, "expr/other"))
    page = open_page()
    assert "labels" not in [box.key for box in page.selectbox]
    assert "Another version" not in words_of(page)


@pytest.mark.parametrize(
    ("videos", "labels", "joined"),
    [((12, 12), "aaaaaaaa", False), ((12, 12), "bbbbbbbb", False), ((12, 9), "aaaaaaaa", True),
     ((12, 9), "bbbbbbbb", False)],
)  # fmt: skip
def test_published_results_stand_where_they_may(
    store: Store, videos: tuple[int, int], labels: str, joined: bool
) -> None:
    record(store, *(on_labels(print_, videos=n) for print_, n in zip((A, B), videos, strict=True)))
    found = board(store, labels)
    assert (len(found.entries) > 1) == joined
    assert (len(found.reference) > 5) != joined
    assert (APART in found.apart) != joined


def test_page_says_why_published_results_stand_apart(store: Store) -> None:
    record(store, on_labels(A), on_labels(B))
    assert APART in words_of(open_page(data="Aff-Wild2"))


def test_places_and_best_are_those_of_one_version(store: Store) -> None:
    skills = {A: (0.7, 0.5, 0.3), B: (0.9, 0.1)}
    record(
        store,
        *(on_labels(print_, f"expr/{k}", skill) for print_, own in skills.items() for k, skill in enumerate(own)),
    )
    for print_, own in skills.items():
        runs = frame_of(board(store, print_[:8]).runs)
        assert list(runs["name"]) == [f"expr/{k}" for k in range(len(own))]
        assert list(runs["rank"]) == [*range(1, len(own) + 1)]
        assert list(runs["rank_high"]) == list(runs["rank"])
        assert list(runs["standing"] == "best") == [True, *[False] * (len(own) - 1)]


def test_runs_without_labels_stay_on_one_board(store: Store) -> None:
    record(store, *(on_labels(print_, split="test", scores=[], statistics={}) for print_ in (A, B)))
    found = load_board(store, View(EXPR, "test", "Aff-Wild2"))
    assert len(found.runs) == 2
    assert all(entry.rank is None for entry in found.runs)
    assert not found.others


def test_a_run_without_a_score_is_listed_with_its_labels(store: Store) -> None:
    blind = {"scores": [], "statistics": {}}
    record(
        store,
        on_labels(A, "expr/a"),
        on_labels(B, "expr/b"),
        on_labels(B, "expr/partial", **blind),
        on_labels("c" * 64, "expr/unlabelled", **blind),
    )
    assert {entry.name for entry in board(store, "aaaaaaaa").runs} == {"expr/a", "expr/unlabelled"}
    assert {entry.name for entry in board(store, "bbbbbbbb").runs} == {"expr/b", "expr/partial", "expr/unlabelled"}


def test_same_labels_under_another_name_are_named(store: Store) -> None:
    record(store, on_labels(A, data_name="lab"), on_labels(A, "expr/other", data_name="moved", day=20))
    assert board(store, name="lab").elsewhere == {"moved": 1}
    assert "1 run on these same labels: under the data set moved." in words_of(open_page(data="lab"))


# --- seeds


@pytest.mark.parametrize(
    ("changes", "rows"),
    [({}, 1), ({"fingerprint": B}, 2), ({LEARNED_FROM: B}, 2)],
    ids=["the same", "other labels", "learned from other labels"],
)
def test_mean_over_seeds_is_of_one_version(store: Store, changes: dict[str, str], rows: int) -> None:
    runs = [
        on_labels(A, seed=seed, run_id=f"s{seed}", data={LEARNED_FROM: A, **(changes if seed else {})})
        for seed in (0, 1)
    ]
    record(store, *runs)
    all_labels = {run.data["fingerprint"][:8] for run in runs}
    found = [entry.seeds for labels in all_labels for entry in board(store, labels).runs]
    assert found == ([2] if rows == 1 else [1, 1])


# --- what is taken along


@pytest.mark.parametrize("form", ["csv", "md", "latex"])
def test_export_writes_one_version(scored: dict[str, RunRecord], form: str) -> None:
    for labels, run in scored.items():
        (other,) = set(scored) - {labels}
        done = exported("board", "--data-set", "example", "--labels", labels, "--format", form)
        assert done.stdout.count("our-cnn") == (2 if form == "csv" else 1)  # the CSV has the run's id, too
        value = run.score()["value"]  # type: ignore[index]
        assert (str(value) if form == "csv" else f"{value:.3f}") in done.stdout
        assert f"--labels {other}" in done.stderr
        assert f"left out are 1 run on labels {other} (2 videos, " in done.stderr
        if form == "csv":
            assert run.data["fingerprint"] in done.stdout
        else:
            assert f"example, labels {labels}" in done.stdout
            assert "left out are 1 run on labels" in done.stdout


def test_export_unknown_labels_are_refused(scored: dict[str, RunRecord]) -> None:
    done = CliRunner().invoke(export, ["board", "--data-set", "example", "--labels", "nothing"])
    assert "unknown version of the labels 'nothing'" in str(done.exception)
    assert all(labels in str(done.exception) for labels in scored)


def test_bundle_has_a_section_per_version(scored: dict[str, RunRecord], store: Store, tmp_path: Path) -> None:
    text = write_bundle(store, tmp_path / "board.html").read_text()
    sections = {
        part.split("</h2>")[0]: part for part in text.split("<h2>") if ", example" in part.split("</h2>")[0][:200]
    }
    assert len(sections) == 2
    for labels, run in scored.items():
        (other,) = set(scored) - {labels}
        (section,) = (part for title, part in sections.items() if title.endswith(f"example, labels {labels}"))
        own = section.split("For reference")[0]
        assert own.count("<bdi>our-cnn</bdi>") == 1
        assert f"{run.score()['value']:.3f}" in own  # type: ignore[index]
        assert f"Not in this section: <bdi>1 run on labels {other}" in own


# --- other pages


def test_paper_takes_ours_from_one_version(store: Store) -> None:
    record(store, on_labels(A, PLAIN, 0.5), on_labels(B, f"{PLAIN}-gla", 0.9, day=20), on_labels(B, day=19))
    table, runs = paper_tables()[TABLE], store.runs()
    for labels, expected in (("aaaaaaaa", {PLAIN}), ("bbbbbbbb", {PLAIN, f"{PLAIN}-gla"}), ("", {PLAIN})):
        rows = beside(table, runs, store.targets(), "Aff-Wild2", store.replicates, labels=labels)
        assert {row.solution for row in rows if row.ours} == expected
        assert all(line["difference"] is None for line in paper_rows(table, rows, "Aff-Wild2"))
        assert any(APART in note for note in paper_table(table, rows, "Aff-Wild2").notes)


@pytest.mark.parametrize("table", [TABLE, "own:EXPR"])
def test_papers_page_says_which_labels_ours_are_on(store: Store, table: str) -> None:
    record(store, on_labels(A), on_labels(B, day=20))
    text = words_of(open_page("papers", table=table, on="Aff-Wild2", on_labels="bbbbbbbb"))
    assert "Ours: runs on labels bbbbbbbb (12 videos, 480 labelled frames)." in text
    assert "left out are runs on labels aaaaaaaa" in text


def test_papers_export_writes_one_version(store: Store) -> None:
    record(store, on_labels(A, skill=0.5), on_labels(B, skill=0.9, day=20))
    values = {labels: exported("papers", TABLE, "--labels", labels).stdout for labels in ("aaaaaaaa", "bbbbbbbb")}
    assert values["aaaaaaaa"] != values["bbbbbbbb"]
    done = exported("papers", TABLE)
    assert done.stdout == values["aaaaaaaa"]
    assert "left out: 1 run on labels bbbbbbbb" in done.stderr


def test_published_number_is_not_subtracted_from_either(store: Store) -> None:
    a, b = on_labels(A), on_labels(B)
    record(store, a, b)
    printed = next(iter(printed_numbers(store.published(), EXPR, "val").values()))
    for run in (a, b):
        found = beyond_runs(Ran(run, store.path.parent), printed, store.runs())
        assert APART in found.objection
        assert found.rows["difference"].isna().all()
    assert not beyond_runs(Ran(a, store.path.parent), printed, store.runs().iloc[:1]).objection


def test_run_page_leaves_out_runs_on_other_labels(store: Store) -> None:
    own, same, other = on_labels(A), on_labels(A, "expr/same"), on_labels(B, "expr/other")
    record(store, own, same, other)
    assert list(others(store.runs(), own.run_id)["run_id"]) == [same.run_id]
    text = words_of(open_page("run", run=own.run_id))
    assert "labels aaaaaaaa" in text
    assert "Not beside it: 1 run on labels bbbbbbbb (12 videos, 480 labelled frames)" in text


@pytest.mark.parametrize(("learned", "expected"), [({}, True), ({LEARNED_FROM: A}, True), ({LEARNED_FROM: B}, False)])
def test_validation_behind_a_test_run_learned_the_same(store: Store, learned: dict[str, str], expected: bool) -> None:
    own = on_labels(A, run_id="val", data={LEARNED_FROM: A})
    sent = replace(own, run_id="test", split="test", scores=[], statistics={})
    sent = replace(sent, data={key: value for key, value in own.data.items() if key != LEARNED_FROM} | learned)
    record(store, own, sent)
    assert promised_by(store, ["test"])["val"].tolist() == (["val"] if expected else [])
    assert twins_on_test(store.runs(), "val")["run_id"].tolist() == (["test"] if expected else [])


def test_an_older_store_keeps_versions_apart_too(store: Store) -> None:
    record(store, on_labels(A, "expr/a"), on_labels(B, "expr/b"))
    runs = store.runs().assign(labelled_frames=pd.NA, setup=None)
    assert len(runs) == 2
    assert [len(board(store, labels).runs) for labels in ("aaaaaaaa", "bbbbbbbb")] == [1, 1]
